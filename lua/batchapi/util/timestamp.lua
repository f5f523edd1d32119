--- Dates and times as services write them in JSON and in queries.

local M = {}


--- A time in seconds since 1970 as ISO 8601, in UTC: "2026-01-31T23:59:59Z".
---@param seconds number fractions are cut off
---@return string
function M.iso(seconds)
  local days, rest = math.floor(seconds / 86400), math.floor(seconds % 86400)
  -- Years that begin in March, in eras of 400: every day has a number that tells its date.
  days = days + 719468
  local era = math.floor(days / 146097)
  local day = days - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)
  day = day - math.floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60)
end


return M
