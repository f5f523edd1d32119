--- The time that a service may take for a batch, in whatever form it is written: "24h", "7d",
--- "168h", "P7D", "PT12H", or a number in the unit that the definition names.

local M = {}

local USUAL = 86400 -- seconds: what the services give that take no other
local MARGIN = 3600 -- a wait goes on for so long after the end of the window

local units = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }


-- "P1DT12H" and its like; months and years are no windows.
local function iso_seconds(text)
  local date, time = text:match("^p([%d.wd]*)t?([%d.hms]*)$")
  if not date then
    return nil
  end
  local sum = 0
  for number, unit in (date .. time):gmatch("([%d.]+)(%a)") do
    sum = sum + (tonumber(number) or 0) * units[unit]
  end
  return sum > 0 and sum or nil
end


--- The seconds of a window, or nil when it cannot be read.
---@param value any
---@param unit string|nil of a plain number: "s" (default), "m", "h", "d" or "w"
---@return number|nil
function M.seconds(value, unit)
  local number = tonumber(value)
  if number then
    return number > 0 and number < math.huge and number * units[unit or "s"] or nil
  elseif type(value) ~= "string" then
    return nil
  end
  local text = value:lower()
  local count, letter = text:match("^%s*([%d.]+)%s*([smhdw])%a*%s*$")
  count = tonumber(count)
  if count then
    return count > 0 and count * units[letter] or nil
  end
  return iso_seconds(text)
end


--- The window that options, or a batch, name.
---@param run table|nil the definition's
---@param values table
---@return number|nil seconds
function M.of(run, values)
  for name, rule in pairs((run or {}).options or {}) do
    local seconds = rule.window and M.seconds(values[name], rule.window)
    if seconds then
      return seconds
    end
  end
end


--- How long to wait for a batch, unless the user says.
---@param run table|nil the definition's
---@param values table|nil options, or a batch
---@return number seconds
function M.timeout(run, values)
  return (values and M.of(run, values) or USUAL) + MARGIN
end


return M
