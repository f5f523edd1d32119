--- A bench, run inside a host like the list of behaviours: how long the host's loop has to wait while a
--- job of $GAPS_REQUESTS runs in it. A ticker that sleeps 2 ms notes how late it is each time, and how much
--- of that its thread has worked: the rest is the machine's, which others use.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local processes = require("processes")

local TICK = 0.002 -- seconds
local BUCKETS = 2000 -- of a tenth of a millisecond


local function new_histogram()
  local self = { count = 0, longest = 0 }
  for i = 1, BUCKETS do
    self[i] = 0
  end
  return self
end


local function add(histogram, seconds)
  local bucket = math.min(math.max(math.ceil(seconds * 10000), 1), BUCKETS)
  histogram[bucket] = histogram[bucket] + 1
  histogram.count = histogram.count + 1
  histogram.longest = math.max(histogram.longest, seconds)
end


-- Milliseconds that so large a share is not above.
local function quantile(histogram, share)
  local left = histogram.count * share
  for i = 1, BUCKETS do
    left = left - histogram[i]
    if left <= 0 then
      return i / 10
    end
  end
  return histogram.longest * 1000
end


local function run_job(count)
  local client = assert(batchapi.openai())
  local index = 0
  local job = assert(client:run(function()
    index = index + 1
    return index <= count and { body = { model = "m", messages = { { role = "user", content = ("x"):rep(200) .. index } } } }
      or nil
  end, { endpoint = "/v1/chat/completions", interval = 0.2, max_requests_per_batch = 10000 }))
  local results, seen = job:results(), 0
  while results:next() do
    seen = seen + 1
  end
  assert(seen == count, seen .. " results")
  job:close()
end


-- The ticks of a host while a function runs: how late they are, and how late by its own work.
local function watched(host, f)
  local histogram, own, over, gone = new_histogram(), new_histogram(), false, false
  host.spawn(function()
    while not over do
      local before, had = core.now(), processes.worked()
      host.sleep(TICK)
      local late = core.now() - before - TICK
      add(histogram, late)
      add(own, math.min(late, processes.worked() - had))
    end
    gone = true
  end)
  host.sleep(0.05)
  f()
  over = true
  while not gone do
    host.sleep(TICK)
  end
  return histogram, own
end


return function(host)
  local out = assert(io.open(os.getenv("CONTRACT_OUT"), "a"))
  local ok, why = pcall(function()
    local idle = watched(host, function() host.sleep(1) end)
    local began = core.now()
    local busy, own = watched(host, function() run_job(tonumber(os.getenv("GAPS_REQUESTS"))) end)
    local text = "note\tgaps\tidle p99 %.1f ms; job of %.1f s: p50 %.1f, p99 %.1f, longest %.1f ms; by its own work p99 "
      .. "%.1f, longest %.1f ms\n"
    out:write(text:format(quantile(idle, 0.99), core.now() - began, quantile(busy, 0.5), quantile(busy, 0.99),
      busy.longest * 1000, quantile(own, 0.99), own.longest * 1000))
    out:write(("note\tp99\t%.1f\n"):format(quantile(own, 0.99)))
  end)
  out:write(ok and "ok" or "fail", "\tgaps\t", (tostring(why or ""):gsub("%s+", " ")), "\n")
  out:write("end\tthe gaps\t\n")
  out:close()
end
