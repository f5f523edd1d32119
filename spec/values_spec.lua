local core = require("batchapi.core")
local values = require("batchapi.check.values")

local function refused(value, spec, pattern)
  local checked, why = values.check(value, spec, "x")
  assert.is_nil(checked)
  assert.matches(pattern, why)
end

local function accepted(value, spec, expected)
  local checked, why = values.check(value, spec, "x")
  assert.is_nil(why)
  if expected == nil then
    expected = value
  end
  assert.same(expected, checked)
end

describe("values.check, numbers", function()
  local integer = { type = "integer", min = 1, max = 100 }

  it("keeps a range, ends included", function()
    accepted(1, integer)
    accepted(100, integer)
    refused(0, integer, "^x must be between 1 and 100, got 0$")
    refused(101, integer, "between 1 and 100")
    refused(0, { type = "integer", min = 1 }, "at least 1")
    refused(9, { type = "number", max = 8.5 }, "at most 8.5")
  end)

  it("refuses what is no integer", function()
    refused(1.5, integer, "an integer")
    refused("5", integer, "an integer, got '5'")
    refused(math.huge, { type = "integer" }, "an integer")
  end)

  it("sends a whole float as an integer", function()
    local checked = values.check(5.0, integer, "x")
    assert.equal("5", ("%s"):format(tostring(checked)))
  end)

  it("refuses numbers JSON cannot write", function()
    refused(0 / 0, { type = "number" }, "finite")
    refused(-math.huge, { type = "number" }, "finite")
  end)
end)

describe("values.check, strings", function()
  it("counts characters, not bytes", function()
    accepted(("é"):rep(4), { type = "string", max_length = 4 })
    refused(("é"):rep(5), { type = "string", max_length = 4 }, "at most 4 characters, got 5")
    refused("", { type = "string", min_length = 1 }, "^x must not be empty$")
  end)

  it("refuses what a closed list lacks, and names the nearest", function()
    local spec = { type = "string", one_of = { "asc", "desc" } }
    accepted("asc", spec)
    refused("ascd", spec, "one of 'asc', 'desc', got 'ascd'; did you mean 'asc'")
  end)

  it("passes what an open list lacks", function()
    accepted("new-purpose", { type = "string", known = { "batch" } })
  end)

  it("converts the case before it looks", function()
    accepted("GET", { type = "string", case = "lower", one_of = { "get" } }, "get")
    accepted("get", { type = "string", case = "upper", one_of = { "GET" } }, "GET")
  end)

  it("knows patterns, several, and what must not match", function()
    local spec = { type = "string", pattern = { "%.csv$", "%.CSV$" }, pattern_help = "a .csv name" }
    accepted("a.CSV", spec)
    refused("a.Csv", spec, "a %.csv name")
    refused("/batch", { type = "string", never = { { "^/batch$", "not here" } } }, "^x: not here$")
  end)

  it("does not take a number for a string", function()
    refused(5, { type = "string" }, "a string, got 5")
  end)
end)

describe("values.check, arrays", function()
  it("encodes an empty one as an array, and leaves the user's table alone", function()
    local mine = {}
    local checked = values.check(mine, { type = "array" }, "x")
    assert.equal("[]", core.encode(checked))
    assert.is_nil(getmetatable(mine))
  end)

  it("keeps its length", function()
    local spec = { type = "array", min_items = 1, max_items = 2 }
    accepted({ "a" }, spec)
    refused({}, spec, "at least 1 items, got 0")
    refused({ 1, 2, 3 }, spec, "at most 2 items, got 3")
  end)

  it("understands lua-cjson's marks where they are loaded", function()
    local real = package.loaded.cjson
    local mark = { __name = "array" }
    package.loaded.cjson = { array_mt = mark, empty_array = io.stdout }
    local marked = values.check(setmetatable({}, mark), { type = "array" }, "x")
    local sentinel = values.check(io.stdout, { type = "array" }, "x")
    local refusal = select(2, values.check(setmetatable({}, mark), { type = "object", fields = {} }, "x"))
    package.loaded.cjson = real
    assert.equal("[]", core.encode(marked))
    assert.equal("[]", core.encode(sentinel))
    assert.matches("got an array", refusal)
  end)

  it("names the element that does not fit", function()
    refused({ "a", 5 }, { type = "array", items = { type = "string" } }, "^x%[2%] must be a string")
  end)

  it("refuses a table with names for keys", function()
    refused({ a = 1 }, { type = "array" }, "an array, got a table")
  end)

  it("copies only what had to change", function()
    local mine = { "GET" }
    local checked = values.check(mine, { type = "array", items = { type = "string", case = "lower" } }, "x")
    assert.same({ "get" }, checked)
    assert.same({ "GET" }, mine)
    local same = { "get" }
    assert.equal(same, (values.check(same, { type = "array", items = { type = "string" } }, "x")))
  end)
end)

describe("values.check, maps", function()
  local spec = { type = "map", nullable = true, max_pairs = 2, key_max_length = 3,
    values = { type = "string", max_length = 4 } }

  it("keeps the number of pairs, the length of keys and the values", function()
    accepted({ a = "1", b = "2" }, spec)
    refused({ a = "1", b = "2", c = "3" }, spec, "at most 2 pairs, got 3")
    refused({ long_key = "1" }, spec, "at most 3 characters")
    refused({ a = 1 }, spec, "^x%.a must be a string")
    refused({ a = "12345" }, spec, "^x%.a may have at most 4")
  end)

  it("takes null where it may stand, and only there", function()
    assert.equal(core.null, (values.check(core.null, spec, "x")))
    refused(core.null, { type = "map" }, "got null")
    refused(core.null, { type = "string" }, "got null")
  end)

  it("refuses an array", function()
    refused({ "a" }, spec, "names for keys")
  end)
end)

describe("values.check, objects", function()
  local spec = {
    type = "object", closed = true,
    fields = {
      { name = "id", type = "string", required = true },
      { name = "kind", type = "string", always = "fixed" },
      { name = "inner", type = "object", fields = { { name = "n", type = "integer", required = true } } },
    },
  }

  it("names a missing field by its whole name", function()
    refused({}, spec, "^x%.id is required$")
    refused({ id = "a", inner = {} }, spec, "^x%.inner%.n is required$")
  end)

  it("refuses unknown fields where it is closed, and names the nearest", function()
    refused({ idd = "a" }, spec, "x%.idd is not a field of this request; did you mean 'id'")
    accepted({ more = 1 }, { type = "object", fields = {} })
  end)

  it("adds constants to a copy", function()
    local mine = { id = "a" }
    accepted(mine, spec, { id = "a", kind = "fixed" })
    assert.is_nil(mine.kind)
  end)

  it("applies rules over several fields", function()
    local ruled = {
      type = "object", fields = {},
      refuse = { { when = { method = "^post$", path = "^/attachments" }, why = "no uploads" } },
    }
    refused({ method = "post", path = "/attachments" }, ruled, "^x: no uploads$")
    accepted({ method = "get", path = "/attachments" }, ruled)
  end)

  it("refuses an array, an empty marked one too", function()
    refused({ "a" }, spec, "names for keys")
    refused(setmetatable({}, core.array_mt), { type = "object", fields = {} }, "names for keys")
  end)
end)

describe("values.check, files", function()
  local spec = { type = "file" }

  it("takes a path, or content with a name", function()
    accepted("a.jsonl", spec)
    accepted({ content = "x", filename = "a.jsonl" }, spec)
    accepted({ path = "a.txt", filename = "a.jsonl", type = "text/plain" }, spec)
  end)

  it("refuses anything else", function()
    refused("", spec, "empty")
    refused(5, spec, "a path, or")
    refused({ filename = "a" }, spec, "either content or path")
    refused({ content = "a", path = "b" }, spec, "either content or path")
    refused({ contents = "a" }, spec, "did you mean 'content'")
    refused({ content = 5 }, spec, "x%.content must be a string")
  end)
end)
