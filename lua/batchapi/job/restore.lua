--- A job that an earlier process began: its account of requests is made again from what is on disk.

local again = require("batchapi.job.again")
local collect = require("batchapi.job.collect")
local parts = require("batchapi.job.parts")
local unclaimed = require("batchapi.job.unclaimed")

local M = {}


--- Hands the id and the line of each request of a part to `take`.
local function each_line(job, part, take)
  local lines, why, err = parts.lines(job, part)
  if not lines then
    return nil, why, err
  end
  local ok = true
  while ok do
    local line, message, failure = lines.next()
    if not line then
      ok, why, err = message == nil or nil, message, failure
      break
    end
    local id = job:id_of_line(line)
    if not id then
      ok, why, err = nil, part.file .. " holds a line that is no request", { kind = "job", code = "part_damaged" }
      break
    end
    take(id)
    job:breathe()
  end
  lines.close()
  return ok, why, err
end


local function enter(job, id)
  if not job.ledger:add(id) then
    local index = job.ledger:add(id, true)
    job.collided[id] = index
  end
end


local function numbers_of(job, attempt_at_least)
  local numbers = {}
  for number, part in pairs(job.state.parts) do
    if (attempt_at_least == 1 and part.attempt == 1) or (attempt_at_least > 1 and part.attempt > 1) then
      numbers[#numbers + 1] = number
    end
  end
  table.sort(numbers)
  return numbers
end


--- Enters all requests, in their order.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
local function enter_requests(job)
  if not job.has_parts then
    for _ = 1, job.state.input.requests do
      job.ledger:add(nil)
    end
    return true
  end
  for _, number in ipairs(numbers_of(job, 1)) do
    local ok, why, err = each_line(job, job.state.parts[number], function(id)
      enter(job, id)
    end)
    if not ok then
      return nil, why, err
    end
  end
  return true
end


--- Requests that wait in a further attempt's part are marked as waiting there.
local function mark_attempts(job)
  for _, number in ipairs(numbers_of(job, 2)) do
    local part = job.state.parts[number]
    local mark = collect.waiting_mark(part.attempt)
    local ok, why, err = each_line(job, part, function(id)
      local index = job:find(id)
      if index and not job.store:has(index) then
        job.ledger:set(index, mark)
      end
    end)
    if not ok then
      return nil, why, err
    end
  end
  return true
end


--- Removes what a process that was killed had no time to remove.
local function tidy(job)
  for number = 1, job.has_parts and job.state.last_part + 2 or 0 do
    local part = job.state.parts[number]
    if part and part.status == "settled" then
      collect.tidy(job, part)
    end
    for _, ending in ipairs{ "jsonl", "json" } do
      job.files:unlink(("part-%05d.%s.new"):format(number, ending))
    end
    job.files:unlink(unclaimed.name(number) .. ".new")
  end
  job.files:unlink("results.jsonl.ordered")
  if job.store.finished then
    job.files:unlink("results.jsonl.part")
  end
end


--- Makes the account of requests again, and takes over the results that are there.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.account(job)
  local ok, why, err = enter_requests(job)
  if not ok then
    return nil, why, err
  end
  local count, notes = job.ledger:count(), again.notes(job)
  ok, why, err = job.store:recover(function(result, place)
    if result.index >= 1 and result.index <= count then
      job.store:settle(result, place)
      again.note(notes, result)
    end
    job:breathe()
  end)
  if not ok then
    return nil, why, err
  end
  ok, why, err = mark_attempts(job)
  if ok then
    ok, why, err = unclaimed.recover(job)
  end
  if not ok then
    return nil, why, err
  end
  ok, why, err = again.reopen(job, notes)
  if not ok then
    return nil, why, err
  end
  tidy(job)
  for _, part in pairs(job.state.parts) do
    part.resumed, part.recovered = true, part.status == "ended"
    job.confirmed = job.confirmed or part.batch_id ~= nil or part.status == "ended" or part.status == "settled"
  end
  return true
end


return M
