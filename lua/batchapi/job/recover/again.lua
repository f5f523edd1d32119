--- Answers that could not be fetched are there still, and paid: whoever takes the job up again asks for
--- them once more. Each such round has a number, and its results bear it: a request's newest counts.

local collect = require("batchapi.job.batch.collect")
local tally = require("batchapi.job.store.tally")

local M = {}


--- Notes what a recovered job's results say, one after the other, as they were written.
---@param job table
---@return table notes
function M.notes(job)
  return { job = job, uncollected = {}, former = job.state.round > 0 and {} or nil }
end


--- A request has a result; the one it had before counts no more.
---@param notes table
---@param result table
function M.note(notes, result)
  local reason, former = result.error, notes.former
  local code = type(reason) == "table" and reason.code or nil
  notes.uncollected[result.index] = code == "uncollected" and (result.round or 0) or nil
  if former then
    if former[result.index] then
      tally.remove(notes.job.store.counts, former[result.index])
    end
    former[result.index] = { ok = result.ok, error = { code = code } }
  end
end


--- The parts some of whose answers could not be fetched.
---@param job table
---@return integer[]
function M.incomplete(job)
  local numbers, state = {}, job.state
  for number = 1, job.has_parts and job.durable and state.last_part or 0 do
    local part = state.parts[number]
    if part and part.status == "settled" and part.uncollected and part.batch_id then
      numbers[#numbers + 1] = number
    end
  end
  return numbers
end


--- The requests of a part wait again for what could not be fetched.
local function reopen_part(job, part, notes)
  local mark, count = collect.waiting_mark(part.attempt), 0
  for index = part.first, part.first + part.span - 1 do
    local round = notes.uncollected[index]
    if round and round < job.state.round then
      job.ledger:set(index, mark)
      tally.remove(job.store.counts, { ok = false, error = { code = "uncollected" } })
      count = count + 1
    end
  end
  return count
end


--- Nobody can be asked: whoever reads the job is told.
local function tell_left(job, numbers)
  local count = 0
  for _, number in ipairs(numbers) do
    count = count + job.state.parts[number].uncollected
  end
  job.warnings[#job.warnings + 1] = ("%d answers could not be fetched: resume with { client = … } asks for them again")
    :format(count)
end


--- Opens a job again whose answers are not all here.
---@param job table
---@param notes table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.reopen(job, notes)
  local numbers = M.incomplete(job)
  if #numbers > 0 and job.reads_only then
    tell_left(job, numbers)
  elseif #numbers > 0 then
    local ok, why, err = job:record{ type = "reopened", round = job.state.round + 1, parts = numbers }
    if not ok then
      return nil, why, err
    end
  end
  local waiting = 0
  for _, part in pairs(job.state.parts) do
    if part.again and part.status ~= "settled" then
      waiting = waiting + reopen_part(job, part, notes)
    end
  end
  job.store.round = job.state.round
  if waiting > 0 or job.state.round > 0 and not job.state.finished then
    return job.store:reopen()
  end
  return true
end


return M
