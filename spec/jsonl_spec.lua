local json = require("batchapi.json")
local jsonl = require("batchapi.jsonl")
local parallel = require("batchapi.host.parallel").parallel

local path


before_each(function()
  path = os.tmpname()
end)


after_each(function()
  os.remove(path)
end)


describe("json", function()
  it("encodes, decodes and marks arrays", function()
    assert.equal('{"a":[],"b":null}', json.encode({ b = json.null, a = json.array() }, { sort_keys = true }))
    assert.same({ 1, 2 }, json.decode("[1,2]"))
    assert.equal(false, json.decode("false"))
  end)

  it("gives the failure triple with an error that can be raised", function()
    local text, why, err = json.encode({ x = 0 / 0 })
    assert.is_nil(text)
    assert.equal("json.encode: cannot encode x: nan has no form in JSON", why)
    assert.equal(why, tostring(err))
    assert.equal("invalid", err.kind)
    local value
    value, why, err = json.decode("[1,")
    assert.is_nil(value)
    assert.matches("^json.decode: not valid JSON", why)
    assert.equal("decode", err.kind)
    assert.equal(4, err.offset)
  end)
end)


describe("jsonl", function()
  local function write(...)
    local writer = assert(jsonl.write(path))
    for _, value in ipairs({ ... }) do
      assert(writer:encode(value))
    end
    assert(writer:close())
  end

  it("reads what it wrote", function()
    write({ a = 1 }, "text", json.array(), false)
    local seen = {}
    local lines = assert(jsonl.read(path))
    while true do
      local value = lines:next()
      if value == nil then
        break
      end
      seen[#seen + 1] = value
    end
    assert.equal(4, #seen)
    assert.equal(1, seen[1].a)
    assert.equal(false, seen[4])
    assert.equal(4, lines:number())
    assert.equal("batchapi.jsonl (" .. path .. ")", tostring(lines))
    assert.is_true(lines:close())
  end)

  it("is a for's iterator that raises the error itself", function()
    local writer = assert(jsonl.write(path))
    writer:write("[1]\nbroken\n[3]\n")
    writer:close()
    local lines, sum = assert(jsonl.read(path)), 0
    local ok, err = pcall(function()
      for value in lines do
        sum = sum + value[1]
      end
    end)
    assert.is_false(ok)
    assert.equal(1, sum)
    assert.equal("decode", err.kind)
    assert.equal(2, err.line)
    assert.matches("line 2: not valid JSON", tostring(err))
    assert.equal(3, lines:next()[1])
    assert.is_nil(lines:next())
  end)

  it("takes the options of decoding", function()
    write({ a = json.null })
    assert.equal(json.null, jsonl.read(path, { null = "keep" }):next().a)
    assert.is_nil(jsonl.read(path):next().a)
    assert.equal("too_large", select(3, jsonl.read(path, { max_line_bytes = 3 }):next()).kind)
    assert.error_matches(function() jsonl.read(path, { nulll = "keep" }) end,
      "jsonl.read has no option 'nulll'; did you mean 'null'?")
  end)

  it("reads beside other coroutines", function()
    write({ 1 }, { 2 })
    local function sum()
      local lines, total = assert(jsonl.read(path)), 0
      local value = lines:next()
      while value do
        total = total + value[1]
        value = lines:next()
      end
      return total
    end
    local one, two = parallel(sum, sum)
    assert.same({ 3, 3 }, { one, two })
  end)

  it("says why a file cannot be opened", function()
    local lines, why, err = jsonl.read("/nonexistent/x")
    assert.is_nil(lines)
    assert.equal("jsonl.read: /nonexistent/x: No such file or directory", why)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.equal("ENOENT", select(3, jsonl.write("/nonexistent/x")).code)
  end)
end)
