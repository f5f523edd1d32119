--- What may pass, and is waited out; what only one batch has to do with; and what ends the waiting.

local doubts = require("batchapi.watch.doubt")

local M = {}

-- Before the first good answer there may be nothing to wait for: base_url may be wrong.
local SHORT_PATIENCE = 120 -- seconds

local passing_kinds = { connect = true, timeout = true, rate_limit = true, truncated = true }
-- A conflict and a lock are let go of; 425 asks to come again.
local passing_statuses = { [408] = true, [409] = true, [423] = true, [425] = true }


local function is_success(status)
  return status ~= nil and status >= 200 and status < 300
end


--- May the same question be answered in a while? Not after 401 and 403, nor when a quota is used up.
---@param err batchapi.Error
---@param heard boolean|nil the service has given a good answer before
---@return boolean
function M.passes(err, heard)
  local status = err.status
  if err.kind == "auth" or err.kind == "io" then
    return false
  elseif passing_kinds[err.kind] or err.retryable then
    return true
  elseif err.kind == "tls" then -- what was right before is right again
    return heard == true
  elseif err.kind == "decode" then -- a page of a gateway's, with 200
    return is_success(status)
  end
  return status ~= nil and (status >= 500 or passing_statuses[status] == true)
end


--- Is a failure an answer of the service's own that asks to wait?
---@param err batchapi.Error
---@return boolean
function M.asks_to_wait(err)
  return err.status == 429 and err.retry_after ~= nil
end


--- Is it waited out? Before the first good answer only for a short time.
---@param err batchapi.Error
---@param heard boolean|nil the service has given a good answer
---@param waited number seconds since the first attempt
---@return boolean
function M.is_endured(err, heard, waited)
  return M.passes(err, heard) and (heard or waited < SHORT_PATIENCE or M.asks_to_wait(err))
end


local SETTLES = 3


--- How long a result that the service refuses to give may only not be visible yet.
---@param job table
---@return fun(err: batchapi.Error, asked: number): boolean may it be given in a while?
function M.of_result(job)
  local doubt = doubts.new(job.clock, SETTLES * job.options.settle)
  return function(err, asked)
    if M.passes(err, true) then
      doubt:interrupted()
      return true
    end
    return M.is_refusal(err) and not doubt:heard(asked)
  end
end


--- Does the service refuse this one thing, whatever becomes of others? "In a moment" is no refusal.
---@param err batchapi.Error
---@return boolean
function M.is_refusal(err)
  local status = err.status
  return status ~= nil and status >= 400 and status < 500 and err.kind ~= "auth" and status ~= 429
    and not passing_statuses[status]
end


--- Is a failure one that a single batch must end with, while the others go on?
---@param err batchapi.Error
---@return boolean
function M.is_of_part(err)
  return M.is_refusal(err) or err.kind == "too_large" or err.kind == "decode"
end


---@class batchapi.Trouble
---@field message string the last failure
---@field since number when the first of them came, seconds since 1970
---@field count integer how many there were since

--- One more failure.
---@param before batchapi.Trouble|nil
---@param message string
---@param now number seconds since 1970
---@return batchapi.Trouble
function M.more(before, message, now)
  return { message = message, since = before and before.since or now, count = (before and before.count or 0) + 1 }
end


--- Keeps what a part, a call or a transfer of a job waits out; nil: nothing any more.
---@param job table
---@param holder table
---@param found batchapi.Trouble|nil
function M.note(job, holder, found)
  if holder.trouble ~= found then
    holder.trouble, job.troubled[holder] = found, found
    job:changed()
  end
end


--- What a job has waited out for longest.
---@param job table
---@return batchapi.Trouble|nil
function M.of(job)
  local longest
  for _, found in pairs(job.troubled) do
    if not longest or found.since < longest.since then
      longest = found
    end
  end
  return longest
end


return M
