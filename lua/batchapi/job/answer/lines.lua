--- The lines of a result file, read strictly and, where that fails, once more leniently: they were
--- paid for.

local core = require("batchapi.core")

local M = {}

local keep_null = { null = "keep" }
-- A record holds a line as it came up to this depth (src/include/batchapi/record.h, BA_RECORD_DEPTH).
local strictly = { null = "keep", max_depth = 510 }
local BYTE_ORDER_MARK = "\239\187\191"


--- What the strict reader has refused.
local function mend(line, why)
  local value, repaired = core.mend(line, keep_null)
  if value ~= nil then
    return "read", value, line, repaired
  end
  return "unreadable", nil, line, why
end


--- Takes the next line. What it gives:
---
--- "read", the value, the line's bytes, and, if it was mended, what was and where; "unreadable", nil,
--- the bytes, and why; "too_long" and why, of a line that was passed over; "end"; "failed", the message,
--- the error.
---@param files table batchapi.files
---@param reader userdata
---@return "read"|"unreadable"|"too_long"|"end"|"failed" what
---@return any value or message
---@return any line or error
---@return string|nil repaired or why
---@return boolean|nil strict it was read strictly, and is no deeper than a record may hold as it is
function M.next(files, reader)
  while true do
    local value, why, err = files:json(reader, strictly)
    if value ~= nil then
      return "read", value, reader:raw(), nil, true
    elseif not why then
      return "end"
    elseif err.kind == "too_large" then
      return "too_long", why
    elseif err.kind ~= "decode" then
      return "failed", why, err
    end
    local line = reader:raw()
    if line ~= BYTE_ORDER_MARK then
      return mend(line, why)
    end
  end
end


-- The text in quotes that begins at `from`, decoded, or nil.
local function string_at(line, from)
  local at = from + 1
  while true do
    at = line:find('["\\]', at)
    if not at then
      return nil
    elseif line:sub(at, at) == '"' then
      return (core.mend(line:sub(from, at)))
    end
    at = at + 2
  end
end


--- The values of a field in a line that cannot be read, in the order they stand there. Within a
--- string nothing is found: there its quotes are escaped.
---@param line string
---@param field string
---@return fun(): string|nil
function M.values_of(line, field)
  local pattern = '"' .. field:gsub("%p", "%%%0") .. '"%s*:%s*()"'
  local at = 1
  return function()
    while at do
      local _, last, quote = line:find(pattern, at)
      at = last
      local value = quote and string_at(line, quote)
      if type(value) == "string" then
        return value
      end
    end
  end
end


return M
