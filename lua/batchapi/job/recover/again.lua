--- A job that had ended is opened again: for answers that could not be fetched, which are there still and
--- paid, and for failed requests that are to be sent again (job/retry.lua). Each such round has a number,
--- and its results bear it: a request's newest counts.

local parts = require("batchapi.job.input.parts")
local retry = require("batchapi.job.recover.retry")
local tally = require("batchapi.job.store.tally")
local marks = require("batchapi.job.store.marks")

local M = {}

local SENT_AGAIN = { status = "written" } -- stands for the part of a round that is just begun


---@class batchapi.job.Notes
---@field job table
---@field uncollected table<integer, integer> by request, the round in which its answer could not be fetched
---@field former table<integer, table>|nil of a job that was opened again, the newest result of each request
---@field failed table<integer, table>|nil where failed ones may be sent again, those
---@field waiting integer requests whose newest result counts no more

--- Notes what a recovered job's results say, one after the other, as they were written.
---@param job table
---@return batchapi.job.Notes notes
function M.notes(job)
  return { job = job, uncollected = {}, former = job.state.round > 0 and {} or nil,
    failed = retry.is_wished(job) and {} or nil, waiting = 0 }
end


--- A request has a result; the one it had before counts no more.
---@param notes batchapi.job.Notes
---@param result table
function M.note(notes, result)
  local index, reason, former = result.index, result.error, notes.former
  local code = type(reason) == "table" and reason.code or nil
  notes.uncollected[index] = code == "uncollected" and (result.round or 0) or nil
  if former then
    if former[index] then
      tally.remove(notes.job.store.counts, former[index])
    end
    former[index] = { ok = result.ok, error = { code = code }, round = result.round or 0 }
  end
  if notes.failed then
    notes.failed[index] = not result.ok and { ok = false, status = result.status, error = { code = code },
      round = result.round or 0 } or nil
  end
end


--- A request waits again: the result it had counts no more.
---@param notes batchapi.job.Notes
---@param index integer
---@param mark integer
---@param code string|nil of the result
local function wait_again(notes, index, mark, code)
  local job = notes.job
  if job.store:has(index) then
    tally.remove(job.store.counts, notes.former and notes.former[index] or { ok = false, error = { code = code } })
    notes.waiting = notes.waiting + 1
  end
  job.ledger:set(index, mark)
end


--- Does a request wait in a part, or in a round of calls: has it no result, or only one of before?
local function waits(notes, index, round)
  local former = notes.former and notes.former[index]
  return not notes.job.store:has(index) or former ~= nil and former.round < round
end


--- Marks a request that waits in a part of a further attempt.
---@param notes batchapi.job.Notes
---@param part table
---@param index integer
function M.mark(notes, part, index)
  if waits(notes, index, part.round) then
    wait_again(notes, index, marks.waiting(part.attempt))
    notes.job.waiting_in[index] = part
    notes.uncollected[index] = nil -- it is sent again, whatever becomes of that answer
  end
end


--- Marks the requests that wait to be sent again in calls.
---@param notes batchapi.job.Notes
function M.mark_calls(notes)
  for round, retried in pairs(notes.job.state.retries) do
    for i = 1, #retried.requests, 2 do
      for index = retried.requests[i], retried.requests[i + 1] do
        if waits(notes, index, round) then
          wait_again(notes, index, marks.waiting(2))
          notes.uncollected[index] = nil
        end
      end
    end
  end
end


-- ---- answers that could not be fetched ----------------------------------------------------------

local function any_uncollected(notes, first, last)
  for index = first, last do
    if notes.uncollected[index] then
      return true
    end
  end
  return false
end


--- The parts, and the calls, some of whose answers could not be fetched.
---@param job table
---@param notes batchapi.job.Notes|nil nil: as far as the journal tells
---@return integer[] parts
---@return integer[] calls
local function incomplete(job, notes)
  local numbers, calls, state = {}, {}, job.state
  for number = 1, job.has_parts and job.durable and state.last_part or 0 do
    local part = state.parts[number]
    if part and part.status == "settled" and part.uncollected and part.batch_id
      and (not notes or any_uncollected(notes, part.first, part.first + part.span - 1)) then
      numbers[#numbers + 1] = number
    end
  end
  for number, owed in pairs(job.durable and state.owed or {}) do
    for _, index in ipairs(owed.requests) do
      if not notes or notes.uncollected[index] then
        calls[#calls + 1] = number
        break
      end
    end
  end
  return numbers, calls
end


--- Is there nothing to be done for a job but to hand out its results? Before they are read.
---@param job table
---@return boolean
function M.is_replay(job)
  local numbers, calls = incomplete(job)
  return job.store:is_finished() and (job.reads_only or #numbers == 0 and #calls == 0 and not retry.is_wished(job)
    and (job.state.finished or job.state.round == 0))
end


--- Nobody can be asked: whoever reads the job is told.
local function tell_left(notes)
  local count = 0
  for _ in pairs(notes.uncollected) do
    count = count + 1
  end
  notes.job.warnings[#notes.job.warnings + 1] = ("%d answers could not be fetched: resume with { client = … } asks for "
    .. "them again"):format(count)
end


--- The requests of a part, or of a call, wait again for what could not be fetched.
local function await(notes, index, mark)
  local round = notes.uncollected[index]
  if round and round < notes.job.state.round then
    wait_again(notes, index, mark, "uncollected")
  end
end


local function await_part(notes, part)
  local mark = marks.waiting(part.attempt)
  if part.attempt == 1 then
    for index = part.first, part.first + part.span - 1 do
      await(notes, index, mark)
    end
    return true
  end
  return parts.each_id(notes.job, part, function(id)
    await(notes, notes.job:find(id), mark)
  end)
end


local function await_all(notes)
  local job = notes.job
  for number = 1, job.state.last_part do -- a further attempt's after those of the first
    local part = job.state.parts[number]
    if part and part.again and part.status ~= "settled" then
      local ok, why, err = await_part(notes, part)
      if not ok then
        return nil, why, err
      end
    end
  end
  for _, open in pairs(job.state.calls) do
    for _, index in ipairs(open.requests) do
      await(notes, index, marks.TAKEN)
    end
  end
  return true
end


--- Opens a job again whose answers are not all here, or some of whose requests are to be sent again.
---@param notes batchapi.job.Notes
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.reopen(notes)
  local job, state = notes.job, notes.job.state
  local chosen = retry.choose(job, notes.failed)
  for index in pairs(chosen) do
    notes.uncollected[index] = nil
  end
  local numbers, calls = incomplete(job, notes)
  local ok, why, err = true, nil, nil
  if #numbers + #calls > 0 and job.reads_only then
    tell_left(notes)
  elseif #numbers + #calls > 0 then
    ok, why, err = job:record{ type = "reopened", round = state.round + 1, parts = numbers, calls = calls }
  end
  if ok then
    ok, why, err = await_all(notes)
  end
  if ok then
    ok, why, err = retry.begin(job, chosen, function(index, mark)
      wait_again(notes, index, mark, chosen[index].error.code)
      job.waiting_in[index] = SENT_AGAIN
    end)
  end
  if not ok then
    return nil, why, err
  end
  job.sent_again = ok
  job.store.round = state.round
  if notes.waiting > 0 or state.round > 0 and not state.finished then
    return job.store:reopen()
  end
  return true
end


return M
