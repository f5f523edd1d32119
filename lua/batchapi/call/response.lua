--- The third value of a call: what came with the answer.

local core = require("batchapi.core")

---@class batchapi.RateLimit
---@field limit number|nil requests in a window
---@field remaining number|nil left in this window
---@field reset number|nil seconds until the window begins anew

---@class batchapi.Response
---@field status integer
---@field headers table<string, string|string[]> names in lower case; repeated ones joined with ", ", but `set-cookie` is always a list
---@field trailers table<string, string>|nil what came behind a body in chunks
---@field request_id string|nil
---@field ratelimit batchapi.RateLimit
---@field attempts integer
---@field elapsed number seconds from start to end, waits included
---@field reused boolean whether the last attempt went over a kept connection
---@field retry_after number|nil seconds the service asked to wait

local M = {}

--- A number of a header, whatever the host's locale has for the point.
local function number_of(text)
  return tonumber(text) or (text:find("^%-?%d+%.%d+$") and core.decode(text)) or nil
end


local units = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }


--- "6m0s", "120ms": seconds, or nil.
local function duration(text)
  local total, rest = 0, text
  while rest ~= "" do
    local number, unit, after = rest:match("^([%d.]+)(%a+)(.*)$")
    number = number and number_of(number)
    if not number or not units[unit] then
      return nil
    end
    total, rest = total + number * units[unit], after
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
  local number = number_of(text)
  if number and number > 1e9 then
    return math.max(0, number - core.wall())
  end
  return number or duration(text) or until_date(text)
end


local usual_ids = { "x-request-id", "request-id" }
local none = {}

local function names_of(definition)
  local words = definition.response
  local ids = {}
  for _, list in ipairs({ words.request_id or none, usual_ids }) do
    for _, name in ipairs(list) do
      ids[#ids + 1] = name
    end
  end
  return { ids, words.limit or none, words.remaining or none, words.reset or none }
end


local known = setmetatable({}, { __mode = "k" })

--- Under which headers a definition's service tells what a response holds, as call:answer() takes
--- it.
---@param definition table
---@return string[][] for request_id, limit, remaining and reset
function M.names(definition)
  local names = known[definition]
  if not names then
    names = names_of(definition)
    known[definition] = names
  end
  return names
end


local function ratelimit_of(limit, remaining, reset)
  if limit or remaining or reset then
    return { limit = limit, remaining = remaining, reset = reset and M.reset_seconds(reset) or nil }
  end
  return {}
end


local mt = {
  __tostring = function(response)
    return ("%d%s, %d %s, %.3g s%s"):format(response.status,
      response.request_id and ", request " .. response.request_id or "", response.attempts,
      response.attempts == 1 and "attempt" or "attempts", response.elapsed or 0,
      response.ratelimit.remaining and (", %s requests left"):format(response.ratelimit.remaining) or "")
  end,
}


--- The response of a call that has ended.
---@param call batchapi.core.Call
---@param names string[][] as M.names() gives them
---@return batchapi.Response|nil response nil when the call failed
---@return boolean|nil is_json whether the answer says that it is JSON
---@return integer|nil bytes how many went to a file
function M.take(call, names)
  local status, headers, attempts, elapsed, reused, retry_after, request_id, limit, remaining,
    reset, is_json, bytes, trailers = call:answer(names)
  if not status then
    return nil
  end
  return setmetatable({
    status = status, headers = headers, attempts = attempts, elapsed = elapsed, reused = reused,
    retry_after = retry_after, request_id = request_id,
    ratelimit = ratelimit_of(limit, remaining, reset), trailers = trailers,
  }, mt), is_json, bytes
end


local function header(headers, names)
  for i = 1, #names do
    local value = headers[names[i]]
    if value then
      return value
    end
  end
end


local function number(headers, names)
  local value = header(headers, names)
  return value and number_of(value)
end


--- The response of an outcome, or nil when no answer came.
---@param definition table
---@param outcome table
---@return batchapi.Response|nil
function M.of(definition, outcome)
  if not outcome.status or outcome.status == 0 then
    return nil
  end
  local headers, names = outcome.headers or {}, M.names(definition)
  local request_id = header(headers, names[1])
  return setmetatable({
    status = outcome.status, headers = headers, attempts = outcome.attempts,
    elapsed = outcome.elapsed, reused = outcome.reused, retry_after = outcome.retry_after,
    request_id = request_id and core.printable(request_id), trailers = outcome.trailers,
    ratelimit = ratelimit_of(number(headers, names[2]), number(headers, names[3]),
      header(headers, names[4])),
  }, mt)
end


return M
