--- Values for queries and headers that no definition describes: each is written so that it reads back
--- equal, or refused by its name.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local scalars = require("batchapi.check.scalars")
local url = require("batchapi.util.url")
local values = require("batchapi.check.values")

local M = {}

local math_type = rawget(math, "type") -- Lua 5.3 and later

local function is_integer(value)
  return math_type ~= nil and math_type(value) == "integer"
end

local exact = 2 ^ 53 -- beyond, a float may stand for another whole number than was meant

--- Headers that frame a request or say where it goes: they are made from what is sent.
local framing = {
  ["content-length"] = true, host = true, ["transfer-encoding"] = true, connection = true, upgrade = true,
  te = true, trailer = true, expect = true,
}


local function refuse_number(value, where)
  if value ~= value or value == math.huge or value == -math.huge then
    errors.misuse("%s must be a finite number, got %s", where, tostring(value))
  elseif (value > exact or value < -exact) and not is_integer(value) then
    errors.misuse("%s is %s, and beyond 2^53 a float does not hold every whole number: give it as a string",
      where, core.encode(value))
  end
end


--- Raises when a value has no one form in a query or a header.
local function check_scalar(value, where)
  local kind = type(value)
  if kind == "number" then
    refuse_number(value, where)
  elseif kind ~= "string" and kind ~= "boolean" and not scalars.is_integer_cdata(value) then
    errors.misuse("%s must be a string, a number or a boolean, got %s", where, scalars.described(value))
  end
end


--- An array of scalars, without holes.
local function check_list(list, where)
  local count = 0
  for key in pairs(list) do
    if type(key) ~= "number" then
      errors.misuse("%s has a table in it, with the key '%s': a query holds values and arrays of them",
        where, tostring(key))
    end
    count = count + 1
  end
  for i = 1, count do
    if list[i] == nil then
      errors.misuse("%s is an array with holes (no [%d])", where, i)
    end
    check_scalar(list[i], ("%s[%d]"):format(where, i))
  end
end


--- The pairs of a free query, sorted by name.
---@param given table
---@return string[][]
function M.query(given)
  local names, list = {}, {}
  given = values.as_encoded(given)
  for name in pairs(given) do
    if type(name) ~= "string" then
      errors.misuse("request: query must have names for keys, got %s", scalars.described(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, where = values.as_encoded(given[name]), "request: query." .. name
    if type(value) == "table" then
      check_list(value, where)
    else
      check_scalar(value, where)
    end
    url.add(list, name, value)
  end
  return list
end


local function check_header(name, value, what)
  if type(name) ~= "string" or not name:match("^[%w!#$%%&'*+.^_`|~-]+$") then
    errors.misuse("%s: '%s' is no header name", what, tostring(name))
  elseif framing[name:lower()] then
    errors.misuse("%s: %s is made from what is sent, and cannot be given", what, name)
  elseif type(value) == "string" then
    if value:find("[%z\r\n]") then
      errors.misuse("%s: %s must be a string of one line", what, name)
    end
    return
  elseif type(value) == "number" or scalars.is_integer_cdata(value) then
    return check_scalar(value, ("%s: %s"):format(what, name))
  end
  errors.misuse("%s: %s must be a string of one line, got %s", what, name, scalars.described(value))
end


--- Headers as the core takes them: the same table, or a copy where a number is written out.
---@param given table
---@param what string whose they are, for messages
---@return table<string, string>
function M.headers(given, what)
  local checked
  given = values.as_encoded(given)
  for name, value in pairs(given) do
    check_header(name, value, what)
    if type(value) ~= "string" then
      checked = checked or {}
      checked[name] = url.scalar(value)
    end
  end
  if not checked then
    return given
  end
  for name, value in pairs(given) do
    checked[name] = checked[name] or value
  end
  return checked
end


return M
