--- Checks strings, numbers and booleans against their descriptions, for values.lua; and how values
--- are named in messages.

local among = require("batchapi.util.among")
local core = require("batchapi.core")
local suggest = require("batchapi.util.suggest")

local M = {}

local array_mt = core.array_mt
local null = core.null
local to_integer = rawget(math, "tointeger") -- Lua 5.3 and later: 5.0 goes out as 5

-- lua-cjson's marks are understood where its user has them loaded; it is not loaded for this.
local function of_cjson(name)
  local cjson = package.loaded["cjson"]
  return type(cjson) == "table" and cjson[name] or nil
end


--- Whether a value is lua-cjson's sentinel for an empty array (its OpenResty form has one).
---@param value any
---@return boolean
function M.is_empty_array(value)
  return type(value) == "userdata" and value ~= null and value == of_cjson("empty_array")
end


--- Whether a value is one of LuaJIT's 64-bit integers.
---@param value any
---@return boolean
function M.is_integer_cdata(value)
  return type(value) == "cdata" and tostring(value):find("^%-?%d+U?LL$") ~= nil
end


--- Whether a table encodes as a JSON array: it is marked as one, or its keys are 1 to n.
---@param value table
---@return boolean
function M.is_array(value)
  local mt = getmetatable(value)
  if mt ~= nil and (mt == array_mt or mt == of_cjson("array_mt")) then
    return true
  end
  return #value > 0
end


--- Characters (code points) of a UTF-8 text.
function M.characters(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end


--- How a value is named in a message: its type, or itself when that is short and tells more.
function M.described(value)
  if value == null then
    return "null"
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  elseif M.is_integer_cdata(value) then
    return (tostring(value):match("^%-?%d+"))
  elseif type(value) == "string" and #value <= 40 and not value:find("%c") then
    return "'" .. value .. "'"
  elseif type(value) == "table" then
    return M.is_array(value) and "an array" or "a table"
  end
  return "a " .. type(value)
end


function M.expected(where, what, value)
  return nil, ("%s must be %s, got %s"):format(where, what, M.described(value))
end


local function listed(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = "'" .. tostring(word) .. "'"
  end
  return table.concat(quoted, ", ")
end


local function check_range(value, spec, where)
  if (spec.min and value < spec.min) or (spec.max and value > spec.max) then
    local range = spec.min and spec.max and ("between %s and %s"):format(spec.min, spec.max)
      or spec.min and ("at least %s"):format(spec.min) or ("at most %s"):format(spec.max)
    return nil, ("%s must be %s, got %s"):format(where, range, M.described(value))
  end
  return value
end


function M.number(value, spec, where)
  if M.is_integer_cdata(value) then
    return check_range(value, spec, where)
  elseif type(value) ~= "number" then
    return M.expected(where, "a number", value)
  elseif value ~= value or value == math.huge or value == -math.huge then
    return M.expected(where, "a finite number", value)
  end
  return check_range(value, spec, where)
end


function M.integer(value, spec, where)
  if M.is_integer_cdata(value) then
    return check_range(value, spec, where)
  elseif type(value) ~= "number" or value ~= math.floor(value) or math.abs(value) == math.huge then
    return M.expected(where, "an integer", value)
  end
  value = to_integer and to_integer(value) or value
  return check_range(value, spec, where)
end


function M.boolean(value, _, where)
  if type(value) ~= "boolean" then
    return M.expected(where, "a boolean", value)
  end
  return value
end


local function check_length(value, spec, where)
  local count = M.characters(value)
  local least = spec.min_length or 0
  if count < least then
    return nil, least == 1 and where .. " must not be empty"
      or ("%s must have at least %d characters, got %d"):format(where, least, count)
  elseif spec.max_length and count > spec.max_length then
    return nil, ("%s may have at most %d characters, got %d"):format(where, spec.max_length, count)
  end
  return value
end


local function check_pattern(value, spec, where)
  for _, rule in ipairs(spec.never or {}) do
    if value:find(rule[1]) then
      return nil, ("%s: %s"):format(where, rule[2])
    end
  end
  if spec.pattern then
    for _, pattern in ipairs(type(spec.pattern) == "table" and spec.pattern or { spec.pattern }) do
      if value:find(pattern) then
        return value
      end
    end
    return M.expected(where, spec.pattern_help or ("text like " .. tostring(spec.pattern)), value)
  end
  return value
end


function M.string(value, spec, where)
  if type(value) ~= "string" then
    return M.expected(where, "a string", value)
  end
  if spec.case == "lower" then
    value = value:lower()
  elseif spec.case == "upper" then
    value = value:upper()
  end
  local checked, why = check_length(value, spec, where)
  if not checked then
    return nil, why
  end
  if spec.one_of and not among(value, spec.one_of) then
    return nil, ("%s must be one of %s, got %s"):format(where, listed(spec.one_of),
      M.described(value))
      .. suggest.hint(value, spec.one_of)
  end
  return check_pattern(value, spec, where)
end


return M
