--- Watching a batch until the service says that it has ended.

local among = require("batchapi.among")
local collect = require("batchapi.job.collect")
local paths = require("batchapi.path")

local M = {}

local LONGEST_PAUSE = 60
local PATIENCE = 120 -- seconds without one good answer
local MOST_REASONS = 1000


local function number_at(value, path)
  local found = path and paths.get(value, path)
  return type(found) == "number" and found or nil
end


--- How far a batch is: { total, completed, failed }, as far as the service says.
---@param run table
---@param batch table
---@return table|nil
function M.counts(run, batch)
  local words = (run.watch or {}).counts
  if not words then
    return nil
  end
  return {
    total = number_at(batch, words.total), completed = number_at(batch, words.completed),
    failed = number_at(batch, words.failed),
  }
end


--- What a batch came to: "completed", "failed", "expired", "cancelled"; nil while it runs. An
--- unknown state counts as running.
---@param definition table
---@param batch table
---@param status integer|nil of the answer
---@return string|nil
function M.outcome(definition, batch, status)
  local wait, more = definition.wait, definition.run.watch or {}
  local word = paths.get(batch, wait.status or "status")
  if type(word) ~= "string" then
    if wait.pending then
      local zero, positive = number_at(batch, wait.pending.zero), number_at(batch, wait.pending.positive)
      return zero == 0 and (positive == nil or positive > 0) and "completed" or nil
    end
    return among(status, wait.done_statuses) and "completed" or nil
  end
  word = word:lower()
  if among(word, wait.failed) then
    return "failed"
  elseif among(word, more.expired) then
    return "expired"
  elseif among(word, more.cancelled) then
    return "cancelled"
  end
  return among(word, wait.done) and "completed" or nil
end


local function text_of(value)
  return type(value) == "string" and value or nil
end


--- The service's own reasons: an array of { code, message, line }.
local function reasons(wait, batch)
  local words = wait.reasons
  if not words then
    return nil
  end
  local list = words.list and paths.get(batch, words.list) or { batch }
  local found = {}
  for i, entry in ipairs(type(list) == "table" and list or {}) do
    if i > MOST_REASONS then
      break
    end
    found[i] = {
      code = words.code and text_of(paths.get(entry, words.code)),
      message = text_of(paths.get(entry, words.message)),
      line = words.line and number_at(entry, words.line),
    }
  end
  return found
end


--- The longer a batch has run, the more seldom it is asked for: a tenth of its age, within bounds.
local function pause_after(job, began)
  local interval = job.options.interval
  return math.min(math.max(interval, (job.clock.now() - began) / 10), math.max(LONGEST_PAUSE, interval))
end


local function poll(job, part)
  local wait, more = job.definition.wait, job.run.watch or {}
  return job:call({ operation = wait.operation, arguments = more.arguments or { "$batch_id" } },
    { batch_id = part.batch_id })
end


--- May polling go on after this failure?
local function endures(job, err, good)
  local passes = err.retryable or err.kind == "connect" or err.kind == "timeout" or err.kind == "rate_limit"
    or err.kind == "truncated"
  return passes and job.clock.now() - good < PATIENCE
end


--- Polls until the batch has ended. Gives the fields of the journal's record.
---@param job table
---@param part table
---@return table|nil ended { outcome, sources, reasons, usage }
---@return string|nil message
---@return table|nil err
function M.until_ended(job, part)
  local began, good = job.clock.now(), job.clock.now()
  local pause = part.resumed and 0 or job.options.interval
  while true do
    local ok, why, err = job:sleep(pause)
    if not ok then
      return nil, why, err
    end
    local batch, message, response = poll(job, part)
    if batch then
      good = job.clock.now()
      part.counts, part.state = M.counts(job.run, batch), paths.get(batch, job.definition.wait.status or "status")
      job:changed()
      local outcome = M.outcome(job.definition, batch, response and response.status)
      if outcome then
        return M.ended(job, batch, outcome)
      end
      pause = pause_after(job, began)
    elseif endures(job, response, good) then
      pause = response.retry_after or pause_after(job, began)
    else
      return nil, message, response
    end
  end
end


--- What is kept of a batch that has ended.
function M.ended(job, batch, outcome)
  local more = job.run.watch or {}
  local usage = more.usage and paths.get(batch, more.usage)
  return {
    outcome = outcome,
    sources = collect.sources(job.run, batch),
    reasons = outcome == "failed" and reasons(job.definition.wait, batch) or nil,
    usage = type(usage) == "table" and usage or nil,
  }
end


return M
