--- Watching a batch until the service says that it has ended, and what it made can be had.
---
--- What may pass is waited out as long as the job is waited for; a batch that the service does not
--- tell of any more ends alone, with the reason.

local batch_state = require("batchapi.watch.states")
local collect = require("batchapi.job.batch.collect")
local paths = require("batchapi.util.path")
local polling_of = require("batchapi.watch.polling")
local trouble = require("batchapi.watch.patience")

local M = {}

local LONGEST_PAUSE = 60


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


--- What is kept of a batch that has ended.
local function ended(job, batch, state)
  local more = job.run.watch or {}
  local usage = more.usage and paths.get(batch, more.usage)
  return {
    outcome = state.outcome,
    sources = collect.sources(job.run, batch),
    reasons = state.outcome == "failed" and batch_state.reasons(job.definition, batch) or nil,
    usage = type(usage) == "table" and usage or nil,
    uncollected = state.lacks and ("the batch ended as %s, but does not name its %s"):format(
      state.word or state.outcome, state.lacks) or nil,
  }
end


--- The service tells nothing of the batch any more. Where it has told nothing of any batch, another
--- account may be asked: then the results may be there all the same.
local function lost(job, verdict, why)
  if verdict == "gone" and job.knows_batches then
    return { outcome = "gone", sources = {}, reasons = { {
      code = "gone", message = "the service does not know the batch any more: " .. why } } }
  end
  return { outcome = "uncollected", sources = {}, uncollected = "the service does not tell of the batch: " .. why }
end


--- Polls until the batch has ended. Gives the fields of the journal's record.
---@param job table
---@param part table
---@return table|nil ended { outcome, sources, reasons, usage, uncollected }
---@return string|nil message
---@return table|nil err
function M.until_ended(job, part)
  local began = job.clock.now()
  job.knows_batches = job.knows_batches or not part.resumed -- it was made by this process
  local polling = polling_of.new(job.definition, job.clock, job.options.settle, job.knows_batches, true)
  local pause = part.resumed and 0 or job.options.interval
  while true do
    local ok, why, err = job:sleep(pause)
    if not ok then
      return nil, why, err
    end
    local asked = job.clock.now()
    local batch, message, response = poll(job, part)
    local verdict, state = polling:take(batch, message, response, asked)
    if batch then
      job.knows_batches = true
      part.counts, part.state = batch_state.counts(job.run, batch), paths.get(batch, job.definition.wait.status)
    end
    trouble.note(job, part, polling.trouble)
    job:changed()
    if verdict ~= "again" then
      trouble.note(job, part, nil)
    end
    if verdict == "ended" or verdict == "late" then
      return ended(job, batch, state)
    elseif verdict == "gone" or verdict == "refused" then
      return lost(job, verdict, message)
    elseif verdict == "stop" then
      return nil, message, response
    end
    pause = polling:pause(pause_after(job, began), response)
  end
end


return M
