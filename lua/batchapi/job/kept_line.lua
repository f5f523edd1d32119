--- A service's line that cannot be written again as JSON (it was mended, or is none) is kept in the
--- results' file as a string of its bytes, each as the character of that number.

local core = require("batchapi.core")

local M = {}


local function to_text(line)
  return (line:gsub("[\128-\255]", function(byte)
    local code = byte:byte()
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  end))
end


local function to_bytes(text)
  return (text:gsub("[\194\195][\128-\191]", function(pair)
    local lead, rest = pair:byte(1, 2)
    return string.char((lead - 0xC0) * 64 + rest - 0x80)
  end))
end


--- What is written of a result.
---@param result table
---@param line string
---@return table
function M.pack(result, line)
  if result.repaired or result.error and result.error.code == "unreadable" then
    result.body, result.line = nil, to_text(line)
  end
  return result
end


--- The result as it is handed out.
---@param result table as it was written
---@param outcome table batchapi.job.outcome
---@return table
function M.unpack(result, outcome)
  local text = result.line
  if not text then
    return result
  end
  local line = to_bytes(text)
  result.line = nil
  if result.repaired then
    result.body = outcome:read((core.mend(line))).body
  else
    result.raw = line
  end
  return result
end


return M
