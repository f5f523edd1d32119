local definition = require("batchapi.definition")
local merge = require("batchapi.definition.extends")

-- A small whole definition; `change` is merged over it.
local function described(change)
  local made = {
    name = "mini", base_url = "https://example.org/v1",
    operations = {
      { name = "list_things", method = "GET", path = "/things",
        query = { { "after", "string" }, { "limit", "integer", min = 1 } },
        page = { items = "data", query = "after", from = "last_item", field = "id", size = "limit" } },
      { name = "get_thing", method = "GET", path = "/things/{id}" },
    },
  }
  for word, value in pairs(change or {}) do
    made[word] = value
  end
  return made
end

local function refused(change, pattern)
  local ok, message = pcall(definition.load, described(change))
  assert.is_false(ok)
  assert.matches(pattern, message)
end

local function one(operation)
  operation.name = operation.name or "op"
  operation.method = operation.method or "GET"
  operation.path = operation.path or "/x"
  return { operations = { operation } }
end

describe("definition.load", function()
  it("takes every definition that is shipped", function()
    for _, name in ipairs(merge.names) do
      local compiled = definition.load(name)
      assert.equal(name, compiled.name)
      assert.is_true(#compiled.operations > 0)
    end
  end)

  it("compiles a definition once and leaves it alone", function()
    local mine = described()
    local first = definition.load(mine)
    assert.equal(first, definition.load(mine))
    assert.same(described(), mine)
  end)

  it("describes path parameters that are not described", function()
    local parameter = definition.load(described()).by_name.get_thing.parameters[1]
    assert.equal("id", parameter.name)
    assert.equal("string", parameter.type)
    assert.equal(1, parameter.min_length)
  end)

  it("takes what may be repeated from the method", function()
    local compiled = definition.load(described{ operations = {
      { name = "a", method = "GET", path = "/" }, { name = "b", method = "PUT", path = "/" },
      { name = "c", method = "POST", path = "/" },
      { name = "d", method = "POST", path = "/", repeats = "idempotent" },
    } })
    local found = {}
    for i, operation in ipairs(compiled.operations) do
      found[i] = operation.repeats
    end
    assert.same({ "safe", "idempotent", "never_sent", "idempotent" }, found)
  end)

  it("raises at the caller's line", function()
    local ok, message = pcall(function()
      definition.load{}
    end)
    assert.is_false(ok)
    assert.matches("definition_spec%.lua:%d+: definition", message)
  end)

  it("names the word that is not known, its place and the nearest", function()
    refused({ autth = {} }, "'autth' is not a word of a definition here %(definition%); did you mean 'auth'")
    refused(one{ sumary = "x" }, "operations%[1%]: 'sumary' .* did you mean 'summary'")
    refused(one{ query = { { "a", "string", maxlength = 3 } } }, "operations%[1%]%.query%[1%]: 'maxlength'")
    refused({ wait = { operation = "get_thing", status = "s", don = {} } }, "wait: 'don'")
  end)

  it("names the word that is missing", function()
    local ok, message = pcall(definition.load, { name = "x", operations = {} })
    assert.is_false(ok)
    assert.matches("the word 'base_url' is missing", message)
    refused({ operations = { { name = "x", method = "GET" } } }, "operations%[1%]: the word 'path' is missing")
  end)

  it("names a word whose value is of the wrong kind", function()
    refused({ title = 5 }, "title: must be a string, got a number")
    refused(one{ method = "FETCH" }, "operations%[1%]%.method: must be one of .*, got 'FETCH'")
    refused(one{ query = { { "a", "strin" } } }, "query%[1%]%.type: .* did you mean 'string'")
    refused({ headers = { "x" } }, "headers: must have names for keys")
    refused({ operations = { a = {} } }, "operations: must be an array")
  end)

  it("refuses facets that say nothing about the type", function()
    refused(one{ query = { { "a", "string", min = 1 } } }, "'min' says nothing about a value of type string")
    refused(one{ method = "POST", body = { type = "object", closed = true } }, "'closed' needs 'fields'")
  end)

  it("refuses paths and parameters that do not belong together", function()
    refused(one{ path = "things" }, "path: must begin with '/'")
    refused(one{ path = "/a/{b}", parameters = { { "c", "string" } } }, "'{c}' does not stand in the path")
    refused(one{ path = "/a/{b}", parameters = { { "b", "array" } } }, "its type must be string or integer")
    refused(one{ query = { { "a" }, { "a" } } }, "query%[2%]: 'a' stands twice")
  end)

  it("refuses pages, waits and weights that point nowhere", function()
    refused(one{ page = { items = "d", query = "after", from = "last_item", field = "id" } },
      "page%.query: the operation has no query parameter 'after'")
    refused(one{ query = { { "a" } }, page = { items = "d", query = "a", from = "last_item" } },
      "from = 'last_item' needs 'field'")
    refused({ wait = { operation = "get_thin", status = "s", done = { "d" } } },
      "wait%.operation: there is no operation 'get_thin'; did you mean 'get_thing'")
    refused({ wait = { operation = "list_things", status = "s", done = { "d" } } }, "no path parameter")
    refused(one{ weights = { { limit = "read", weight = 1 } } }, "the service has no limit 'read'")
  end)

  it("refuses ways to authenticate that lack what they need", function()
    refused({ auth = { { kind = "basic", option = "key" } } }, "auth%[1%]: kind = 'basic' needs 'user_option'")
    refused({ auth = { { kind = "header", option = "key" } } }, "needs 'header'")
    refused({ auth = { { kind = "magic", option = "key" } } }, "auth%[1%]%.kind")
  end)

  it("refuses an option whose value goes nowhere", function()
    refused({ options = { { "region", "string" } } }, "options%[1%]: 'region' goes nowhere")
    assert.truthy(definition.load(described{
      base_url = "https://{region}.example.org", options = { { "region", "string" } },
    }))
  end)

  it("refuses bytes that are no file, and a file that is not sent as it is", function()
    refused(one{ method = "PUT", content = "bytes", body = { type = "object", fields = {} } }, "must be 'file'")
    refused(one{ method = "PUT", body = { "data", "file" } }, "must be 'bytes' where the body is a file")
    refused(one{ path = "a/{b}" }, "must begin with '/', or be '{%+name}'")
  end)

  it("refuses two operations of one name, and names that are none", function()
    refused({ operations = { { name = "a", method = "GET", path = "/" }, { name = "a", method = "GET", path = "/" } } },
      "operations%[2%]%.name: 'a' stands twice")
    refused(one{ name = "a-b" }, "'a%-b' is no name for a method")
    local ok, message = pcall(require("batchapi").client, described(one{ name = "close" }))
    assert.is_false(ok)
    assert.matches("'close' is a method of every client", message)
  end)

  it("refuses a file outside a multipart body", function()
    refused(one{ method = "POST", body = { type = "object", fields = { { "f", "file" } } } },
      "a file needs content = 'multipart'")
  end)
end)

describe("extends", function()
  it("merges headers and operations by name, and replaces the rest", function()
    local compiled = definition.load{
      extends = described{ headers = { a = "1", b = "1" }, auth = { { kind = "bearer", option = "k" } } },
      name = "other", headers = { b = "2" }, auth = "none",
      operations = {
        { name = "get_thing", path = "/items/{id}" },
        { name = "list_things", remove = true },
        { name = "new_thing", method = "POST", path = "/things" },
      },
    }
    assert.same({ a = "1", b = "2" }, compiled.headers)
    assert.same({}, compiled.auth)
    assert.equal("/items/{id}", compiled.by_name.get_thing.path)
    assert.equal("GET", compiled.by_name.get_thing.method)
    assert.is_nil(compiled.by_name.list_things)
    assert.truthy(compiled.by_name.new_thing)
  end)

  it("takes the name of a definition that is shipped", function()
    local compiled = definition.load{ extends = "openai", name = "clone", base_url = "https://example.org" }
    assert.equal(18, #compiled.operations)
    local ok, message = pcall(definition.load, { extends = "opnai", name = "clone" })
    assert.is_false(ok)
    assert.matches("no definition 'opnai' is shipped; did you mean 'openai'", message)
  end)
end)
