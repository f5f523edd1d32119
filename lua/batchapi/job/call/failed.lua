--- Calls (families "envelope" and "each") that failed as a whole, or whose answers nobody can tell
--- apart.

local answers = require("batchapi.job.call.answers")
local backoff = require("batchapi.watch.backoff")
local groups = require("batchapi.job.call.groups")
local submit = require("batchapi.job.batch.submit")
local trouble = require("batchapi.watch.patience")

local M = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60 -- seconds
local PATIENCE = 900 -- seconds, with a call that fails while others are answered
local SAFE_TRIES = 4


--- Makes the call again after a pause, and each time a longer one.
local function once_more(job, call, why, err, perform)
  trouble.note(job, call, trouble.more(call.trouble, why, job.clock.wall()))
  call.pauses = call.pauses or backoff.new(FIRST_PAUSE, LONGEST_PAUSE)
  local ok, message, failure = job:sleep(call.pauses:next(err.retry_after))
  if not ok then
    return nil, message, failure
  end
  return perform(job, call)
end


--- The call was surely not carried out.
local function refused(job, call, why, err, perform)
  call.began = call.began or job.clock.now()
  -- Before anything was accepted, who called `run` is there to hear that no server is.
  if submit.passes(err) and (job.confirmed or err.status)
    and trouble.is_endured(err, job.confirmed, job.clock.now() - call.began) then
    if call.number then
      local ok, message, failure = job:record{ type = "answered", call = call.number }
      if not ok then
        return nil, message, failure
      end
    end
    return once_more(job, call, why, err, perform)
  end
  trouble.note(job, call, nil)
  if err.status and err.kind ~= "auth" and not trouble.passes(err) or err.kind == "invalid" then
    local single = job.run.family == "each"
    local ok, message, failure = answers.settle_all(job, call, err.code or err.status and ("http_%d"):format(err.status)
      or err.kind, why, single and err.status or nil, single and err.body or nil)
    if not ok then
      return nil, message, failure
    end
    return answers.close(job, call, 0)
  end
  if call.number then
    job:record{ type = "answered", call = call.number }
  end
  return nil, why, err
end


--- Nobody knows whether the call was carried out.
local function unknown(job, call, why, perform)
  trouble.note(job, call, nil)
  local lost, rest = { number = call.number }, {}
  lost.items, rest.items = groups.harmed(call)
  local ok, message, failure = answers.settle_all(job, lost, "unknown_outcome",
    "it may have been carried out or not, and was not repeated: " .. why)
  if ok then
    ok, message, failure = answers.close(job, lost, #rest.items)
  end
  if not ok then
    return nil, message, failure
  end
  if #rest.items == 0 then
    return true
  end
  rest.mismatches = call.mismatches
  return perform(job, rest)
end


--- What becomes of a call whose answers nobody can tell apart: they are kept; what may be asked again
--- is, and the rest may have been carried out.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.mismatched(job, call, answer, perform)
  local list = answers.list_of(job, answer)
  local ok, message, err = answers.keep_unclaimed(job, call, list)
  if not ok then
    return nil, message, err
  end
  job.state.strangers = job.state.strangers + #list
  local why = ("the service gave %d answers to %d requests, and which is whose cannot be told"):format(#list, #call.items)
  call.mismatches = (call.mismatches or 0) + 1
  if call.mismatches < SAFE_TRIES then
    return unknown(job, call, why, perform)
  end
  ok, message, err = answers.settle_all(job, call, "missing", why .. ": job:unclaimed() has them")
  if not ok then
    return nil, message, err
  end
  return answers.close(job, call, 0)
end


--- Does the call fail again and again while others are answered? A service that fails as a whole is
--- waited out, as long as the job is waited for.
local function fails_alone(job, call)
  if job.answered ~= (call.answered or job.answered) then
    call.alone = (call.alone or 0) + 1
  end
  call.answered = job.answered
  return (call.alone or 0) >= SAFE_TRIES and job.clock.now() - call.began >= PATIENCE
end


--- What becomes of a call that failed as a whole. `perform` makes it again.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.failed(job, call, why, err, perform)
  if submit.surely_refused(err) or err.kind == "invalid" then
    return refused(job, call, why, err, perform)
  elseif err.kind == "closed" and job.client._core:closed() then
    return nil, why, err
  elseif not call.safe then
    return unknown(job, call, why, perform)
  end
  call.tries, call.began = (call.tries or 0) + 1, call.began or job.clock.now()
  local outage, alone = err.status ~= 500 and trouble.passes(err, true), fails_alone(job, call)
  call.faults = (call.faults or 0) + (outage and 0 or 1) -- a single 500 after an outage says little
  if (outage and call.tries or call.faults) < SAFE_TRIES or outage and job.confirmed and not alone then
    return once_more(job, call, why, err, perform)
  end
  trouble.note(job, call, nil)
  if err.status and (job.confirmed or not outage) then
    local ok, message, failure = answers.settle_all(job, call, err.code or ("http_%d"):format(err.status), why,
      job.run.family == "each" and err.status or nil)
    if not ok then
      return nil, message, failure
    end
    return answers.close(job, call, 0)
  end
  return nil, why, err
end


return M
