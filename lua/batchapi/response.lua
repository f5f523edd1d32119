--- The third value of a call: what came with the answer.

local core = require("batchapi.core")

---@class batchapi.RateLimit
---@field limit number|nil requests in a window
---@field remaining number|nil left in this window
---@field reset number|nil seconds until the window begins anew

---@class batchapi.Response
---@field status integer
---@field headers table<string, string> names in lower case; repeated ones joined with ", "
---@field request_id string|nil
---@field ratelimit batchapi.RateLimit
---@field attempts integer
---@field elapsed number seconds from start to end, waits included
---@field reused boolean whether the last attempt went over a kept connection
---@field retry_after number|nil seconds the service asked to wait

local M = {}

local units = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }


--- "6m0s", "120ms": seconds, or nil.
local function duration(text)
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, after = rest:match("^([%d.]+)(%a+)(.*)$")
    if not number or not units[unit] or not tonumber(number) then
      return nil
    end
    total, rest = total + tonumber(number) * units[unit], after
  end
  return total
end


--- Days since 1970-01-01 of a date (Howard Hinnant's algorithm): os.time would take it for local
--- time.
local function days(year, month, day)
  year = month <= 2 and year - 1 or year
  local era = math.floor(year / 400)
  local of_era = year - era * 400
  local of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local leap_days = math.floor(of_era / 4) - math.floor(of_era / 100)
  return era * 146097 + of_era * 365 + leap_days + of_year - 719468
end


local function until_date(text)
  local year, month, day, hour, minute,
    second = text:match("^(%d+)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d)")
  if not year then
    return nil
  end
  local at = days(tonumber(year), tonumber(month),
    tonumber(day)) * 86400 + hour * 3600 + minute * 60 + second
  local sign, off_hour, off_minute = text:match("([+-])(%d%d):?(%d%d)$")
  if sign then
    at = at - (off_hour * 3600 + off_minute * 60) * (sign == "-" and -1 or 1)
  end
  return math.max(0, at - core.wall())
end


--- Seconds until a window begins anew, from seconds, an epoch, a duration or a date.
---@param text string|nil
---@return number|nil
function M.reset_seconds(text)
  if not text then
    return nil
  end
  local number = tonumber(text)
  if number and number > 1e9 then
    return math.max(0, number - core.wall())
  end
  return number or duration(text) or until_date(text)
end


local function header(headers, names)
  for i = 1, names and #names or 0 do
    local value = headers[names[i]]
    if value then
      return value
    end
  end
end


local function number(headers, names)
  local value = header(headers, names)
  return value and tonumber(value)
end


local usual_ids = { "x-request-id", "request-id" }

--- Adds to what call:answer() gave what the definition knows of the headers.
---@param definition table
---@param came table status, headers, attempts, elapsed, reused, retry_after
---@return batchapi.Response
function M.complete(definition, came)
  local headers, words = came.headers, definition.response
  came.request_id = header(headers, words.request_id) or header(headers, usual_ids)
  came.ratelimit = {
    limit = number(headers, words.limit),
    remaining = number(headers, words.remaining),
    reset = M.reset_seconds(header(headers, words.reset)),
  }
  return came
end


--- The response of an outcome, or nil when no answer came.
---@param definition table
---@param outcome table
---@return batchapi.Response|nil
function M.of(definition, outcome)
  if not outcome.status or outcome.status == 0 then
    return nil
  end
  return M.complete(definition, {
    status = outcome.status, headers = outcome.headers or {}, attempts = outcome.attempts,
    elapsed = outcome.elapsed, reused = outcome.reused, retry_after = outcome.retry_after,
  })
end


return M
