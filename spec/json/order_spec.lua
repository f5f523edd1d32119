-- Keys go out in one order: sorted, or the one that batchapi.object() was given.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local json = require("batchapi.json")
local loopback = require("support.loopback")

local server

setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

local function encode(value)
  return assert(core.encode(value))
end

-- A table with these keys, put in in a drawn order.
local function shuffled(keys)
  local list, made = {}, {}
  for i, key in ipairs(keys) do
    table.insert(list, math.random(i), key)
  end
  for _, key in ipairs(list) do
    made[key] = true
  end
  return made
end


describe("an object's keys", function()
  it("go out sorted by their bytes, at every depth", function()
    for _ = 1, 20 do
      local value = shuffled{ "b", "a", "ab", "aaaaaaaab", "aaaaaaaaa", "aaaaaaaa", "Z", "é", "" }
      value.b = shuffled{ "tool_choice", "tools", "temperature", "top_p", "top_logprobs" }
      assert.equal('{"":true,"Z":true,"a":true,"aaaaaaaa":true,"aaaaaaaaa":true,"aaaaaaaab":true,"ab":true,'
        .. '"b":{"temperature":true,"tool_choice":true,"tools":true,"top_logprobs":true,"top_p":true},"é":true}',
        encode(value))
    end
  end)

  it("do so where there are many", function()
    for _, count in ipairs{ 47, 48, 49, 50, 500 } do
      local keys, expected = {}, {}
      for i = 1, count do
        keys[i] = ("key %03d"):format(i)
        expected[i] = ('"key %03d":true'):format(i)
      end
      assert.equal("{" .. table.concat(expected, ",") .. "}", encode(shuffled(keys)))
    end
  end)

  it("may go as they come, where the bytes do not matter", function()
    local value = { a = 1, b = { c = 2 }, d = 3 }
    local text = assert(json.encode(value, { sort_keys = false }))
    assert.same(value, json.decode(text))
  end)

  it("are sorted in direct calls too, so that the same request is the same bytes", function()
    local client = assert(batchapi.client({ name = "echo", base_url = "http://loopback", operations = {} },
      { unix_socket = server.socket }))
    for _ = 1, 5 do
      local answer = assert(client:request{ method = "POST", path = "/echo",
        body = shuffled{ "model", "messages", "max_tokens", "user", "seed", "n" } })
      assert.equal('{"max_tokens":true,"messages":true,"model":true,"n":true,"seed":true,"user":true}', answer)
    end
    client:close()
  end)
end)


describe("batchapi.object", function()
  it("keeps the order it was given", function()
    local value = batchapi.object{ { "type", "text" }, { "text", "hi" }, { "a", batchapi.null } }
    assert.equal('{"type":"text","text":"hi","a":null}', encode(value))
    assert.equal("text", value.type)
    assert.equal('[{"z":1,"a":{"c":1,"b":2}}]',
      encode{ batchapi.object{ { "z", 1 }, { "a", batchapi.object{ { "c", 1 }, { "b", 2 } } } } })
    assert.equal("{}", encode(batchapi.object{}))
  end)

  it("is a table: fields that go are left out, those that come follow, sorted", function()
    local value = batchapi.object{ { "z", 1 }, { "y", 2 } }
    value.z, value.b, value.a = nil, 3, 4
    assert.equal('{"y":2,"a":4,"b":3}', encode(value))
    assert.equal('{"y":2,"a":4,"b":3}', assert(json.encode(value, { sort_keys = false })))
  end)

  it("passes the checks of an operation in its order", function()
    local client = assert(batchapi.client({ name = "echo", base_url = "http://loopback", operations = {
      { name = "say", method = "POST", path = "/echo", answer = "bytes",
        body = { fields = { { "type", required = true }, { "text", required = true }, { "kind", always = "x" } } } },
    } }, { unix_socket = server.socket }))
    assert.equal('{"type":"a","text":"b","more":1,"kind":"x"}',
      client:say(batchapi.object{ { "type", "a" }, { "text", "b" }, { "more", 1 } }))
    client:close()
  end)

  it("refuses what is no list of pairs, at the caller's line", function()
    for wrong, message in pairs{
      [{ a = 1 }] = "got one with the key 'a'", [{ { "a" } }] = "[1] must be { key, value }",
      [{ { 1, 2 } }] = "[1] must be { key, value }", [{ { "a", 1 }, { "a", 2 } }] = "the key 'a' stands twice",
      [{ { "a", 1 }, { 3 } }] = "[2] must be { key, value }", [{ "a", 1 }] = "[1] must be { key, value }",
    } do
      local ok, why = pcall(function()
        batchapi.object(wrong)
      end)
      assert.is_false(ok)
      assert.matches("order_spec.lua:%d+: object: ", why)
      assert.matches(message, why, 1, true)
    end
    assert.has_error(function() batchapi.object(1) end)
  end)
end)
