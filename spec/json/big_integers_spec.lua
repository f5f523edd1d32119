-- Integers that this Lua's numbers do not hold.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local json = require("batchapi.json")
local loopback = require("support.loopback")

local whole = math.type ~= nil -- 64-bit integers are numbers here
local jit = rawget(_G, "jit")

local samples = { -- text, held by doubles, held by 64-bit integers
  { "9007199254740992", true, true }, { "9007199254740993", false, true }, { "-9007199254740993", false, true },
  { "9223372036854775807", false, true }, { "-9223372036854775808", false, true },
  { "9223372036854775808", false, false }, { "18446744073709551615", false, false },
  { "18446744073709551616", false, false }, { "-9223372036854775809", false, false },
}


describe("big_integers", function()
  it("is a float by default: the nearest number", function()
    for _, sample in ipairs(samples) do
      local text, held = sample[1], whole and sample[3] or sample[2]
      assert.equal("number", type(json.decode(text)))
      if held then
        assert.equal(text, assert(json.encode(json.decode(text))))
      end
    end
  end)

  it("text: the digits, of those only that are not held", function()
    for _, sample in ipairs(samples) do
      local text, held = sample[1], whole and sample[3] or sample[2]
      local value = json.decode('{"id":[' .. text .. ']}', { big_integers = "text" }).id[1]
      assert.equal(held and "number" or "string", type(value))
      if not held then
        assert.equal(text, value)
      end
    end
    assert.same({ 1, 1.5, 1e300, 12345678901234567e3, 0.12345678901234567890, -0.0, 1e-20 }, json.decode(
      "[1,1.5,1e300,12345678901234567e3,0.12345678901234567890,-0,1e-20]", { big_integers = "text" }))
    assert.equal("12345678901234567890123", json.decode(" 12345678901234567890123 ", { big_integers = "text" }))
  end)

  it("cdata: LuaJIT's 64-bit integers, written again as they were", function()
    if not jit then
      assert.error_matches(function() json.decode("1", { big_integers = "cdata" }) end, "for LuaJIT")
      assert.error_matches(function() batchapi.openai{ api_key = "k", big_integers = "cdata" } end, "for LuaJIT")
      return
    end
    for i = 1, 7 do
      local text = samples[i][1]
      local value = json.decode(text, { big_integers = "cdata" })
      assert.equal(samples[i][2] and "number" or "cdata", type(value))
      assert.equal(text, json.encode(value))
    end
    assert.equal("number", type(json.decode("18446744073709551616", { big_integers = "cdata" })))
    assert.equal("number", type(json.decode("-9223372036854775809", { big_integers = "cdata" })))
  end)

  it("refuses another word", function()
    assert.error_matches(function() json.decode("1", { big_integers = "string" }) end, "big_integers must be")
    assert.error_matches(function() json.decode("1", { big_integer = "text" }) end,
      "json.decode has no option 'big_integer'; did you mean 'big_integers'?")
  end)
end)


describe("a client", function()
  it("reads its answers so, and no codec of another's", function()
    local server = loopback.start()
    local definition = { name = "echo", base_url = "http://loopback", operations = {} }
    local client = assert(batchapi.client(definition, { unix_socket = server.socket, big_integers = "text" }))
    local body = '{"id":123456789012345678901}'
    assert.equal(body, client:request{ method = "POST", path = "/echo", body = body }) -- no Content-Type: text
    local answer = client:request{ method = "POST", path = "/json", body = body }
    assert.equal("123456789012345678901", answer.id)
    client:close()
    assert.error_matches(function()
      batchapi.client(definition, { json = require("cjson"), big_integers = "text" })
    end, "big_integers is for the built%-in codec")
    assert.error_matches(function()
      batchapi.client(definition, { json = require("cjson"), max_json_depth = 9 })
    end, "max_json_depth is for the built%-in codec")
    assert.equal("", server:stop())
  end)
end)


if jit then
  describe("LuaJIT's 64-bit integers", function()
    local ffi = require("ffi")
    local big, five = ffi.new("int64_t", 2 ^ 53) + 1, ffi.new("int64_t", 5)

    it("are written with all their digits", function()
      assert.equal('[-9223372036854775808,18446744073709551615,9007199254740993]',
        core.encode{ ffi.new("int64_t", -2 ^ 63), ffi.cast("uint64_t", ffi.cast("int64_t", -1)), big })
      assert.matches("a cdata has no form in JSON", (select(2, core.encode{ ffi.new("int[2]") })))
    end)

    it("fit an operation's integers, with their bounds", function()
      local values = require("batchapi.check.values")
      local spec = { type = "integer", max = 10 }
      assert.equal(five, (values.check(five, spec, "n")))
      assert.matches("n must be at most 10, got 9007199254740993", (select(2, values.check(big, spec, "n"))))
    end)
  end)
end
