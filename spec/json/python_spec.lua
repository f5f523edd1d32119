-- runs on: lua5.4
-- The same documents are taken and refused as by Python's json, and mean the same: documents made at random, and
-- what becomes of them when bytes are changed. JSON_DOCUMENTS says how many; `make test-all` has more.

local core = require("batchapi.core")

local COUNT = tonumber(os.getenv("JSON_DOCUMENTS")) or 4000
local python = os.getenv("BATCHAPI_PYTHON") or "python3"

local draw = (function()
  local state = 20240229
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 2147483648 * n) + 1
  end
end)()


local function one_of(list)
  return list[draw(#list)]
end

local NUMBERS = { "0", "-0", "1", "-1", "9007199254740993", "9223372036854775807", "9223372036854775808",
  "-9223372036854775808", "1e5", "1E+5", "1e-5", "0.1", "1.7976931348623157e308", "5e-324",
  "1e400", "123456789012345678901234567890", "01", "1.", ".5",
  "-", "1e", "0x1", "+1", "NaN", "Infinity", "1.0", "-0.0", "0.30000000000000004" }
local PIECES = { "a", "Ü", "日本", "🙂", "\\n", "\\u0041", "\\ud83d\\ude42", "\\ud800", "\\\\",
  "\\\"", "\\/", "\\x", "\\u12", "\1",
  "\127", "\255", "\226\130", "\237\160\128", " ", "{", "]", "\\u0000", "\t", "\194\128" }
local BYTES = { "{", "}", "[", "]", ",", ":", '"', "\\", "0", "e", "-", " ", "\n", "\0", "\255", "t", "null",
  "\239\187\191", "//", "'" }


local function text()
  local parts = {}
  for i = 1, draw(4) - 1 do
    parts[i] = one_of(PIECES)
  end
  return '"' .. table.concat(parts) .. '"'
end


local function value(depth)
  local kind = draw(depth > 0 and 8 or 5)
  if kind == 1 then
    return one_of{ "true", "false", "null" }
  elseif kind <= 3 then
    return one_of(NUMBERS)
  elseif kind <= 5 then
    return text()
  end
  local parts = {}
  for i = 1, draw(4) - 1 do
    parts[i] = (kind == 6 and "" or text() .. one_of{ ":", " : " }) .. value(depth - 1)
  end
  local inner = table.concat(parts, one_of{ ",", ", ", ",\n" })
  return kind == 6 and "[" .. inner .. "]" or "{" .. inner .. "}"
end


-- Half of the documents are left as they are.
local function harmed(document)
  local how, at = draw(6), draw(#document + 1)
  if how == 1 then
    return document:sub(1, at - 1)
  elseif how == 2 then
    return document:sub(1, at - 1) .. one_of(BYTES) .. document:sub(at)
  elseif how == 3 then
    return document:sub(1, at - 1) .. one_of(BYTES) .. document:sub(at + 1)
  end
  return document
end


local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end


describe("a JSON document", function()
  it("means what it means to Python", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    for _ = 1, COUNT do
      local document = harmed(value(4))
      local read = document ~= "" and core.decode(document)
      local written = read ~= nil and read ~= false and core.encode(read) or nil
      if read == false and document ~= "" and document:match("^%s*false%s*$") then
        written = "false"
      end
      file:write(document == "" and "20" or hex(document), " ", written and hex(written) or "-", "\n")
    end
    file:close()
    local pipe = assert(io.popen(("%s spec/json/python.py %s 2>&1"):format(python, path)))
    local said = pipe:read("*a")
    pipe:close()
    os.remove(path)
    assert.is_nil(said:find("differs", 1, true), said:sub(1, 2000))
    assert.is_nil(said:find("failed", 1, true), said:sub(1, 2000))
    assert.is_true(tonumber(said:match("both took (%d+)")) > COUNT / 5, said)
  end)
end)
