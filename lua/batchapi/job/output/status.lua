--- How far a job is.

local core = require("batchapi.core")
local states = require("batchapi.job.store.state")
local tally = require("batchapi.job.store.tally")
local trouble = require("batchapi.watch.patience")

local M = {}

local SHOWN = 5 -- errors


local function part_status(part)
  return {
    part = part.part, attempt = part.attempt, state = part.status, requests = part.count, bytes = part.bytes,
    batch_id = part.batch_id, file_id = part.file_id, outcome = part.outcome, service_state = part.state,
    counts = part.counts, trouble = part.trouble, cleaned = part.cleaned, incomplete = part.incomplete,
  }
end


--- How many requests the service says it has dealt with, in batches that are not settled.
local function under_way(job)
  local count = 0
  for _, part in pairs(job.state.parts) do
    if part.status == "created" and part.counts then
      count = count + (part.counts.completed or 0) + (part.counts.failed or 0)
    end
  end
  return count
end


local function list_parts(job)
  local list = {}
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part then
      list[#list + 1] = part_status(part)
    end
  end
  return list
end


local function name_state(job)
  if job.done then
    return job.state.cancelled and "cancelled" or "done"
  elseif not job.state.input then
    return "writing"
  end
  return job.state.cancelled and "cancelling" or "running"
end


--- Seconds until the end, as the pace so far lets expect; nil while nothing says so.
local function estimate(job, requests, processed)
  local elapsed = job.clock.now() - job.began
  if job.done or not requests or processed <= job.processed_before or elapsed <= 0 then
    return nil
  end
  return (requests - processed) * elapsed / (processed - job.processed_before)
end


--- How many requests are in parts of a further attempt that have not ended.
local function repeating(job)
  local count = 0
  for _, part in pairs(job.state.parts) do
    count = count + (part.attempt > 1 and part.status ~= "settled" and part.count or 0)
  end
  return count
end


-- ---- as text ------------------------------------------------------------------------------------

local function listed(counts)
  local names = {}
  for name, count in pairs(counts) do
    names[#names + 1] = ("%d %s"):format(count, name)
  end
  table.sort(names)
  return table.concat(names, ", ")
end


local function duration(seconds)
  if seconds < 120 then
    return ("%d s"):format(math.floor(seconds))
  elseif seconds < 7200 then
    return ("%d min"):format(math.floor(seconds / 60))
  end
  return ("%.1f h"):format(seconds / 3600)
end


--- The tokens of a usage, or the sum of its numbers' names: "input_tokens 12, output_tokens 30".
local function used(usage)
  local names = {}
  for name, value in pairs(usage) do
    if type(value) == "number" then
      names[#names + 1] = ("%s %.0f"):format(name, value)
    end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or nil
end


--- One look tells how a job went: a few lines.
local function describe(status)
  local waiting = status.requests - status.settled
  local lines = {
    ("%s: %s, %d requests: %d ok, %d failed%s"):format(status.id, status.state, status.requests, status.ok,
      status.failed, waiting > 0 and (", %d waiting"):format(waiting) or ""),
    #status.parts > 0 and ("parts: %s"):format(listed(status.states)) or nil,
  }
  local function add(text, ...)
    lines[#lines + 1] = core.printable(text:format(...))
  end
  for i = 1, math.min(#status.errors, SHOWN) do
    local entry = status.errors[i]
    add("error: %d × %s%s", entry.count, entry.code, entry.message and ": " .. tostring(entry.message) or "")
  end
  if #status.errors > SHOWN then
    add("and %d more kinds of errors", #status.errors - SHOWN)
  end
  local tokens = status.usage and used(status.usage)
  if tokens then
    add("used: %s", tokens)
  end
  if status.repeating > 0 then
    add("repeating %d", status.repeating)
  end
  if status.unclaimed > 0 then
    add("lines that belong to no request: %d", status.unclaimed)
  end
  if status.trouble then
    add("trouble, %d times: %s", status.trouble.count, status.trouble.message)
  end
  if status.remaining then
    add("about %s left", duration(status.remaining))
  end
  return table.concat(lines, "\n")
end


---@class batchapi.JobStatus
---@field id string
---@field dir string|nil
---@field service string|nil the service's name
---@field state "writing"|"running"|"cancelling"|"cancelled"|"done"
---@field requests integer how many there are (so far, while they are being written)
---@field settled integer how many have their result here
---@field processed integer settled ones, and those the service says it has dealt with
---@field ok integer
---@field failed integer
---@field missing integer of the failed ones
---@field duplicates integer lines of the service for a request that had its answer
---@field strangers integer lines of the service that no request asked for
---@field broken integer lines of the service that cannot be read
---@field unclaimed integer lines of the service, readable or not, that belong to no request: job:unclaimed() has them
---@field maybe_paid_twice integer requests of batches that ran beside another one of the same part
---@field bytes integer of the parts that were written
---@field parts table[] { part, attempt, state, requests, bytes, batch_id, file_id, outcome, service_state, counts, cleaned,
--- incomplete } cleaned: its files at the service are deleted; incomplete: they stay, for not all could be handed out
---@field states table<string, integer> how many parts are in each state
---@field usage table|nil summed
---@field elapsed number seconds since this process began with it
---@field remaining number|nil seconds, estimated
---@field ends_at number|nil estimated end, seconds since 1970
---@field errors table[] { code, message, count } of the failed ones, the most common first
---@field repeating integer how many requests are sent again
---@field trouble batchapi.Trouble|nil what is being waited out, the longest
---@field warnings string[]

M.state = name_state


---@param job table
---@return batchapi.JobStatus
function M.of(job)
  local counts = job.store.counts
  local settled = counts.ok + counts.failed
  local requests = job.state.input and job.state.input.requests or job.ledger:count()
  local status = {
    id = job.id, dir = job.options.dir, service = (job.state.job or {}).service, state = name_state(job),
    requests = requests, settled = settled,
    processed = math.min(settled + under_way(job), requests), ok = counts.ok, failed = counts.failed,
    missing = counts.missing, duplicates = job.state.duplicates, strangers = job.state.strangers,
    broken = job.state.broken, unclaimed = job.state.unclaimed, maybe_paid_twice = job.state.maybe_paid_twice,
    bytes = 0, parts = list_parts(job), states = {},
    usage = states.add_usage(nil, job.state.usage), elapsed = job.clock.now() - job.began, warnings = job.warnings,
    trouble = trouble.of(job), errors = tally.errors(counts), repeating = repeating(job),
  }
  for _, part in ipairs(status.parts) do
    status.bytes = status.bytes + (part.attempt == 1 and part.bytes or 0)
    status.states[part.state] = (status.states[part.state] or 0) + 1
  end
  status.remaining = estimate(job, requests, status.processed)
  status.ends_at = status.remaining and job.clock.wall() + status.remaining
  return setmetatable(status, { __tostring = describe, __name = "batchapi.status" })
end


return M
