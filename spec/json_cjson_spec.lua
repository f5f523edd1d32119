-- luacheck: std max+busted
-- The codec against lua-cjson, on documents made and broken at random (seeded): where both take a
-- text they give the same value, and where only one does it is for a reason that is known.

local cjson = require("cjson")
local core = require("batchapi.core")

local null = core.null
local rounds = os.getenv("BATCHAPI_SLOW") and 300 or 4000

cjson.decode_max_depth(512)


-- ---- a generator that gives the same on every Lua -------------------------------------------------


local state = 20240607


local function random(limit)
  state = (state * 16807) % 2147483647
  return math.floor(state / 2147483647 * limit) + 1
end


local function pick(list)
  return list[random(#list)]
end


local pieces = {
  "a", "word", " ", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\195\169",
  "\226\130\172", "\240\159\152\128", "0123456789abcdef", "{[,:]}", "\\t", "x\\u0000y",
}

-- Those that lua-cjson keeps whole: it reads every number as a double.
local numbers = {
  "0", "-1", "12", "3.25", "1e3", "-2.5E-3", "0.1", "1e-7", "123456789", "9007199254740992",
  "1.7976931348623157e308", "5e-324", "0.30000000000000004", "100000000000000000000", "1E+2", "-0",
}


local function text()
  local parts = {}
  for i = 1, random(4) - 1 do
    parts[i] = pick(pieces)
  end
  return '"' .. table.concat(parts) .. '"'
end


local function space()
  return random(6) == 1 and pick({ " ", "\n", "\t ", "\r\n" }) or ""
end


local function document(depth)
  local kind = random(depth > 5 and 4 or 7)
  if kind == 1 then
    return pick(numbers)
  elseif kind == 2 then
    return pick({ "true", "false", "null" })
  elseif kind <= 4 then
    return text()
  end
  local parts, object = {}, kind > 5
  for i = 1, random(5) - 1 do
    parts[i] = space() .. (object and text() .. space() .. ":" .. space() or "") .. document(depth + 1) .. space()
  end
  local inner = table.concat(parts, ",")
  return object and "{" .. inner .. "}" or "[" .. inner .. "]"
end


local function mutate(bytes)
  for _ = 1, random(3) do
    local at, how = random(#bytes), random(4)
    if how == 1 then
      bytes = bytes:sub(1, at - 1) .. bytes:sub(at + 1)
    elseif how == 2 then
      bytes = bytes:sub(1, at) .. pick({ ",", "]", "}", "[", "{", '"', "\\", ":", "0", "-", ".", "e", " ", "\1", "\255" })
        .. bytes:sub(at + 1)
    elseif how == 3 then
      bytes = bytes:sub(1, at)
    else
      bytes = bytes:sub(1, at - 1) .. string.char(random(256) - 1) .. bytes:sub(at + 1)
    end
    if bytes == "" then
      return " "
    end
  end
  return bytes
end


-- ---- comparing -----------------------------------------------------------------------------------


-- cjson keeps nulls in objects; so do we here. It has floats where we have integers: equal.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end


local function cjson_decode(bytes)
  local ok, value = pcall(cjson.decode, bytes)
  return ok and value
end


-- Why lua-cjson takes what we refuse: it reads with strtod, and does not look at UTF-8.
local known = {
  { "UTF%-8" }, { "leading zero" }, { "%-' without a digit" }, { "%.' without a digit" },
  { "exponent without digits" }, { "range of a double" }, { "control character" },
  { "half of a surrogate" },
  { "found '[xXiInNpP%+%.]'" }, -- hexadecimal, Infinity, NaN, +1, .5
}


local function is_known(message)
  for _, pattern in ipairs(known) do
    if message:find(pattern[1]) then
      return true
    end
  end
  return false
end


local function compare(bytes)
  local value, message = core.decode(bytes, { null = "keep" })
  local theirs = cjson_decode(bytes)
  if value ~= nil and theirs then
    assert(same(value, theirs), "not the same: " .. bytes)
    return "both"
  elseif value ~= nil and value ~= false then
    -- lua-cjson wants an array or object around a document
    assert(type(value) ~= "table", "only we take: " .. bytes)
    return "ours"
  elseif theirs then
    assert(is_known(message), ("only lua-cjson takes (%s): %s"):format(message, bytes))
    return "theirs"
  end
  return "neither"
end


describe("decode and lua-cjson", function()
  it("agree on random documents", function()
    for _ = 1, rounds do
      local bytes = "[" .. document(1) .. "]"
      assert.equal("both", compare(bytes))
    end
  end)

  it("agree on broken ones, but for what lua-cjson is known to let pass", function()
    local seen = { both = 0, ours = 0, theirs = 0, neither = 0 }
    for _ = 1, rounds * 3 do
      local outcome = compare(mutate("[" .. document(1) .. "]"))
      seen[outcome] = seen[outcome] + 1
    end
    assert.is_true(seen.both > rounds / 10)
    assert.is_true(seen.neither > rounds / 10)
  end)
end)


describe("encode and lua-cjson", function()
  it("write what the other reads, and what is written reads back", function()
    for _ = 1, rounds do
      local bytes = "[" .. document(1) .. "]"
      local value = assert(core.decode(bytes, { null = "keep" }))
      local written = assert(core.encode(value))
      assert(same(value, cjson.decode(written)), written)
      assert(same(value, core.decode(written, { null = "keep" })), written)
      -- sorted keys make the text the same whatever order the table has
      local sorted = assert(core.encode(value, { sort_keys = true }))
      assert.equal(sorted, core.encode(core.decode(written, { null = "keep" }), { sort_keys = true }))
    end
  end)

  it("give the same null", function()
    assert.equal(cjson.null, null)
    assert.equal("[null]", core.encode({ cjson.null }))
    assert.equal("[null]", cjson.encode({ null }))
  end)
end)
