--- Failed requests are sent again once a job has ended: `job:retry`, and `resume` or `run` with more
--- `attempts` than there were.
---
--- Each time is a round (job/recover/again.lua) with its own record in the journal: requests of parts are written
--- into parts of a further attempt, whose files lie there before the record that names them; those of
--- calls are named by their numbers.

local core = require("batchapi.core")
local drawing = require("batchapi.job.call.draw")
local outcomes = require("batchapi.job.answer.outcome")
local parts = require("batchapi.job.input.parts")
local record_file = require("batchapi.job.store.record_file")
local requests_of = require("batchapi.job.input.request")
local marks = require("batchapi.job.store.marks")

local M = {}

-- The pass of calls that sends them.
local FIRST_PASS = 2


-- ---- which ----------------------------------------------------------------------------------------

--- How often a request of a round was sent at most.
local function tries(job, round)
  local retried = job.state.retries[round]
  return retried and retried.tries or (job.state.job.options or {}).attempts or 1
end


--- Are requests to be sent again that an earlier process gave up?
---@param job table
---@return boolean
function M.is_wished(job)
  local state = job.state
  return job.wish ~= nil or state.job ~= nil and job.durable and not job.reads_only and job.options.attempts > tries(job)
    and not (state.cancelled or state.salvaged)
end


--- May a failed request be sent again because there are more attempts now than there were?
local function is_repeatable(job, result)
  return (job.outcome:retryable(result) or job.has_parts and result.error.code == "expired")
    and tries(job, result.round) < job.options.attempts
end


--- Which requests are sent again, of those that have failed: the ones that job:retry has chosen, or
--- those that more attempts than there were allow.
---@param job table
---@param failed table<integer, table>|nil by their numbers
---@return table<integer, table> chosen
function M.choose(job, failed)
  local chosen, wish = {}, job.wish
  for index, result in pairs(failed or {}) do
    if not wish and is_repeatable(job, result) or wish and wish.chosen[index] then
      chosen[index] = result
    end
  end
  return chosen
end


--- How often each may be sent now, and how often it then was in all.
local function how_often(job, chosen)
  local most = 0
  for _, result in pairs(chosen) do
    most = math.max(most, tries(job, result.round))
  end
  local attempts = job.wish and job.wish.attempts or math.max(job.options.attempts - most, 1)
  return attempts, most + attempts
end


-- ---- requests of parts ----------------------------------------------------------------------------

local function last_attempt(job)
  local last = 1
  for _, part in pairs(job.state.parts) do
    last = math.max(last, part.attempt)
  end
  return last
end


--- Does a part of the first attempt hold a chosen request?
---@param chosen table<integer, table>
---@param part table
---@return boolean
function M.holds_any(chosen, part)
  for index = part.first, part.first + part.count - 1 do
    if chosen[index] then
      return true
    end
  end
  return false
end


local Gathering = {}
Gathering.__index = Gathering


function Gathering:finish()
  if not self.writer.part then
    return true
  end
  local record, why, err = self.writer:finish()
  if not record then
    return nil, why, err
  end
  record.span, record.most = self.last - record.first + 1, self.most
  self.records[#self.records + 1] = record
  return true
end


function Gathering:add(index, line)
  local writer, ok, why, err = self.writer, true, nil, nil
  local inputs = self.maker and self.maker:inputs(core.decode(line)) or 0
  if writer.part and not writer:fits(#line, inputs) then
    ok, why, err = self:finish()
  end
  if ok and not writer.part then
    ok, why, err = writer:begin(self.job:new_part(), self.attempt, index)
  end
  if not ok then
    return nil, why, err
  end
  self.last = index
  return writer:add(line, inputs)
end


--- Writes those of a part that are sent again.
function Gathering:take(part)
  local job, chosen = self.job, self.chosen
  local lines, why, err = parts.lines(job, part)
  local ok = lines ~= nil
  for index = part.first, lines and part.first + part.count - 1 or 0 do
    local line
    line, why, err = lines.next()
    ok = line ~= nil
    if ok and chosen[index] then
      ok, why, err = self:add(index, line)
    end
    if not ok then
      break
    end
    job:breathe()
  end
  if lines then
    lines.close()
  end
  return ok or nil, why, err
end


--- Those of parts whose files are damaged cannot be sent.
local function drop_unwritten(job, chosen, part)
  for index = part.first, part.first + part.count - 1 do
    chosen[index] = nil
  end
  job.warnings[#job.warnings + 1] = ("part %d is damaged: its requests cannot be sent again"):format(part.part)
end


--- Writes the chosen requests into parts of a further attempt. Gives their records.
local function gather(job, chosen, attempts)
  local last = last_attempt(job)
  local self = setmetatable({ job = job, chosen = chosen, writer = parts.new(job), records = {}, attempt = last + 1,
    most = last + attempts, last = 0,
    maker = (job.run.limits or {}).inputs and requests_of.new(job.run, job.options) or nil }, Gathering)
  local ok, why, err = true, nil, nil
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if ok and part and part.attempt == 1 and M.holds_any(chosen, part) then
      if part.damaged or part.vanished then
        drop_unwritten(job, chosen, part)
      else
        ok, why, err = self:take(part)
      end
    end
  end
  if ok then
    ok, why, err = self:finish()
  end
  if not ok then
    self.writer:abandon()
    job.part_count = job.state.last_part
    return nil, why, err
  end
  return self.records
end


-- ---- requests of calls ----------------------------------------------------------------------------

--- The numbers as pairs of the first and the last of a run.
local function runs_of(chosen)
  local numbers, runs = {}, {}
  for index in pairs(chosen) do
    numbers[#numbers + 1] = index
  end
  table.sort(numbers)
  for _, index in ipairs(numbers) do
    if runs[#runs] == index - 1 then
      runs[#runs] = index
    else
      runs[#runs + 1], runs[#runs + 2] = index, index
    end
  end
  return runs
end


local surely_not_sent = { cancelled = true, failed_dependency = true }


--- Was a request surely not carried out, or does it harm nothing when it is twice?
local function harms_nothing(job, request, result)
  local status, code = result.status, result.error.code
  return job.options.repeat_writes or surely_not_sent[code] or drawing.is_safe(job, request)
    or status ~= nil and status >= 400 and status < 500 and status ~= 408 and status ~= 409
end


--- Leaves out what writes and may have been carried out, unless job:retry was told to choose; says how
--- many such there are.
local function weigh(job, chosen)
  local wish, harmed = job.wish, 0
  local reader, why, err = job.files:reader("requests.jsonl", record_file.any_length)
  if not reader then
    return nil, why, err
  end
  local runs = runs_of(chosen)
  for index = 1, runs[#runs] or 0 do
    local request, message, failure = job.files:json(reader)
    if request == nil then
      job.files:close(reader)
      return nil, message or "requests.jsonl is shorter than the journal says",
        failure or { kind = "job", code = "requests_damaged" }
    end
    local result = chosen[index]
    if result and outcomes.may_be_paid(result.error.code) then
      harmed = harmed + 1
    elseif result and not harms_nothing(job, request, result) then
      chosen[index] = wish and wish.only and result or nil
      harmed = harmed + (chosen[index] and 1 or 0)
    end
    job:breathe()
  end
  job.files:close(reader)
  return harmed
end


-- ---- both -----------------------------------------------------------------------------------------

local function count_paid(chosen)
  local count = 0
  for _, result in pairs(chosen) do
    count = count + (outcomes.may_be_paid(result.error.code) and 1 or 0)
  end
  return count
end


--- The record of the round; nil alone: there is nothing to be sent.
local function round_of(job, chosen)
  if next(chosen) == nil then
    return nil
  end
  local attempts, all = how_often(job, chosen)
  local record = { type = "retried", round = job.state.round + 1, attempts = attempts, tries = all }
  local why, err
  if job.has_parts then
    record.parts, why, err = gather(job, chosen, attempts)
    record.maybe_paid = count_paid(chosen)
  else
    record.maybe_paid, why, err = weigh(job, chosen)
    record.requests = runs_of(chosen)
  end
  if why then
    return nil, why, err
  end
  return next(chosen) ~= nil and record or nil
end


--- Are the files what was written that hold the chosen requests? Those of parts that are known to be damaged
--- are taken out.
---@param job table
---@param chosen table<integer, table>
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check_files(job, chosen)
  if not job.has_parts and next(chosen) ~= nil then
    return parts.check_whole(job)
  end
  for number = 1, job.has_parts and job.state.last_part or 0 do
    local part = job.state.parts[number]
    if part and part.attempt == 1 and M.holds_any(chosen, part) then
      if part.damaged or part.vanished then
        drop_unwritten(job, chosen, part)
      else
        local ok, why, err = parts.check(job, part)
        if not ok then
          return nil, why, err
        end
      end
    end
  end
  return true
end


--- Sends requests again: writes what that takes, the record of it, and marks them as waiting.
---@param job table
---@param chosen table<integer, table> their results, by number; those that cannot be sent are taken out
---@param mark fun(index: integer, mark: integer)
---@return integer|nil count
---@return string|nil message
---@return table|nil err
function M.begin(job, chosen, mark)
  local record, why, err = round_of(job, chosen)
  if not record then
    return why == nil and 0 or nil, why, err
  end
  local ok
  ok, why, err = job:record(record)
  if not ok then
    return nil, why, err
  end
  local count, waiting = 0, marks.waiting(record.parts and record.parts[1].attempt or FIRST_PASS)
  for index in pairs(chosen) do
    mark(index, waiting)
    count = count + 1
  end
  return count
end


return M
