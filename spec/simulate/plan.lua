--- What a run is: the service, the requests, the options of the job, and which behaviours it may meet.
--- Most runs meet few of them, often: so that each is met alone, and many together.

local M = {}

-- How often each happens at most, where it may: of the times that it could.
M.behaviours = {
  ["net.refused"] = 0.2, ["net.unsent"] = 0.2, ["net.lost_request"] = 0.2, ["net.lost_answer"] = 0.3, ["net.late"] = 0.2,
  ["net.doubled"] = 0.2, ["net.truncated"] = 0.4, ["net.outage"] = 0.03, ["http.unavailable"] = 0.3,
  ["http.rate_limit"] = 0.3, ["http.passing"] = 0.3, ["http.page"] = 0.3,
  ["create.lost"] = 0.15, ["create.unanswered"] = 0.6, ["create.late"] = 0.5,
  ["list.late"] = 0.7, ["list.empty_page"] = 0.5, ["batch.late"] = 0.7, ["batch.hidden"] = 0.3, ["batch.gone"] = 0.1,
  ["file.late"] = 0.6, ["file.pending"] = 0.6, ["delete.late"] = 0.6, ["create.doomed"] = 0.8,
  ["result.gone"] = 0.3, ["result.late"] = 0.6,
  ["names.late"] = 0.7, ["batch.fails"] = 0.3, ["batch.expires"] = 0.4, ["batch.cancelled"] = 0.3,
  ["line.failed"] = 0.4, ["line.dropped"] = 0.3, ["line.odd"] = 0.4, ["line.unreadable"] = 0.3, ["line.garbage"] = 0.2,
  ["line.doubled"] = 0.3, ["line.foreign"] = 0.3, ["line.reordered"] = 0.7, ["file.crlf"] = 0.5, ["file.mark"] = 0.5,
  ["file.no_last_newline"] = 0.5, ["item.failed"] = 0.4, ["item.dropped"] = 0.3,
  ["job.cancelled"] = 0.2, ["job.retried"] = 0.7, ["job.salvaged"] = 0.9, ["process.leaves"] = 0.4,
  ["process.killed"] = 0.7, ["process.paused"] = 0.02, ["process.slice"] = 0.7, ["clock.jump"] = 0.3,
  ["disk.flip"] = 0.15,
}

M.without = {} -- behaviours that no run meets (tools/simulate: WITHOUT)

M.hard = { "create.lost", "create.late", "create.unanswered", "create.doomed", "list.late", "list.empty_page", "file.late",
  "delete.late" }

M.names = {}
for name in pairs(M.behaviours) do
  M.names[#M.names + 1] = name
end
table.sort(M.names)


local function draw_rates(tape, draw)
  local share = draw:pick{ 0, 0.03, 0.08, 0.15, 0.3, 0.6 }
  local rates = {}
  for _, name in ipairs(M.names) do
    local one = tape:draw("rate " .. name)
    if one:chance(share) and not M.without[name] then
      rates[name] = M.behaviours[name] * one:wide(0.1, 1)
    end
  end
  -- A share of the runs has all that submitting once must stand.
  local hard = draw:chance(0.12)
  if hard then
    for _, name in ipairs(M.hard) do
      rates[name] = not M.without[name] and M.behaviours[name] or nil
    end
    if draw:chance(0.7) then
      rates["list.empty_page"] = nil -- a list that cannot be read ends it all
    end
  end
  return rates, hard
end


--- The plan of a seed. `fixed` has what is not drawn.
---@param tape table
---@param fixed table|nil
function M.draw(tape, fixed)
  local draw = tape:draw("plan")
  local hard
  tape.rates, hard = draw_rates(tape, draw)
  for name, rate in pairs((fixed or {}).rates or {}) do
    tape.rates[name] = rate
  end
  local count = draw:pick{ 1, 2, 3, 4, 6, 9 }
  local plan = {
    shape = draw:pick{ "file", "file", "azure", "mistral", "inline", "envelope", "graph", "batch", "single" },
    count = count,
    per_batch = draw:pick{ 1, 2, 3, 100 },
    attempts = draw:pick{ 1, 1, 2, 3 },
    cleanup = draw:chance(0.4),
    ordered = draw:chance(0.4),
    settle = draw:pick{ 2, 10, 60 },
    concurrency = draw:pick{ 1, 2, 20 },
    interval = draw:pick{ 0.5, 5, 60 },
    slowest = draw:pick{ 30, 600, 7200 },
    page_size = draw:pick{ 1, 2, 100 },
    yields = draw:chance(0.3),
    durable = draw:chance(0.85), -- with a directory
    raw = draw:chance(0.5),
    timeout = draw:chance(0.1) and draw:wide(3000, 20000) or nil,
  }
  if hard then
    plan.shape, plan.count, plan.settle = "file", math.min(plan.count, 3), math.min(plan.settle, 10)
  end
  for name, value in pairs(fixed or {}) do
    plan[name] = value
  end
  return plan
end


return M
