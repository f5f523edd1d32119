-- JSON for the services' answers. Debian's lua-cjson has no empty arrays, so the writer is our own; reading is
-- lua-cjson's. Null is cjson.null in both directions.
local cjson = require("cjson").new()

cjson.decode_invalid_numbers(false)
cjson.encode_keep_buffer(true)

local M = { null = cjson.null }
local array_mt, raw_mt = {}, {}
local encode


-- Marks a table as an array, which matters when it is empty.
function M.array(t)
  return setmetatable(t or {}, array_mt)
end


-- A value that is JSON text already.
function M.raw(text)
  return setmetatable({ text = text }, raw_mt)
end


local quote = cjson.encode


local function encode_table(t, out, n)
  if getmetatable(t) == raw_mt then
    out[n + 1] = t.text
    return n + 1
  elseif getmetatable(t) == array_mt or #t > 0 then
    out[n + 1] = "["
    n = n + 1
    for i = 1, #t do
      if i > 1 then
        n = n + 1
        out[n] = ","
      end
      n = encode(t[i], out, n)
    end
    out[n + 1] = "]"
    return n + 1
  end
  out[n + 1] = "{"
  n = n + 1
  local first = true
  for key, value in pairs(t) do
    n = n + 1
    out[n] = first and quote(tostring(key)) or "," .. quote(tostring(key))
    out[n + 1] = ":"
    n = encode(value, out, n + 1)
    first = false
  end
  out[n + 1] = "}"
  return n + 1
end


function encode(value, out, n)
  local kind = type(value)
  if kind == "table" then
    return encode_table(value, out, n)
  elseif kind == "number" then
    out[n + 1] = value % 1 == 0 and math.abs(value) < 1e15 and string.format("%d", value) or string.format("%.17g",
      value)
  elseif kind == "string" then
    out[n + 1] = quote(value)
  elseif kind == "boolean" then
    out[n + 1] = tostring(value)
  else
    out[n + 1] = "null"
  end
  return n + 1
end


function M.encode(value)
  local out = {}
  encode(value, out, 0)
  return table.concat(out)
end


-- The value, or nil and a reason.
function M.decode(text)
  local ok, value = pcall(cjson.decode, text)
  if ok then
    return value
  end
  return nil, value
end


-- The value, or nil when it is JSON null or absent.
function M.given(value)
  if value == cjson.null then
    return nil
  end
  return value
end


return M
