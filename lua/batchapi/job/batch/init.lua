--- The families "file" and "inline": parts that become batches at the service, are watched, and
--- collected.
---
--- Each part has a task of its own while it is under way: uploads run beside the writing of the
--- next part; batches are made once the whole input is written, so that a broken line has cost
--- nothing.

local collect = require("batchapi.job.batch.collect")
local doubles = require("batchapi.job.batch.doubles")
local errors = require("batchapi.util.errors")
local lookup = require("batchapi.job.batch.lookup")
local parts = require("batchapi.job.input.parts")
local paths = require("batchapi.util.path")
local persist = require("batchapi.watch.retry")
local ready = require("batchapi.job.batch.ready")
local schedule = require("batchapi.job.batch.schedule")
local submit = require("batchapi.job.batch.submit")
local trouble = require("batchapi.watch.patience")
local watch = require("batchapi.job.batch.watch")

local M = {}

local REMADE = 5 -- times that a batch whose create's answer was lost fails before anything runs
local QUEUE_TRIES = 12 -- of a part that no other batch of ours stands in the way of


-- ---- the steps of one part ----------------------------------------------------------------------

--- Sends the file; once the job is under way, a failure that may pass is waited out. (Before,
--- whoever called `run` is there to hear of it.) A file sent twice costs nothing.
local function send_file(job, part, known)
  return persist.run(job, function()
    local answer, why, response = job:call(job.run.upload, known, { disk = job.files.disk })
    lookup.note_date(job, answer and response or response.response)
    return answer, why, response
  end, function(err)
    return job.confirmed and trouble.passes(err, true)
  end, nil, part)
end


--- The reasons of a batch that the service refused or never answered for.
local function end_without_batch(job, part, outcome, code, message)
  return job:record{
    type = "ended", part = part.part, outcome = outcome, reasons = { { code = code, message = message } },
  }
end


local function upload(job, part)
  local known = job:known(part.part)
  -- Its name at the service says whose it is: the job, the part, and how many-th file of it.
  known.path = { path = job:path(parts.name(job.run.family, part.part)),
    filename = ("%s-%05d-%d.jsonl"):format(job.id, part.part, part.uploads + 1) }
  local whole, why, err = parts.check_unchanged(job, part)
  local answer
  if whole then
    answer, why, err = send_file(job, part, known)
  end
  if not answer then
    return nil, why, err
  end
  local id = paths.get(answer, job.run.upload.id)
  if type(id) ~= "string" then
    return errors.fail(errors.new{ kind = "decode", operation = job.run.upload.operation, sent = true,
      message = ("the answer names no file ('%s')"):format(job.run.upload.id) })
  elseif part.spent[id] then -- a create of it may still be under way
    return end_without_batch(job, part, "unknown", "unknown_outcome", ("the service gave the file %s twice: "
      .. "the answer to a batch's creation from it was lost, and may not be told from another's"):format(id))
  end
  local ok
  ok, why, err = job:record{ type = "uploaded", part = part.part, file_id = id }
  if ok then
    ready.take(job, part, answer)
  end
  return ok, why, err
end


--- Takes back a file that no batch was made of, as `cleanup` asks: who called `run` hears of the
--- refusal, and the job ends here.
local function take_back(job, part)
  if not (job.options.cleanup and job.run.delete and part.file_id) then
    return
  end
  local answer, why, err = job:call(job.run.delete, { file_id = part.file_id })
  if answer or err.status == 404 then
    job:record{ type = "forgot", part = part.part }
  else
    job.warnings[#job.warnings + 1] = why
  end
end


local function submitted(job, part)
  local verdict, why, err = submit.submit(job, part)
  if verdict == "created" then
    job.confirmed = true
    job:schedule() -- the other parts have waited for this
    return true
  elseif verdict == "anew" then
    return true
  elseif verdict == "unknown" then
    return end_without_batch(job, part, "unknown", "unknown_outcome", "the answer to the batch's creation was lost: " .. why)
  elseif verdict == "queue" then
    return "queue", why
  elseif verdict == "refused" and (job.confirmed or part.attempt > 1) then
    return end_without_batch(job, part, "refused", err.code or err.kind, why)
  elseif verdict == "refused" then
    take_back(job, part)
  end
  return nil, why, err
end


--- Did nothing of the batch run? Only then may it be made again: one that broke midway was paid in
--- part, and what there is of it is collected.
local function ran_nothing(part, ended)
  local counts = part.counts or {}
  for _, source in ipairs(ended.sources) do
    if source then
      return false
    end
  end
  return ended.outcome == "failed" and (counts.completed or 0) + (counts.failed or 0) == 0
end


--- Why a batch that ended before anything ran may be made anew; nil: it may not.
local function passing_failure(job, part, ended)
  if job.state.cancelled or not ran_nothing(part, ended) then
    return nil
  end
  for _, reason in ipairs(ended.reasons or {}) do
    if submit.is_queue(job, reason.code, reason.message) then
      if job.active <= 1 then -- beside others of ours it may be them that stand in the way
        part.queued = (part.queued or 0) + 1
      end
      return (part.queued or 0) <= QUEUE_TRIES and "queue"
    elseif submit.is_not_yet(job, reason.message) then
      part.not_yet = (part.not_yet or 0) + 1
      return part.not_yet <= 5 and "not_yet"
    end
  end
  -- Its file may be gone for what was done to establish what became of its create.
  return part.adopted and job.run.fence and part.remade < REMADE and "adopted"
end


--- A batch of a cancelled job is cancelled, if that was not asked before.
local function cancel_one(job, part)
  if part.cancel_sent or not job.run.cancel then
    return true
  end
  local ok, why, err = submit.cancel(job, part.batch_id)
  part.cancel_sent = ok
  return ok, why, err
end


local function watched(job, part)
  if job.state.cancelled then
    local ok, why, err = cancel_one(job, part)
    if not ok then
      return nil, why, err
    end
  end
  local ended, why, err = watch.until_ended(job, part)
  if not ended then
    return nil, why, err
  end
  local passing = passing_failure(job, part, ended)
  local ok
  if passing then
    ok, why, err = job:record{ type = "requeued", part = part.part, why = passing }
    if not ok then
      return nil, why, err
    elseif passing == "queue" then
      return "queue"
    end
    ok, why, err = job:sleep(2 ^ (part.not_yet or 1) / 2)
    return ok and "again", why, err
  end
  ok, why, err = doubles.count(job, part)
  if not ok then
    return nil, why, err
  end
  ended.type, ended.part, ended.at = "ended", part.part, job.clock.wall()
  return job:record(ended)
end


--- The files that the part left at the service.
local function ids_left(part)
  local ids = { part.file_id }
  for _, id in ipairs(part.stale) do
    ids[#ids + 1] = id
  end
  for _, id in ipairs(part.sources or {}) do
    ids[#ids + 1] = type(id) == "string" and id or nil
  end
  return ids
end


--- Is there anything to be deleted there? Not while something was not handed out, or never came.
local function needs_cleaning(job, part)
  return job.options.cleanup and job.run.delete and not (part.cleaned or part.uncleaned or part.incomplete)
end


--- Says once what `cleanup` leaves there.
local function warn_of_left(job, part)
  if job.options.cleanup and job.run.delete and part.incomplete and not part.warned then
    part.warned = true
    job.warnings[#job.warnings + 1] = ("part %d: not all of its answers could be handed out, so cleanup left its files at "
      .. "the service: %s"):format(part.part, table.concat(ids_left(part), ", "))
  end
end


--- Deletes what the part left at the service, as `cleanup` asks. What is gone already is fine; what
--- cannot be deleted is told, and left to the next process that is asked to.
local function clean(job, part)
  for _, id in ipairs(ids_left(part)) do
    local answer, why, err = job:call(job.run.delete, { file_id = id })
    if not answer and err.status ~= 404 then
      part.uncleaned = true
      job.warnings[#job.warnings + 1] = why -- the results are safe; a file left behind is no failure
    end
  end
  return part.uncleaned or job:record{ type = "cleaned", part = part.part }
end


-- What is to be done next, by the state a part is in.
local steps = {}


function steps.uploaded(job, part)
  if job.state.cancelled then
    return end_without_batch(job, part, "cancelled_before", "cancelled", "the job was cancelled before this batch was made")
  end
  return submitted(job, part)
end


function steps.written(job, part)
  if job.state.cancelled then
    return steps.uploaded(job, part)
  elseif job.run.upload then
    return upload(job, part)
  end
  return submitted(job, part)
end

steps.creating, steps.fencing = submitted, submitted
steps.created = watched


function steps.ended(job, part)
  local ok, why, err = collect.download(job, part)
  if not ok then
    return nil, why, err
  end
  return collect.settle(job, part)
end


--- A step of a part failed. What the service refuses of this part alone, once it has accepted
--- another, is the end of this part alone.
local function failed(job, part, why, err)
  local is_made = part.batch_id ~= nil
  if (part.status == "written" or part.status == "uploaded") and job.confirmed and trouble.is_refusal(err) then
    return end_without_batch(job, part, "refused", err.code or err.kind, why)
  elseif is_made and err.kind == "auth" and not err.told then
    err.told = true
    err.message = err.message .. "; its batches go on at the service: put this right, then wait for the job again"
      .. (job.temporary and "" or " or resume it")
    why = err.message
  end
  return nil, why, err
end


--- Takes a part from where it is to its end. "queue" gives its place to another.
local function pipeline(job, part)
  while steps[part.status] do
    local before = part.status
    local ok, why, err = steps[before](job, part)
    if not ok then
      ok, why, err = failed(job, part, why, err)
    end
    if not ok then
      return nil, why, err
    elseif ok == "queue" then
      part.held = true
      return true
    end
    job.confirmed = job.confirmed or part.status == "settled"
    job:changed()
  end
  warn_of_left(job, part)
  if needs_cleaning(job, part) then
    return clean(job, part)
  end
  return true
end


--- Begins what can begin; says whether anything is left to do.
---@param job table
---@return boolean left
function M.schedule(job)
  return schedule.run(job, upload, pipeline, needs_cleaning)
end


--- Are files at the service that `cleanup` asks to be deleted? Also of a job that has ended without it.
---@param job table
---@return boolean
function M.leaves_files(job)
  for _, part in pairs(job.state.parts) do
    if part.status == "settled" and needs_cleaning(job, part) then
      return true
    end
  end
  return false
end


local not_there = { written = true, uploaded = true, creating = true, fencing = true }


--- How many parts have no batch at the service yet.
---@param job table { state }
---@return integer
function M.unsent(job)
  local count = 0
  for _, part in pairs(job.state.parts) do
    count = count + (not_there[part.status] and 1 or 0)
  end
  return count
end


--- Asks the service to cancel every batch that is under way.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.cancel(job)
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and part.status == "created" then
      local ok, why, err = cancel_one(job, part)
      if not ok then
        return nil, why, err
      end
    end
  end
  return true
end


return M
