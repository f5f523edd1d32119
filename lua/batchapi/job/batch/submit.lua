--- Submitting once: a batch is created with its intent on disk before, its outcome after. What became
--- of a create whose answer was lost is established before anything is repeated: where the service
--- has files, by job/batch/fence.lua; where it has only a list, by looking over the settling time.

local backoff = require("batchapi.watch.backoff")
local errors = require("batchapi.util.errors")
local fence = require("batchapi.job.batch.fence")
local lookup = require("batchapi.job.batch.lookup")
local parts = require("batchapi.job.input.parts")
local paths = require("batchapi.util.path")
local ready = require("batchapi.job.batch.ready")
local trouble = require("batchapi.watch.patience")

local M = {}

-- Repeats of what is surely not accepted: the file not visible yet, a rate limit, no connection.
local NOT_YET_TRIES = 8
local FIRST_PAUSE, LONGEST_PAUSE, LONGEST_REST = 0.5, 60, 900 -- seconds, between tries; before a part begins anew
local FIRST_PATIENCE = 120 -- seconds, before the service has accepted anything
-- How often a create may be made anew after the service was asked and did not have it.
local LOST_CREATES = 5
-- How often a file that was there and cannot be found is uploaded anew.
local UPLOADS_ANEW = 2


local function contains(text, list)
  text = text:lower()
  for _, piece in ipairs(list or {}) do
    if text:find(piece:lower(), 1, true) then
      return true
    end
  end
  return false
end


--- Do a code and a message say "again in a moment"?
function M.is_not_yet(job, message)
  return contains(message or "", job.run.create.not_yet)
end


--- Do they say "when another batch has ended"?
function M.is_queue(job, code, message)
  for _, word in ipairs(job.run.create.queue or {}) do
    if code == word or (message or ""):find(word, 1, true) then
      return true
    end
  end
  return false
end


--- One attempt to create, with its intent and its outcome in the journal.
---@return table|nil answer
---@return string|nil message
---@return table|nil err
local function create(job, part)
  local ok, why, err = true, nil, nil
  if job.run.family == "inline" then -- the file is what is sent
    ok, why, err = parts.check_unchanged(job, part)
  end
  if not ok then
    return nil, why, err
  end
  ok, why, err = job:record{
    type = "create", part = part.part, at = job.clock.wall(), date = lookup.service_time(job),
  }
  if not ok then
    return nil, why, err
  end
  local known = job:known(part.part)
  local answer
  answer, why, err = job:call(job.run.create, known, job:create_overrides(part))
  lookup.note_date(job, answer and err or err.response)
  local id = answer and paths.get(answer, job.run.create.id)
  if answer and (id == nil or id == "") then
    return nil, ("the service accepted the batch but names no '%s'"):format(job.run.create.id),
      { kind = "decode", sent = true }
  elseif answer then
    ok, why, err = job:record{ type = "created", part = part.part, batch_id = id }
    return ok and answer, why, err
  end
  if M.surely_refused(err) then
    ok = job:record{ type = "uncreated", part = part.part, why = why }
    if not ok then
      part.status = "creating"
    end
  end
  return nil, why, err
end


--- Is it certain that the service did not accept the call?
---@param err table
---@return boolean
function M.surely_refused(err)
  if err.sent == false then
    return true
  end
  local status = err.status
  return status ~= nil and status >= 400 and status < 500 and status ~= 408 and status ~= 409
end


--- May the same call be accepted in a while, when it surely was not?
---@param err table
---@return boolean
function M.passes(err)
  return err.kind == "rate_limit" or err.kind == "connect" or err.status == 423 or err.status == 425
    or err.sent == false and (err.kind == "timeout" or err.retryable == true)
end


--- When a lost create can last have been under way, where nothing but time keeps it from coming: an
--- earlier process may have died at any moment of the call.
local function lost_since(job, part)
  local now = job.clock.wall()
  if part.lost_at or not part.intent or part.intent > now then
    return part.lost_at or now
  end
  return math.min(now, part.intent + (job.client._settings.timeout or 600))
end


--- Where the service has no files to delete: looks over the settling time, and believes that what
--- has not come by then never will.
local function look_only(job, part)
  local before, began = job.clock.wall() - lost_since(job, part), job.clock.now()
  local found, why, err = lookup.over(job, part, function()
    return before + job.clock.now() - began
  end)
  if found == nil then
    return nil, why, err
  end
  local ok
  if found then
    ok, why, err = job:record{ type = "created", part = part.part, batch_id = found.id, found = true }
  else
    ok, why, err = job:record{ type = "uncreated", part = part.part, why = "not found" }
  end
  return ok and (found and "created" or "absent"), why, err
end


local stopping = { auth = true, closed = true, cancelled = true, io = true, locked = true, job = true, tls = true }


--- Is it the job that cannot go on, and not only this part? Also for now: what may pass is asked
--- again by whoever waits for the job next.
local function stops_job(err)
  return stopping[err.kind] or err.code ~= "list_broken" and trouble.passes(err, true)
end


--- An answer was lost: finds the batch, or establishes that there is none.
---@return string|nil outcome "created", "absent", "fenced" or "unknown"; nil: the job cannot go on
---@return string|nil message for "unknown": the cause
---@return table|nil err
local function settle_lost(job, part)
  local cause = part.lost_because or "the process ended while the batch was being created"
  if not job.run.lookup then
    return "unknown", cause .. "; the service has no way to find out what became of it"
  end
  local outcome, why, err = (job.run.fence and fence.establish or look_only)(job, part)
  if outcome then
    return outcome
  elseif stops_job(err) then
    return nil, why, err
  end
  return "unknown", ("%s; what became of it could not be found out: %s"):format(cause, why), err
end


--- The service does not find a file that it once gave an id: another upload may help.
local function upload_anew(job, part)
  part.anew = (part.anew or 0) + 1
  return job:record{ type = "forgot", part = part.part, file_id = part.file_id }
end


--- Is a create that was surely not accepted worth another try? Before anything was accepted whoever
--- called `run` waits to hear of it; but one whose upload was taken has asked the right service.
local function is_worth(job, part, tries, err)
  if not M.passes(err) then
    return false
  end
  return job.confirmed or err.kind == "rate_limit" and err.retry_after ~= nil
    or part.file_id ~= nil and job.clock.now() - tries.began < FIRST_PATIENCE
end


--- What to do after a create that was surely not accepted.
---@return string|nil verdict "queue", "refused", "again", "anew"; nil with why, err: the job cannot go on
local function judge(job, part, tries, why, err)
  if M.is_queue(job, err.code, err.message) then
    return "queue"
  elseif M.is_not_yet(job, err.message) and tries.not_yet < NOT_YET_TRIES then
    tries.not_yet, part.ready = tries.not_yet + 1, nil
    return "again"
  elseif M.is_not_yet(job, err.message) and job.run.fence and (part.anew or 0) < UPLOADS_ANEW then
    return "anew"
  elseif is_worth(job, part, tries, err) then
    return "again"
  elseif err.kind == "auth" or M.passes(err) or err.retryable == false and err.status == 429
    or err.status == nil then
    return nil, why, err
  end
  return "refused", why, err
end


local function pause_before(job, tries, err)
  return job:sleep(tries.pauses:next(err.retry_after))
end


--- The answers to so many creates were lost that the next one's would be.
local function give_up(part, count)
  local why = ("not submitted: the answers to %d creates were lost, and none of them made a batch (the last: %s)")
    :format(count, part.lost_because or "the process ended")
  local last = part.lost_error or {}
  return "refused", why, errors.new{ kind = last.kind or "timeout", message = why, status = last.status,
    code = last.code, sent = true, retryable = true }
end


--- No batch was made of the file, which is gone: the part begins anew with another, up to a bound,
--- and each time later.
local function begin_anew(job, part)
  if part.fences > LOST_CREATES then
    return give_up(part, part.fences)
  elseif part.fences > 1 then
    local ok, why, err = job:sleep(math.min(job.options.settle * 2 ^ (part.fences - 2), LONGEST_REST))
    return ok and "anew", why, err
  end
  return "anew"
end


--- What a create whose answer was lost came to.
---@return string|nil verdict as submit() gives it; "absent": create it again
local function after_lost(job, part, tries)
  local outcome, why, err = settle_lost(job, part)
  if outcome == "fenced" then
    return begin_anew(job, part)
  elseif outcome == "absent" and tries.lost > LOST_CREATES then
    return give_up(part, tries.lost)
  end
  return outcome, why, err
end


--- One create and what follows from it at once.
---@return string|nil verdict as submit() gives it; "again": at once; "lost"
local function try(job, part, tries)
  local usable, why, err = ready.wait(job, part)
  if usable == nil then
    return nil, why, err
  elseif not usable then
    return "refused", why, errors.new{ kind = "http", code = "file_failed", message = why, sent = true }
  end
  local answer
  answer, why, err = create(job, part)
  if answer then
    return "created"
  elseif part.status == "creating" then
    if stopping[err.kind] then
      return nil, why, err
    end
    tries.lost = tries.lost + 1
    part.lost_at, part.lost_because, part.lost_error = job.clock.wall(), why, err
    return "lost"
  end
  local verdict, reason, failure = judge(job, part, tries, why, err)
  if verdict ~= "again" then
    return verdict, reason, failure
  end
  local ok
  ok, reason, failure = pause_before(job, tries, err)
  return ok and "again", reason, failure
end


--- Makes the part's batch at the service, once.
---@param job table
---@param part table
---@return string|nil verdict "created"; "anew", upload it again; "queue"; "refused", with why, err; "unknown", with why
---@return string|nil message
---@return table|nil err
function M.submit(job, part)
  local tries = { not_yet = 0, lost = 0, began = job.clock.now(), pauses = backoff.new(FIRST_PAUSE, LONGEST_PAUSE) }
  local verdict, why, err
  repeat
    if part.status == "creating" or part.status == "fencing" then
      verdict, why, err = after_lost(job, part, tries)
    else
      verdict, why, err = try(job, part, tries)
    end
  until verdict ~= "again" and verdict ~= "lost" and verdict ~= "absent"
  if verdict == "anew" and part.status ~= "written" then
    local ok
    ok, why, err = upload_anew(job, part)
    return ok and "anew", why, err
  end
  return verdict, why, err
end


--- Asks the service to cancel a batch. One that has ended already (400, 404, 409) is fine.
---@param job table
---@param batch_id string
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.cancel(job, batch_id)
  local answer, why, err = job:call(job.run.cancel, { batch_id = batch_id })
  if answer or err.status == 400 or err.status == 404 or err.status == 409 then
    return true
  end
  return nil, why, err
end


return M
