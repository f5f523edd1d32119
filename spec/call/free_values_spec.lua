-- What a caller may put into queries and headers that no definition describes, and what is refused by
-- its name.

local batchapi = require("batchapi")
local loopback = require("support.loopback")
local program = require("support.program")
local wire_values = require("batchapi.check.wire_values")
local url = require("batchapi.util.url")

local whole = math.type ~= nil
local server, client

setup(function()
  server = loopback.start()
  client = assert(batchapi.client({ name = "echo", base_url = "http://loopback", operations = {} },
    { unix_socket = server.socket }))
end)

teardown(function()
  client:close()
  assert.equal("", server:stop())
end)

local function query(given)
  return url.query(wire_values.query(given))
end

-- Raises at this file's line; nothing is sent.
local function refused(given, message)
  local sent = client:stats().requests
  local ok, why = pcall(function()
    client:request(given)
  end)
  assert.is_false(ok, message)
  assert.matches("free_values_spec.lua:%d+: ", why)
  assert.matches(message, why, 1, true)
  assert.equal(sent, client:stats().requests)
end


describe("a free query", function()
  it("is written so that it reads back equal", function()
    assert.equal("a=1&b=1.5&c=true&d=x%20y%2F%C3%A9&e=0.1&f=1e%2B300&g=-3", query{
      a = 1, b = 1.5, c = true, d = "x y/é", e = 0.1, f = "1e+300", g = -3 })
    assert.equal("list=1%2Ca%2C2.5", query{ list = { 1, "a", 2.5 } })
    assert.equal("", query{ list = {} })
    assert.equal("a=9007199254740992", query{ a = 2 ^ 53 })
    assert.equal("a=b", query(setmetatable({}, { __pairs = function() return next, { a = "b" }, nil end })))
  end)

  it("holds integers of 64 bits where Lua, or LuaJIT's ffi, has them", function()
    if whole then
      assert.equal("a=9007199254740993&b=-9223372036854775808", query{ a = 9007199254740992 + 1, b = math.mininteger })
    elseif rawget(_G, "jit") then
      assert.equal("a=9007199254740993", query{ a = require("ffi").new("int64_t", 2 ^ 53) + 1 })
    end
  end)

  it("refuses by name what has no form", function()
    for message, given in pairs{
      ["query.a must be a finite number, got"] = { a = 0 / 0 }, ["query.b must be a finite number"] = { b = 1 / 0 },
      ["query.c must be a string, a number or a boolean, got a function"] = { c = print },
      ["query.d has a table in it, with the key 'x'"] = { d = { x = 1 } },
      ["query.e[2] must be a string, a number or a boolean, got a table"] = { e = { 1, {} } },
      ["query.f is an array with holes (no [2])"] = { f = { 1, nil, 3 } },
      ["query.g must be a string, a number or a boolean, got a userdata"] = { g = io.stdout },
      ["query.h must be a string, a number or a boolean, got null"] = { h = batchapi.null },
      ["query.i is 1e+20, and beyond 2^53"] = { i = 1e20 },
      ["query must have names for keys, got 1"] = { "a" },
    } do
      refused({ path = "/echo", query = given }, message)
    end
  end)
end)


describe("a free request's headers", function()
  it("may be numbers", function()
    assert.same({ ["X-A"] = "1", ["X-B"] = "0.5", ["X-C"] = "c" },
      wire_values.headers({ ["X-A"] = 1, ["X-B"] = 0.5, ["X-C"] = "c" }, "headers"))
    local _, _, response = client:request{ method = "POST", path = "/echo", body = "x", headers = { ["X-Sent"] = 12 } }
    assert.equal("12, twice", response.headers["x-seen"])
  end)

  it("are refused by name where they frame the request, or are no text", function()
    for _, name in ipairs{ "Content-Length", "host", "Transfer-Encoding", "Connection", "Expect", "TE", "Upgrade",
      "Trailer" } do
      refused({ path = "/echo", headers = { [name] = "1" } }, "request: headers: " .. name .. " is made from what is sent")
      assert.error_matches(function()
        batchapi.openai{ api_key = "k", headers = { [name] = "1" } }
      end, "option headers: " .. name:gsub("%-", "%%-") .. " is made from what is sent")
    end
    for message, headers in pairs{
      ["X-A must be a string of one line"] = { ["X-A"] = "a\r\nb: c" },
      ["X-B must be a finite number"] = { ["X-B"] = 0 / 0 },
      ["X-C must be a string of one line, got a table"] = { ["X-C"] = {} }, ["'a b' is no header name"] = { ["a b"] = "c" },
      ["X-D must be a string of one line, got true"] = { ["X-D"] = true }, ["'1' is no header name"] = { "a" },
    } do
      refused({ path = "/echo", headers = headers }, message)
    end
  end)
end)


describe("a host's locale with a decimal comma", function()
  local said

  setup(function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute(("mkdir %s && localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8"):format(folder, folder)))
    said = program.said([[
      local core = require("batchapi.core")
      local response = require("batchapi.call.response")
      local url = require("batchapi.util.url")
      assert(os.setlocale("de_DE.UTF-8") and (tostring(1.5) == "1,5" or jit), "no comma")
      print(url.scalar(1.5), url.scalar(1e-7), core.encode{ 0.1, 1e300 }, core.decode("1.5") == 3 / 2)
      print(response.reset_seconds("2.5") * 2, response.reset_seconds("1m0.5s") * 2, response.reset_seconds("250.0ms") * 4)
      local of = response.of({ response = { limit = { "l" }, remaining = { "r" } } },
        { status = 200, headers = { l = "10", r = "7.5" } }).ratelimit
      print(of.limit, of.remaining * 2)
    ]], "env LOCPATH=" .. folder)
    os.execute("rm -r " .. folder)
  end)

  it("changes no number that is written or read", function()
    said = said:gsub("%.0%f[%D]", "")
    assert.equal("1.5\t1e-07\t[0.1,1e+300]\ttrue\n5\t121\t1\n10\t15\n", (said:gsub(",0%f[%D]", "")))
  end)
end)
