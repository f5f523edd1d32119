--- Requests of which nothing is known any more, in a directory that was damaged: each gets its result, which
--- says so.

local parts = require("batchapi.job.input.parts")
local requests_of = require("batchapi.job.input.request")
local restore = require("batchapi.job.recover.restore")

local M = {}

M.MESSAGE = "what was kept of this request is damaged; it may have been sent or answered, and was not sent again"


-- Hands the ids of an attempt's requests to `take(index, id)`, by their numbers.
local function each_id(job, part, take)
  local lines = not (part.vanished or part.damaged) and parts.lines(job, part)
  for index = part.first, part.first + part.count - 1 do
    local line = lines and lines.next()
    local ok, why, err = take(index, line and job:id_of_line(line) or nil)
    if not ok then
      return nil, why, err
    end
    job:breathe()
  end
  if lines then
    lines.close()
  end
  return true
end


local function settle_one(job, index, id)
  return job.store:append{ index = index, custom_id = id, ok = false,
    error = { code = "damaged", message = M.MESSAGE } }
end


-- Requests of settled parts whose results are gone, but for those that wait in a further attempt.
local function settle_holes(job)
  for _, number in ipairs(restore.numbers_of(job, 1)) do
    local part = job.state.parts[number]
    local holes = restore.holes(job, part)
    if holes then
      local ok, why, err = each_id(job, part, function(index, id)
        return not holes[index] or settle_one(job, index, id)
      end)
      if not ok then
        return nil, why, err
      end
    end
  end
  return true
end


-- Of calls: whatever may have been in one. Where only results are damaged the journal knows the calls.
local function settle_calls(job)
  local salvaged, watched = job.state.salvaged, {}
  for number, call in pairs(job.state.calls) do
    for _, index in ipairs(call.requests) do
      watched[index] = call.batch_id and not salvaged.requests
    end
    if not call.batch_id or salvaged.requests then
      job.state.calls[number] = nil
    end
  end
  local all = salvaged.journal > 0 or salvaged.requests
  local made = not (job.run.request or {}).id
  for index = 1, job.state.input.requests do
    if not job.store:has(index) and not watched[index] and (all or job.state.called[index]) then
      local ok, why, err = settle_one(job, index, made and requests_of.made_id(index) or nil)
      if not ok then
        return nil, why, err
      end
    end
    job:breathe()
  end
  return true
end


--- Gives the requests of which nothing is known their result. Also in a later process, for this one
--- may have ended in the middle of it.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.settle(job)
  local ok, why, err
  if job.has_parts then
    ok, why, err = settle_holes(job)
  else
    ok, why, err = settle_calls(job)
  end
  if ok then
    ok, why, err = job.store:sync()
  end
  return ok, why, err
end


return M
