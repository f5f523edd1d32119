--- An uploaded file that the service has not looked through yet: some take a batch of it only then.

local among = require("batchapi.util.among")
local backoff = require("batchapi.watch.backoff")
local lookup = require("batchapi.job.batch.lookup")
local paths = require("batchapi.util.path")

local M = {}

local FIRST_PAUSE, LONGEST_PAUSE = 1, 30
local PATIENCE = 1800 -- then the create itself is to say what is wrong


local function state_of(words, answer)
  local state = paths.get(answer, words.status)
  return type(state) == "string" and state:lower() or nil
end


--- Looks at an answer about the file: whether a batch may be made of it.
---@param job table
---@param part table
---@param answer table
---@return boolean ready
---@return string|nil why_not when it never will be
function M.take(job, part, answer)
  local words = job.run.upload.ready
  local state = words and state_of(words, answer)
  if state and among(state, words.failed) then
    local detail = words.message and paths.get(answer, words.message)
    return false, ("the service could not use the file %s: %s"):format(part.file_id,
      type(detail) == "string" and detail or state)
  end
  part.ready = not (state and among(state, words.waits)) and part.file_id or nil
  return part.ready ~= nil
end


--- Waits until a batch may be made of the part's file.
---@param job table
---@param part table
---@return true|false|nil ready false, why: never; nil, why, err: the job cannot go on
---@return string|nil message
---@return table|nil err
function M.wait(job, part)
  local words = job.run.upload and job.run.upload.ready
  local began, pauses = job.clock.now(), backoff.new(math.min(FIRST_PAUSE, job.options.interval), LONGEST_PAUSE, 1.5)
  while words and part.ready ~= part.file_id and job.clock.now() - began < PATIENCE do
    local answer, why, response = job:call(words, job:known(part.part))
    lookup.note_date(job, answer and response or response.response)
    if answer then
      local ready, never = M.take(job, part, answer)
      if ready or never then
        return ready, never
      end
    elseif response.kind == "auth" or not response.status and not response.retryable then
      return nil, why, response
    elseif not response.retryable and response.status ~= 404 then
      return true -- it does not tell: the create will
    end
    local ok, message, err = job:sleep(pauses:next(not answer and response.retry_after or nil))
    if not ok then
      return nil, message, err
    end
  end
  return true
end


return M
