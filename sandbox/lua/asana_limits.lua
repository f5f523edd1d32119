-- Asana's limits of one token, counted by action: so many reads and writes in flight, so many a minute. A request that
-- would go beyond one of them is refused whole, and (for the minute) still counts.
local clock = require("clock")
local settings = require("settings")
local totals = require("totals")
local world = require("asana_world")

local M = {}
local state = ngx.shared.state


local function weights(actions)
  local reads, writes = 0, 0
  for _, action in ipairs(actions) do
    if action.method == "get" or action.method == "head" then
      reads = reads + 1
    else
      writes = writes + 1
    end
  end
  return reads, writes
end


local function too_many(seconds)
  totals.count("asana", "refused_by_limit")
  local answer = world.fail(429, "You have made too many requests recently. Please, be chill.")
  answer.headers = { ["Retry-After"] = tostring(seconds) }
  return answer
end


-- Counts into the current minute; the seconds to wait when that is too much.
local function over_the_minute(count)
  local now = clock.now()
  local minute = math.floor(now / 60)
  local used = state:incr("asana:minute:" .. minute, count, 0, 120)
  if used > settings.get().asana.per_minute then
    return math.ceil((minute + 1) * 60 - now)
  end
end


-- Takes the places of a request's actions until it is over; gives the refusal when there are none.
function M.enter(request, actions)
  local reads, writes = weights(actions)
  request.weights = { reads = reads, writes = writes }
  totals.count("asana", "reads", reads)
  totals.count("asana", "writes", writes)
  local wait = over_the_minute(reads + writes)
  if wait then
    return too_many(wait)
  end
  local rules = settings.get().asana
  local reading, writing = totals.count("in_flight", "asana_reads", reads), totals.count("in_flight", "asana_writes",
    writes)
  totals.maximum("in_flight_max", "asana_reads", reading)
  totals.maximum("in_flight_max", "asana_writes", writing)
  request.over = function()
    totals.count("in_flight", "asana_reads", -reads)
    totals.count("in_flight", "asana_writes", -writes)
  end
  if reading > rules.max_reads or writing > rules.max_writes then
    return too_many(rules.retry_after)
  end
end


return M
