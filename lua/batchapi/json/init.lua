--- The module's JSON codec, for use of one's own: the rules are in docs/json.md.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local check = require("batchapi.check.options")
local json_options = require("batchapi.json.options")

local M = {
  --- JSON's null; equal to cjson.null and ngx.null.
  null = core.null,
}


--- Writes a value as JSON, keys sorted: the same value gives the same bytes every time. What has no
--- form in JSON is refused with its path, nothing is guessed.
---@param value any
---@param options? { max_depth?: integer, sort_keys?: boolean } depth 512; `sort_keys = false`: keys as they come, a little faster
---@return string|nil text
---@return string|nil why
---@return batchapi.Error|nil err `kind = "invalid"`
function M.encode(value, options)
  if options ~= nil then
    check.check(options, json_options.encode, "json.encode")
  end
  local text, why, err = core.encode(value, options)
  if not text then
    return errors.adopt("json.encode", err, why)
  end
  return text
end


--- Reads one JSON text.
---@param text string
---@param options? { max_depth?: integer, null?: "absent"|"keep", big_integers?: "float"|"text"|"cdata" } what a null in an object becomes, and an integer that this Lua's numbers do not hold
---@return any value
---@return string|nil why
---@return batchapi.Error|nil err `kind = "decode"`, `offset` is the byte, from 1
function M.decode(text, options)
  if type(text) ~= "string" then
    errors.misuse("json.decode: a string expected, got %s", text == nil and "no value" or "a " .. type(text))
  elseif options ~= nil then
    json_options.check_decode(options, json_options.decode, "json.decode")
  end
  local value, why, err = core.decode(text, options)
  if value == nil then
    return errors.adopt("json.decode", err, why)
  end
  return value
end


--- Marks a table as an array, so that it is written as `[]` even when it is empty.
---@generic T: table
---@param list T|nil
---@return T
function M.array(list)
  if list ~= nil and type(list) ~= "table" then
    errors.misuse("array: a table expected, got a " .. type(list))
  end
  return setmetatable(list or {}, core.array_mt)
end


--- An object whose keys go out in this order, `object{ { key, value }, … }`: a table with these
--- fields. A field that is added later follows the others.
---@param list any[][]
---@return table
function M.object(list)
  if type(list) ~= "table" then
    errors.misuse("object: an array of { key, value } expected, got a " .. type(list))
  end
  local made, order = {}, {}
  for i, pair in ipairs(list) do
    local key, value
    if type(pair) == "table" then
      key, value = pair[1], pair[2]
    end
    if type(key) ~= "string" or value == nil then
      errors.misuse("object: [%d] must be { key, value }, a string and anything but nil (batchapi.null is JSON's null)", i)
    elseif made[key] ~= nil then
      errors.misuse("object: the key '%s' stands twice", key)
    end
    made[key], order[i] = value, key
  end
  for key in pairs(list) do
    if order[key] == nil then
      errors.misuse("object: an array of { key, value } expected, got one with the key '%s'", tostring(key))
    end
  end
  return setmetatable(made, { __batchapi_order = order })
end


return M
