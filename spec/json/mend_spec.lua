--- core.mend: what was paid for is read although it is not quite JSON.

local core = require("batchapi.core")


-- Numbers that JSON does not have become words, as lenient.py writes them.
local function in_words(value)
  if type(value) == "table" then
    for key, element in pairs(value) do
      value[key] = in_words(element)
    end
  elseif type(value) == "number" and (value ~= value or value == math.huge or value == -math.huge) then
    return "number " .. (value ~= value and "nan" or value > 0 and "inf" or "-inf")
  end
  return value
end


describe("core.mend", function()

  it("reads what the strict reader refuses, and says what and where", function()
    assert.is_nil((core.decode('{"a":"\\ud83d"}')))
    local value, repaired = core.mend('{"a":"x \\ud83d y","b":"caf\233","c":"\1"}')
    assert.same({ a = "x \239\191\189 y", b = "caf\233", c = "\1" }, value)
    assert.equal("half of a surrogate pair became U+FFFD at byte 9; a raw control character was kept at byte 35; "
      .. "a byte that is not UTF-8 was kept at byte 27", repaired)
  end)


  it("gives NaN and the infinities as numbers", function()
    local value = core.mend("[NaN,Infinity,-Infinity,1e999]")
    assert.is_true(value[1] ~= value[1])
    assert.same({ math.huge, -math.huge, math.huge }, { value[2], value[3], value[4] })
  end)


  it("skips a byte order mark", function()
    local value, repaired = core.mend('\239\187\191{"a":1}')
    assert.same({ a = 1 }, value)
    assert.equal("a byte order mark was skipped at byte 1", repaired)
  end)


  it("says nothing of a text that is right", function()
    local value, repaired = core.mend('{"a":[1,null]}', { null = "keep" })
    assert.same({ a = { 1, core.null } }, value)
    assert.is_nil(repaired)
  end)


  it("still refuses what is cut, with the byte", function()
    local value, why, err = core.mend('{"a":"\1')
    assert.is_nil(value)
    assert.equal("not valid JSON: a string without its closing quote at byte 8", why)
    assert.equal(8, err.offset)
  end)


  it("refuses options that it does not know", function()
    assert.has_error(function()
      core.mend("1", { strict = true })
    end)
  end)


  it("reads as Python's lenient json does", function()
    if not os.execute("python3 -c 1 2>/dev/null") then
      return pending("there is no python3")
    end
    local pipe = assert(io.popen("python3 spec/json/lenient.py", "r"))
    local count, refused = 0, 0
    for line in pipe:lines() do
      local text, expected = line:match("^(%x*) (.*)$")
      text = text:gsub("%x%x", function(byte)
        return string.char(tonumber(byte, 16))
      end)
      local value = core.mend(text, { null = "keep" })
      count = count + 1
      if expected == "refused" then
        refused = refused + 1
        assert.is_nil(value, text)
      else
        assert.same(core.decode(expected, { null = "keep" }), in_words(value), text)
      end
    end
    pipe:close()
    assert.equal(4000, count)
    assert.is_true(refused > 500 and refused < 3000, refused)
  end)

end)
