--- The families "envelope" and "each": requests are drawn from one file into calls of as many as
--- the service takes, several calls at once, and each request is settled as soon as its answer is
--- on disk.
---
--- What repeating could harm has an intent in the journal before it is sent. If its outcome is not
--- known it is never repeated: the result says "unknown_outcome".

local answers = require("batchapi.job.call.answers")
local batchapi_array = require("batchapi.core").array_mt
local drawing = require("batchapi.job.call.draw")
local failed_call = require("batchapi.job.call.failed")
local groups = require("batchapi.job.call.groups")
local submit = require("batchapi.job.batch.submit")
local trouble = require("batchapi.watch.patience")
local marks = require("batchapi.job.store.marks")

local M = {}

-- ---- one call -----------------------------------------------------------------------------------

--- Waits until the last minute has room for `count` more requests.
local function keep_pace(job, count)
  local most = job.options.requests_per_minute
  while most do
    local now, sum, kept = job.clock.now(), 0, {}
    for _, entry in ipairs(job.paced) do
      if now - entry.at < 60 then
        kept[#kept + 1], sum = entry, sum + entry.count
      end
    end
    job.paced = kept
    if sum == 0 or sum + count <= most then
      kept[#kept + 1] = { at = now, count = count }
      return true
    end
    local ok, why, err = job:sleep(math.max(kept[1].at + 60 - now, 0.01))
    if not ok then
      return nil, why, err
    end
  end
  return true
end


local function all_safe(job, call)
  if job.options.repeat_writes then
    return true
  end
  for _, item in ipairs(call.items) do
    if not item.safe then
      return false
    end
  end
  return true
end


local function announce(job, call)
  call.safe = all_safe(job, call)
  if call.safe and not job.run.create.id then
    return true
  end
  call.number = job.state.last_call + 1
  local indexes = {}
  for i, item in ipairs(groups.harmed(call)) do
    indexes[i] = item.index
  end
  local ok, why, err = job:record{ type = "call", call = call.number, requests = indexes, at = job.clock.wall() }
  if ok and job.state.calls[call.number] then
    job.state.calls[call.number].made = call
  end
  return ok, why, err
end


local function known_of(job, call)
  local known = job:known(nil)
  if job.run.family == "each" then
    known.request = call.items[1].request
  else
    local list, present = {}, {}
    for _, item in ipairs(call.items) do
      present[item.custom_id] = true
    end
    for i, item in ipairs(call.items) do
      list[i] = groups.sent(job, item, present)
    end
    known.requests = setmetatable(list, batchapi_array)
  end
  return known
end


local perform


--- What a call was answered. It is kept until all of it is on disk: a failure there loses nothing.
local function take_answer(job, call)
  local answer = call.answer
  local repeated, why, err
  if job.run.create.id then
    local id = answers.batch_id(job, answer)
    if id == nil then
      return failed_call.failed(job, call, ("the service accepted the batch but names no '%s'"):format(job.run.create.id),
        { kind = "decode", sent = true }, perform)
    end
    repeated, why, err = answers.of_batch(job, call, id)
  elseif answers.is_mismatched(job, call, answer) then
    return failed_call.mismatched(job, call, answer, perform)
  else
    repeated, why, err = answers.of_call(job, call, answer, call.response)
  end
  if not repeated then
    return nil, why, err
  end
  return answers.close(job, call, repeated)
end


function perform(job, call)
  local ok, why, err = keep_pace(job, #call.items)
  if not ok then
    return nil, why, err
  end
  ok, why, err = announce(job, call)
  if not ok then
    return nil, why, err
  end
  call.answer, call.response = nil, nil
  local answer, message, response = job:call(job.run.create, known_of(job, call))
  if answer == nil then
    return failed_call.failed(job, call, message, response, perform)
  end
  job.answered = job.answered + 1
  trouble.note(job, call, nil)
  call.answer, call.response = answer, response
  return take_answer(job, call)
end


-- ---- what is left over from an earlier process --------------------------------------------------

--- Calls whose intent has no outcome: those with a batch are watched on, of the others nobody
--- knows.
local function take_up(job, open)
  local made = open.made
  if made and made.answer and not open.batch_id then
    return take_answer(job, made)
  end
  local call = { number = open.call, items = {}, batch_id = open.batch_id, resumed = true }
  for _, index in ipairs(open.requests) do
    if not job.store:has(index) then
      call.items[#call.items + 1] = { index = index }
    end
  end
  if #call.items == 0 then
    return answers.close(job, call, 0)
  end
  local ok, why, err = answers.name_items(job, call)
  if not ok then
    return nil, why, err
  end
  if not call.batch_id then
    ok, why, err = answers.settle_all(job, call, "unknown_outcome",
      "the process died while this request was under way, and the service has no way to find out what became of it")
    if not ok then
      return nil, why, err
    end
    return answers.close(job, call, 0)
  end
  local repeated
  repeated, why, err = answers.watch(job, call)
  if not repeated then
    return nil, why, err
  end
  return answers.close(job, call, repeated)
end


local function begin_open_calls(job)
  for number, open in pairs(job.state.calls) do
    if open.found and not open.busy then
      open.busy = true
      job.workers = job.workers + 1
      job.machine:spawn(function()
        local ok, why, err = take_up(job, open)
        job.workers = job.workers - 1
        open.busy = false
        if ok then
          job.state.calls[number] = nil
          job.confirmed = true
        end
        return ok, why, err
      end)
    end
  end
end


-- ---- workers ------------------------------------------------------------------------------------

local function work(job)
  while true do
    local call, why, err = drawing.draw(job)
    if call == nil then
      return nil, why, err
    elseif not call then
      job.pass.exhausted = true
      return true
    end
    local ok
    ok, why, err = perform(job, call)
    if not ok then
      drawing.give_back(job, call)
      return nil, why, err
    end
    if not job.confirmed then
      job.confirmed = true
      job:schedule()
    end
    job:changed()
  end
end


local function next_pass(job, attempt)
  if job.pass and job.pass.reader then
    job.files:close(job.pass.reader)
  end
  local mark = marks.waiting(attempt)
  job.pass = { attempt = attempt, mark = mark, index = 0, reader = nil,
    exhausted = job.requests_damaged or job.ledger:tally(mark) == 0 } -- then the file need not be read
  job.kept = {}
end


--- Requests that a cancelled job has not sent get their result too.
local function settle_cancelled(job)
  next_pass(job, job.pass.attempt)
  job.pass.exhausted = true
  while true do
    local item, why, err = drawing.next_item(job)
    if not item and why then
      return nil, why, err
    elseif not item then
      return job.store:sync()
    end
    local ok
    ok, why, err = answers.settle_all(job, { items = { item } }, "cancelled",
      "the job was cancelled before this request was sent")
    if not ok then
      return nil, why, err
    end
  end
end


local function spawn_worker(job, f)
  job.workers = job.workers + 1
  job.machine:spawn(function()
    local ok, why, err = f(job)
    job.workers = job.workers - 1
    return ok, why, err
  end)
end


--- Begins what can begin; says whether anything is left to do.
---@param job table
---@return boolean left
function M.schedule(job)
  if not job.state.input then
    return true
  end
  if not job.pass then
    next_pass(job, 1)
  end
  begin_open_calls(job)
  local most = job.confirmed and job.concurrency or 1
  while not job.pass.exhausted and job.workers < most do
    spawn_worker(job, work)
  end
  if job.workers > 0 then
    return true
  end
  if job.state.cancelled and job.ledger:tally(job.pass.mark) > 0 then
    spawn_worker(job, settle_cancelled)
    return true
  end
  local attempt = job.pass.attempt + 1
  if job.ledger:tally(marks.waiting(attempt)) > 0 then
    local pause = job.pass.pause
    if pause then
      job.pass.pause = nil
      spawn_worker(job, function()
        return job:sleep(pause)
      end)
      return true
    end
    next_pass(job, attempt)
    return M.schedule(job)
  end
  return false
end


--- A stopped machine begins again: what was taken and not settled is open once more, unless its
--- intent is in the journal.
---@param job table
function M.restart(job)
  job.workers, job.drawing, job.kept = 0, false, {}
  for _, open in pairs(job.state.calls) do
    open.found, open.busy = true, false
  end
  local index = 1
  while index do
    index = job.ledger:next(index, marks.TAKEN)
    if index then
      job.ledger:set(index, job.pass and job.pass.mark or marks.OPEN)
    end
  end
  for _, open in pairs(job.state.calls) do
    for _, taken in ipairs(open.requests) do
      if not job.store:has(taken) then
        job.ledger:set(taken, marks.TAKEN)
      end
    end
  end
  if job.pass then
    next_pass(job, job.pass.attempt)
  end
end


--- How many requests are not at the service yet, or not known to be.
---@param job table { state, ledger, run }
---@return integer
function M.unsent(job)
  local ledger, sent = job.ledger, 0
  for _, open in pairs(job.run.create.id and job.state.calls or {}) do
    sent = sent + (open.batch_id and #open.requests or 0)
  end
  return math.max(marks.waiting_count(ledger) + ledger:tally(marks.TAKEN) - sent, 0)
end


--- Asks the service to cancel what is under way there.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.cancel(job)
  if not job.run.cancel then
    return true
  end
  for _, open in pairs(job.state.calls) do
    if open.batch_id then
      local ok, why, err = submit.cancel(job, open.batch_id)
      if not ok then
        return nil, why, err
      end
    end
  end
  return true
end


return M
