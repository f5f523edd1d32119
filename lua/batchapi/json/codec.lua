--- The JSON codec of a client: the core's, or the one given as the option `json`.
---
--- A codec has `encode(value)` giving a text, and giving a value `decode(text)`, `decode_call(call)`
--- and `decode_line(splitter)` (of core.lines; nil alone when more bytes are needed); all four give
--- `nil, message, err` when it cannot be done. One with `core` set encodes as client:start() of the
--- core does: a table may be left to that.

local core = require("batchapi.core")

local M = {}


local function broken(message)
  return nil, message, { kind = "decode", message = message }
end


-- The core's, without options to be read for each value.
local usual_depth, usual_values = 512, 8000000

local bounded = { max_values = usual_values }

---@param settings table
local function core_codec(settings)
  local depth, values = settings.max_json_depth or usual_depth, settings.max_json_values or usual_values
  local big_integers = settings.big_integers
  local options
  if depth ~= usual_depth or values ~= usual_values or (big_integers or "float") ~= "float" then
    options = { max_depth = depth, max_values = values, big_integers = big_integers }
  end
  return {
    core = true,
    encode = function(value)
      return core.encode(value)
    end,
    decode = function(text)
      return core.decode(text, options or bounded)
    end,
    decode_call = function(call)
      return call:json(options)
    end,
    decode_line = function(splitter)
      return splitter:json(options)
    end,
  }
end


--- lua-cjson's way to fail is to raise, cjson.safe's is nil and a message: both are understood.
local function attempt(f, value, kind)
  local ok, result, message = pcall(f, value)
  if ok and result ~= nil then
    return result
  end
  message = tostring(ok and message or result)
  return nil, message, { kind = kind, message = message }
end


local function given_codec(json)
  local codec = {}
  function codec.encode(value)
    return attempt(json.encode, value, "invalid")
  end
  function codec.decode(text)
    local value, message = attempt(json.decode, text, "decode")
    if value == nil then
      return broken(message)
    end
    return value
  end
  function codec.decode_call(call)
    return codec.decode(call:body())
  end
  function codec.decode_line(splitter)
    local text, message, err = splitter:next()
    if text == nil then
      return nil, message, err
    end
    return codec.decode(text)
  end
  return codec
end


--- The codec for a client's settings: its options json, max_json_depth, max_json_values and
--- big_integers.
---@param settings table
---@return table
function M.new(settings)
  return settings.json and given_codec(settings.json) or core_codec(settings)
end


return M
