-- luacheck: std max+busted
local core = require("batchapi.core")
local program = require("support.program")

local null, array_mt = core.null, core.array_mt
local has_integers = math.type ~= nil


local function array(items)
  return setmetatable(items, array_mt)
end


local function fixtures(kind)
  local names = {}
  local list = assert(io.popen("ls spec/fixtures/json"))
  for name in list:lines() do
    if name:sub(1, #kind + 1) == kind .. "_" then
      names[#names + 1] = name
    end
  end
  list:close()
  return names
end


local function content(name)
  local file = assert(io.open("spec/fixtures/json/" .. name, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end


local function decode(text, options)
  local value, message, err = core.decode(text, options)
  assert(value ~= nil, message)
  assert.is_nil(err)
  return value
end


local function encode(value, options)
  return assert(core.encode(value, options))
end


describe("decode", function()
  it("takes every document of RFC 8259", function()
    local names = fixtures("pass")
    assert.is_true(#names >= 100)
    for _, name in ipairs(names) do
      local value, message = core.decode(content(name))
      assert(value ~= nil, name .. ": " .. tostring(message))
    end
  end)

  it("refuses every text that is none, and says where", function()
    local names = fixtures("fail")
    assert.is_true(#names >= 200)
    for _, name in ipairs(names) do
      local bytes = content(name)
      local value, message, err = core.decode(bytes)
      assert.is_nil(value, name)
      assert.matches("^not valid JSON: ", message, nil, nil, name)
      assert.equal("decode", err.kind, name)
      assert.is_true(err.offset >= 1 and err.offset <= #bytes + 1, name)
    end
  end)

  it("decides the open cases one way: no text that cannot be given on is taken", function()
    local taken = {
      number_double_huge_neg_exp = true, number_real_underflow = true,
      number_too_big_neg_int = true, number_too_big_pos_int = true,
      number_very_big_negative_int = true, structure_500_nested_arrays = true,
    }
    local names = fixtures("either")
    assert.is_true(#names >= 35)
    for _, name in ipairs(names) do
      local expected = taken[name:match("^either_(.*)%.json$")] or false
      assert.equal(expected, core.decode(content(name)) ~= nil, name)
    end
  end)

  it("leaves null out of objects, keeps it in arrays and alone", function()
    local value = decode('{"a":null,"b":[null,1,null],"c":{"d":null}}')
    assert.is_nil(value.a)
    assert.equal(null, value.b[1])
    assert.equal(null, value.b[3])
    assert.equal(3, #value.b)
    assert.is_nil(next(value.c))
    assert.equal(null, decode("null"))
  end)

  it("keeps null everywhere when asked", function()
    local value = decode('{"a":null}', { null = "keep" })
    assert.equal(null, value.a)
    assert.is_nil(decode('{"a":null}', { null = "absent" }).a)
  end)

  it("gives the null of lua-cjson", function()
    assert.equal(require("cjson").null, null)
    assert.is_truthy(null)
  end)

  it("takes the last of repeated keys, also when that is null", function()
    assert.equal(2, decode('{"a":1,"a":2}').a)
    assert.is_nil(decode('{"a":1,"a":null}').a)
    assert.equal(1, decode('{"a":null,"a":1}').a)
    for _, key in ipairs{ "a", "\\n", "", ("k"):rep(41), "\\u00e9" } do -- known, and of the kinds that are not
      local text = ('{"%s":1,"b":2,"%s":null}'):format(key, key)
      for _ = 1, 3 do
        assert.same({ b = 2 }, decode(text))
      end
    end
  end)

  it("takes what is like the last document and what is not alike", function()
    local texts = {
      '{"id":"a1","role":"user","n":{"id":1,"role":2}}', '{"role":"user","id":"a2","n":{"role":2,"id":1}}',
      '{"id":"a3","n":{"role":2}}', '{ "id" : "a4" , "role"\n:"user" }', '{"\\u0069d":"a5","r\\u006fle":"user"}',
      '{"id2":"a6","rol":"use","i":1,"rolerole":"users"}', '{"id":"a7","role":"assistant"}',
      '{"id":"a8","role":["user",{"role":"user"}]}', '{"id":"a9","role":null}', '{"id":"a9","role":null,"role":"user"}',
    }
    local expected = {
      { id = "a1", role = "user", n = { id = 1, role = 2 } }, { role = "user", id = "a2", n = { role = 2, id = 1 } },
      { id = "a3", n = { role = 2 } }, { id = "a4", role = "user" }, { id = "a5", role = "user" },
      { id2 = "a6", rol = "use", i = 1, rolerole = "users" }, { id = "a7", role = "assistant" },
      { id = "a8", role = { "user", { role = "user" } } }, { id = "a9" }, { id = "a9", role = "user" },
    }
    for before = 1, #texts do
      for after = 1, #texts do
        for _, i in ipairs{ before, before, before, after, before, after, after } do
          assert.same(expected[i], decode(texts[i]))
        end
      end
    end
  end)

  it("gives each value its own text, however like the last ones it is", function()
    local values = { "stop", "stop", "stop", "abcd1efgh", "abcd2efgh", "abcd2efgh", "abcd1efgh", "stop", "sto", "sto",
      "stop", "", ("v"):rep(40), ("v"):rep(40), ("v"):rep(41), ("v"):rep(41), ("v"):rep(40), "a\nbcd", "a\nbcd", "a\nbcd" }
    for _, value in ipairs(values) do
      local text = '{"finish_reason":"' .. value:gsub("\n", "\\n") .. '"}'
      assert.same({ finish_reason = value }, decode(text))
      collectgarbage()
    end
  end)

  it("refuses the beginning of what it has just read, at every byte", function()
    local text = '{"id":"abcd","object":{"created":1760000000,"model":"gpt"},"choices":[{"index":0}]}'
    for length = 1, #text - 1 do
      assert(decode(text))
      local value, message, err = core.decode(text:sub(1, length))
      assert.is_nil(value, message)
      assert.equal("decode", err.kind)
    end
  end)

  it("keeps apart more keys and values than it remembers", function()
    for round = 1, 3 do
      local parts, expected = {}, {}
      for i = 1, 1000 do
        local key, value = "key" .. i, "value of " .. (i + round % 2)
        parts[i] = ('"%s":"%s"'):format(key, value)
        expected[key] = value
      end
      assert.same(expected, decode("{" .. table.concat(parts, ",") .. "}"))
    end
  end)

  it("marks arrays, and objects not", function()
    local value = decode('{"a":[],"o":{}}')
    assert.equal(array_mt, getmetatable(value.a))
    assert.is_nil(getmetatable(value.o))
    assert.is_nil(getmetatable(value))
  end)

  it("reads whole numbers exactly", function()
    assert.equal(9007199254740992, decode("9007199254740992"))
    assert.equal(-9007199254740992, decode("-9007199254740992"))
    if has_integers then
      assert.equal("9007199254740993", tostring(decode("9007199254740993")))
      assert.equal(math.maxinteger, decode("9223372036854775807"))
      assert.equal(math.mininteger, decode("-9223372036854775808"))
      assert.equal("integer", math.type(decode("9223372036854775807")))
      assert.equal("float", math.type(decode("9223372036854775808")))
      assert.equal("float", math.type(decode("1.0")))
      assert.equal("float", math.type(decode("1e2")))
    end
    assert.equal(2 ^ 63, decode("9223372036854775808"))
    assert.equal(2 ^ 64, decode("18446744073709551616"))
  end)

  it("reads the nearest double, ties to even", function()
    assert.equal(0.1, decode("0.1"))
    assert.equal(2 ^ 53, decode("9007199254740993.0"))
    assert.equal(2 ^ 53 + 4, decode("9007199254740995.0"))
    assert.equal(2 ^ -1074, decode("4.9406564584124654e-324"))
    assert.equal(0, decode("1e-400"))
    assert.equal(1.7976931348623157e308, decode("1.7976931348623157e308"))
    assert.equal(1e22, decode("1e22"))
    assert.equal(1e23, decode("1e23"))
    assert.equal(0.1, decode("0.1000000000000000055511151231257827021181583404541015625"))
    assert.equal(1, decode("1" .. ("0"):rep(300) .. "e-300"))
  end)

  it("keeps the sign of minus zero", function()
    assert.equal(-math.huge, 1 / decode("-0"))
    assert.equal(-math.huge, 1 / decode("-0.0"))
  end)

  it("refuses a number beyond the range of a double", function()
    local value, message, err = core.decode("[1e309]")
    assert.is_nil(value)
    assert.matches("range", message)
    assert.equal("range", err.code)
    assert.equal(2, err.offset)
  end)

  it("turns escapes into UTF-8", function()
    assert.equal("\"\\/\8\12\10\13\9", decode([["\"\\\/\b\f\n\r\t"]]))
    assert.equal("\195\169\226\130\172\240\159\152\128", decode([["\u00e9\u20AC\uD83D\uDe00"]]))
    assert.equal("a\0b", decode([["a\u0000b"]]))
    assert.equal(("x"):rep(40) .. "\n" .. ("y"):rep(40) .. "\n",
      decode('"' .. ("x"):rep(40) .. "\\n" .. ("y"):rep(40) .. '\\n"'))
  end)

  it("finds the special byte at every place of a string", function()
    for length = 0, 70 do
      local head = ("a"):rep(length)
      assert.equal(head, decode('"' .. head .. '"'))
      assert.equal(head .. "\n" .. head, decode('"' .. head .. "\\n" .. head .. '"'))
      assert.equal(head .. "\195\188" .. head, decode('"' .. head .. "\195\188" .. head .. '"'))
      assert.is_nil(core.decode('"' .. head .. "\1" .. head .. '"'))
      assert.is_nil(core.decode('"' .. head .. "\128" .. head .. '"'))
      assert.is_nil(core.decode('"' .. head))
      assert.is_nil(core.decode('"' .. head .. "\\"))
    end
  end)

  it("bounds the depth", function()
    assert.is_table(decode(("["):rep(512) .. ("]"):rep(512)))
    local value, message, err = core.decode(("["):rep(513) .. ("]"):rep(513))
    assert.is_nil(value)
    assert.equal("depth", err.code)
    assert.matches("512 levels", message)
    assert.is_nil(core.decode("[[[]]]", { max_depth = 2 }))
    assert.is_table(decode("[[[]]]", { max_depth = 3 }))
    assert.is_table(decode(("["):rep(1000) .. ("]"):rep(1000), { max_depth = 1000 }))
  end)

  it("raises for what is not a text or not an option", function()
    assert.has_error(function() core.decode(12) end)
    assert.has_error(function() core.decode() end)
    assert.error_matches(function() core.decode("1", { max_dept = 1 }) end, "unknown option 'max_dept'")
    assert.error_matches(function() core.decode("1", { sort_keys = true }) end, "unknown option")
    assert.error_matches(function() core.decode("1", { max_depth = 0 }) end, "between 1 and 1000")
    assert.error_matches(function() core.decode("1", { max_depth = "9" }) end, "max_depth")
    assert.error_matches(function() core.decode("1", { null = true }) end, "null must be")
  end)
end)


describe("encode", function()
  it("writes each type", function()
    assert.equal("true", encode(true))
    assert.equal("false", encode(false))
    assert.equal("null", encode(null))
    assert.equal('"a"', encode("a"))
    assert.equal("[1,2]", encode({ 1, 2 }))
    assert.equal('{"a":1}', encode({ a = 1 }))
    assert.equal("[null,null]", encode({ null, null }))
  end)

  it("tells an empty array from an empty object by its mark", function()
    assert.equal("{}", encode({}))
    assert.equal("[]", encode(array({})))
    assert.equal('[[],{},[[]]]', encode(decode("[[],{},[[]]]")))
  end)

  it("gives back every array that was decoded, also when it was emptied", function()
    local value = decode('{"a":[1]}')
    value.a[1] = nil
    assert.equal('{"a":[]}', encode(value))
  end)

  it("writes numbers so that they read back equal", function()
    local numbers = {
      0, 1, -1, 0.1, 1 / 3, 2 / 3, 123456.789, 1e-7, 1e-5, 0.00001234, 1e15, 1e16, 1e21, 1e22, 1e23,
      1e300, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2 ^ 53, 2 ^ 53 + 2, 2 ^ 63,
      -2 ^ 63, 2 ^ 64, 0.1234567890123456, 1234567890.1234567, 4.35, 0.3, 100, 1e2, 9007199254740991,
      123456789012345680000, 0.1 + 0.2,
    }
    for _, number in ipairs(numbers) do
      local text = encode(number)
      assert.equal(number, decode(text), text)
      assert.equal(-number, decode(encode(-number)))
    end
    assert.equal("0.3", encode(0.3))
    assert.equal("0.30000000000000004", encode(0.1 + 0.2))
    assert.equal("100", encode(1e2))
    assert.equal("9007199254740992", encode(2 ^ 53))
    assert.equal("-0.0", encode(-1 / math.huge))
    assert.equal(-math.huge, 1 / decode("-0.0"))
    if has_integers then
      assert.equal("9007199254740993", encode(9007199254740993))
      assert.equal("9223372036854775807", encode(math.maxinteger))
      assert.equal("-9223372036854775808", encode(math.mininteger))
      assert.equal("0", encode(0))
    end
  end)

  it("reads back 20,000 random doubles", function()
    local seed = 42
    local function bits(limit)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return math.floor(seed / 2147483648 * limit)
    end
    for _ = 1, 20000 do
      local mantissa = 1 + bits(2 ^ 26) / 2 ^ 26 + bits(2 ^ 26) / 2 ^ 52
      local number = mantissa * 2 ^ (bits(2040) - 1020)
      local text = encode(number)
      if decode(text) ~= number then
        error(("%s reads back as %.17g, not %.17g"):format(text, decode(text), number))
      end
    end
  end)

  it("refuses nan and infinity, with the path", function()
    local text, message, err = core.encode({ messages = { 1, { content = 0 / 0 } } })
    assert.is_nil(text)
    assert.equal("cannot encode messages[2].content: nan has no form in JSON", message)
    assert.equal("invalid", err.kind)
    assert.equal("number", err.code)
    assert.matches("infinity", select(2, core.encode(math.huge)))
    assert.matches("infinity", select(2, core.encode({ -math.huge })))
  end)

  it("refuses text that is not UTF-8, with the path", function()
    for _, bad in ipairs({ "\255", "\128", "\195", "\192\175", "\237\160\128", "\244\144\128\128", "\240\159\152" }) do
      local text, message, err = core.encode({ ["a key"] = { "ok", "x" .. bad } })
      assert.is_nil(text)
      assert.equal('cannot encode ["a key"][2]: not valid UTF-8 (byte 2 of the string)', message)
      assert.equal("utf8", err.code)
    end
    local _, message = core.encode({ a = { ["x\255"] = 1 } })
    assert.equal('cannot encode a["x?"]: a key that is not valid UTF-8', message)
  end)

  it("escapes what must be escaped and nothing else", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001f]] .. "\127" .. '"', encode("\"\\/\8\12\10\13\9\0\31\127"))
    assert.equal('"\226\128\168\240\159\152\128"', encode("\226\128\168\240\159\152\128"))
    for length = 0, 70 do
      local head = ("a"):rep(length)
      assert.equal('"' .. head .. "\\n" .. head .. '"', encode(head .. "\n" .. head))
      assert.equal('"' .. head .. "\195\188" .. head .. '"', encode(head .. "\195\188" .. head))
    end
  end)

  it("refuses holes and mixed keys, with the path", function()
    local function reason(value)
      local text, message, err = core.encode({ x = value })
      assert.is_nil(text)
      assert.equal("keys", err.code)
      return (message:gsub("^cannot encode x: ", ""))
    end
    assert.matches("holes %(no %[2%]%)", reason({ [1] = 1, [3] = 3 }))
    assert.matches("holes %(no %[1%]%)", reason({ [2] = 1 }))
    assert.matches("both names and numbers", reason({ 1, 2, n = 2 }))
    assert.matches("both names and numbers", reason({ n = 2, [1] = 1 }))
    assert.matches("a %[0%], which no JSON array has", reason({ [0] = 1 }))
    assert.matches("neither a string nor", reason({ [1.5] = 1 }))
    assert.matches("neither a string nor", reason({ [true] = 1 }))
    assert.matches("marked as an array", reason(array({ n = 1 })))
    assert.matches("both names and numbers", reason(array({ 1, n = 1 })))
  end)

  it("writes arrays whatever order they were built in", function()
    local value = {}
    for i = 100, 1, -1 do
      value[i] = i
    end
    local nested = value
    for _ = 1, 40 do
      nested = { [2] = 2, [1] = nested, [3] = 3 }
    end
    local expected = {}
    for i = 1, 100 do
      expected[i] = i
    end
    assert.equal("[" .. table.concat(expected, ",") .. "]", encode(value))
    assert.equal(("["):rep(41) .. "1,2,3,", encode(nested):sub(1, 47))
    local floats = { [1.0] = "a", [2.0] = "b" }
    assert.equal('["a","b"]', encode(floats))
  end)

  it("refuses what has no form in JSON", function()
    assert.equal("cannot encode f: a function has no form in JSON", select(2, core.encode({ f = print })))
    assert.equal("cannot encode [1]: a thread has no form in JSON",
      select(2, core.encode({ coroutine.create(function() end) })))
    assert.matches("a userdata has no form", select(2, core.encode({ io.stdout })))
    assert.equal("cannot encode the value: a nil has no form in JSON", select(2, core.encode(nil)))
    assert.has_error(function() core.encode() end)
  end)

  it("meets a cycle at the depth's limit", function()
    local value = {}
    value.again = value
    local text, message, err = core.encode(value)
    assert.is_nil(text)
    assert.equal("depth", err.code)
    assert.matches("contain itself", message)
    assert.is_true(#message < 512)
    assert.is_nil(core.encode({ { {} } }, { max_depth = 2 }))
    assert.equal("[[{}]]", encode({ { {} } }, { max_depth = 3 }))
  end)

  it("takes its memory back after a failure", function()
    for _ = 1, 3 do
      assert.is_nil(core.encode({ ("x"):rep(1000), print }))
      assert.equal("[1]", encode({ 1 }))
      assert.is_nil(core.decode('{"a":"\\n'))
      assert.equal("\n", decode('"\\n"'))
    end
  end)

  it("sorts keys when asked, so that the bytes are the same in every process", function()
    local value = { b = 1, a = { z = array({}), y = { 1 }, x = null }, ab = "", ["a\0"] = 0, [""] = true }
    assert.equal('{"":true,"a":{"x":null,"y":[1],"z":[]},"a\\u0000":0,"ab":"","b":1}',
      encode(value, { sort_keys = true }))
    local many, names = {}, {}
    for i = 1, 100 do
      many["k" .. i] = i
      names[i] = "k" .. i
    end
    table.sort(names)
    local expected = {}
    for i, name in ipairs(names) do
      expected[i] = ('"%s":%d'):format(name, many[name])
    end
    assert.equal("{" .. table.concat(expected, ",") .. "}", encode(many, { sort_keys = true }))
    assert.equal("cannot encode b.c[2]: nan has no form in JSON",
      select(2, core.encode({ a = 1, b = { c = { 1, 0 / 0 }, d = 1 } }, { sort_keys = true })))
    assert.matches("both names and numbers", select(2, core.encode({ a = 1, [1] = 2 }, { sort_keys = true })))
  end)

  it("understands the marks of a lua-cjson that has them", function()
    local cjson = require("cjson")
    local kept = { cjson.empty_array, cjson.empty_array_mt, cjson.array_mt }
    local mt, empty_mt = {}, {}
    cjson.array_mt, cjson.empty_array_mt = mt, empty_mt
    local marked, empty = encode(setmetatable({}, mt)), encode(setmetatable({}, empty_mt))
    local object = encode(setmetatable({ a = 1 }, empty_mt))
    local plain = encode(setmetatable({}, {}))
    cjson.empty_array, cjson.empty_array_mt, cjson.array_mt = kept[1], kept[2], kept[3]
    assert.equal("[]", marked)
    assert.equal("[]", empty)
    assert.equal('{"a":1}', object)
    assert.equal("{}", plain)
    if cjson.empty_array then
      assert.equal("[]", encode(cjson.empty_array))
    end
  end)

  it("raises for what is not an option", function()
    assert.error_matches(function() core.encode(1, { sort = true }) end, "unknown option 'sort'")
    assert.error_matches(function() core.encode(1, { null = "keep" }) end, "unknown option 'null'")
    assert.error_matches(function() core.encode(1, { sort_keys = 1 }) end, "true or false")
  end)
end)


describe("a finaliser that encodes and decodes while Lua collects", function()
  it("disturbs nothing", function()
    local function garbage()
      local finalise = function()
        core.decode('{"x":"\\n\\t' .. ("y"):rep(50) .. '","z":[1,2,3]}')
        core.encode({ a = { b = "\n" } }, { sort_keys = true })
      end
      if newproxy then
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = finalise
      else
        setmetatable({}, { __gc = finalise })
      end
    end
    local pause = collectgarbage("setpause", 1)
    local text = '{"a":"\\n' .. ("b"):rep(100) .. '","c":["\\t",{"d":"\\r"}]}'
    for _ = 1, 300 do
      garbage()
      local value = decode(text)
      assert(value.a == "\n" .. ("b"):rep(100) and value.c[1] == "\t" and value.c[2].d == "\r")
      assert(encode(value, { sort_keys = true }) == text)
    end
    collectgarbage("setpause", pause)
  end)

  it("may be the last to speak, when the state closes and the codec is gone already", function()
    assert.equal('{"a":[1,"x\\n"]}\n', program.said([[
      local core = require("batchapi.core")
      local function last_words()
        io.write(core.encode(core.decode('{"a":[1,"x\\n"]}')), "\n")
      end
      local older -- than the codec, so that it is finalised after it
      if newproxy then
        older = newproxy(true)
        getmetatable(older).__gc = last_words
      else
        older = setmetatable({}, { __gc = last_words })
      end
      assert(core.decode('{"a":1}'))
    ]]))
  end)

  it("goes on when the codec's turn comes in the middle of a value, as in Lua 5.1 it can", function()
    assert.equal("right\n", program.said([[
      local core = require("batchapi.core")
      local lines = {}
      for i = 1, 3000 do
        lines[i] = '{"key' .. i % 300 .. '":"line\\n' .. ("x"):rep(300) .. '"}'
      end
      local text = "[" .. table.concat(lines, ",") .. "]"
      lines = nil
      core.decode('{"id":"a"}') -- the codec is older: 5.1 finalises it behind the other
      local younger, metatable
      local function last_words()
        for _ = 1, 6 do
          for i, line in ipairs(core.decode(text)) do
            local value = line["key" .. i % 300]
            if type(value) ~= "string" or #value ~= 305 then
              return print("wrong")
            end
          end
          if core.decode('{"id":"a","key7":"b"}').id ~= "a" then
            return print("wrong")
          end
        end
        print("right")
      end
      if newproxy then
        younger = newproxy(true)
        metatable = getmetatable(younger)
        metatable.__gc = last_words
      else
        younger = setmetatable({}, { __gc = last_words })
      end
      collectgarbage()
      kept = younger
    ]]))
  end)
end)
