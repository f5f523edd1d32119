--- A second batch with the part's token: something the protocol relies on did not hold (docs/jobs.md,
--- "Submitting once"). The one that is not ours is cancelled, and what may have been paid twice is
--- counted. Our results come from the batch that the journal names, whichever is older.

local among = require("batchapi.util.among")
local batch_state = require("batchapi.watch.states")
local lookup = require("batchapi.job.batch.lookup")

local M = {}


--- What a batch comes to: "runs"; "paid", it ended and something of it ran; nil, it cost nothing.
local function cost(job, item)
  local outcome = batch_state.read(job.definition, item).outcome
  if not outcome then
    return "runs"
  end
  local counts = batch_state.counts(job.run, item) or {}
  local ran = (counts.completed or 0) + (counts.failed or 0)
  return (outcome == "completed" or ran > 0) and "paid" or nil
end


local function others(job, part, matches)
  local list = {}
  for _, match in ipairs(matches) do
    if match.id ~= part.batch_id and not part.past[match.id] and type(match.id) == "string" then
      match.cost = cost(job, match.item)
      list[#list + 1] = match.cost and match or nil
    end
  end
  return list
end


local function cancel_other(job, part, match)
  if match.cost ~= "runs" or not job.run.cancel then
    return
  end
  local answer, why, err = job:call(job.run.cancel, { batch_id = match.id })
  if not answer and not among(err.status, { 400, 404, 409 }) then
    job.warnings[#job.warnings + 1] = ("%s may run beside %s: %s"):format(match.id, part.batch_id, why)
  end
end


--- Cancels what runs beside the part's batch, as a look just showed it. What fails here is seen
--- again when the batch has ended.
---@param job table
---@param part table
---@param matches table[]
function M.cancel(job, part, matches)
  for _, match in ipairs(others(job, part, matches)) do
    cancel_other(job, part, match)
  end
end


--- The batch of a part one of whose creates was lost has ended: is there another that ran?
---@param job table
---@param part table
---@return true|nil ok nil: the journal could not be written
---@return string|nil message
---@return table|nil err
function M.count(job, part)
  if not part.was_lost or not job.run.lookup then
    return true
  end
  local matches, message = lookup.look(job, part)
  if not matches then
    job.warnings[#job.warnings + 1] = ("whether part %d ran twice could not be seen: %s"):format(part.part, message)
    return true
  end
  for _, match in ipairs(others(job, part, matches)) do
    if not part.doubles[match.id] then
      local ok, why, err = job:record{ type = "doubled", part = part.part, batch_id = match.id, requests = part.count }
      if not ok then
        return nil, why, err
      end
      job.warnings[#job.warnings + 1] = ("%s has the token of part %d too, whose batch is %s: it may have been paid twice")
        :format(match.id, part.part, part.batch_id)
    end
    cancel_other(job, part, match)
  end
  return true
end


return M
