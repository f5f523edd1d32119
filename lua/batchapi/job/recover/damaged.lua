--- Requests of which nothing is known any more, in a directory that was damaged: each gets its result, which
--- says so.

local directory = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
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


--- The requests of calls that were answered when the directory was found to be damaged: each had a result.
---@return table<integer, true>|nil answered by number
---@return string|nil message
---@return table|nil err
local function answered_then(job)
  local calls, answered, since = {}, {}, {}
  local found, why, err = journal.read(job.files, directory.journal, function(record)
    if record.type == "call" then
      calls[record.call] = record.requests
    elseif record.type == "answered" then
      since[#since + 1] = calls[record.call]
    elseif record.type == "salvaged" then
      for _, requests in ipairs(since) do
        for _, index in ipairs(requests) do
          answered[index] = true
        end
      end
      since = {}
    end
    return true
  end, {})
  return found and answered, why, err
end


-- Of calls. Where only results are damaged the journal knows the calls, and those that are open are taken up as
-- after a crash; else whatever may have been in one.
local function settle_calls(job)
  local salvaged, taken_up = job.state.salvaged, {}
  local all = salvaged.journal > 0 or salvaged.requests
  local answered, why, err = answered_then(job)
  if not answered then
    return nil, why, err
  end
  for number, call in pairs(job.state.calls) do
    local goes_on = not all or call.batch_id and not salvaged.requests
    for _, index in ipairs(call.requests) do
      taken_up[index] = goes_on
    end
    if not goes_on then
      job.state.calls[number] = nil
    end
  end
  local made = not (job.run.request or {}).id
  for index = 1, job.state.input.requests do
    if not job.store:has(index) and not taken_up[index] and (all or answered[index]) then
      local ok
      ok, why, err = settle_one(job, index, made and requests_of.made_id(index) or nil)
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
