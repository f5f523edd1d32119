--- The module's JSON codec, for use of one's own: the rules are in the README, "JSON".

local core = require("batchapi.core")
local errors = require("batchapi.errors")

local M = {
  --- JSON's null; equal to cjson.null and ngx.null.
  null = core.null,
}


--- Writes a value as JSON. What has no form in JSON is refused with its path, nothing is guessed.
---@param value any
---@param options? { max_depth?: integer, sort_keys?: boolean } depth 512; `sort_keys` makes the same bytes every time
---@return string|nil text
---@return string|nil why
---@return batchapi.Error|nil err `kind = "invalid"`
function M.encode(value, options)
  local text, why, err = core.encode(value, options)
  if not text then
    return errors.adopt("json.encode", err, why)
  end
  return text
end


--- Reads one JSON text.
---@param text string
---@param options? { max_depth?: integer, null?: "absent"|"keep" } what a null in an object becomes
---@return any value
---@return string|nil why
---@return batchapi.Error|nil err `kind = "decode"`, `offset` is the byte, from 1
function M.decode(text, options)
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
  return setmetatable(list or {}, core.array_mt)
end


return M
