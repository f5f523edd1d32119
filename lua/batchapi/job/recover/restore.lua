--- A job that an earlier process began: its account of requests is made again from what is on disk.

local again = require("batchapi.job.recover.again")
local collect = require("batchapi.job.batch.collect")
local parts = require("batchapi.job.input.parts")
local record_file = require("batchapi.job.store.record_file")
local retry = require("batchapi.job.recover.retry")
local unclaimed = require("batchapi.job.store.unclaimed")
local marks = require("batchapi.job.store.marks")

local M = {}


local function enter(job, id)
  if not job.ledger:add(id) then
    local index = job.ledger:add(id, true)
    job.collided[id] = index
  end
end


--- The ids in a part's file that is not what was written: as far as its lines can be read, and only
--- those that stand there once; nothing else is known of its requests.
local function ids_left(job, part)
  local ids, times = {}, {}
  local lines = parts.lines(job, part)
  local line = lines and lines.head == parts.frame(job, part.part) and lines.next()
  while line do
    local id = job:id_of_line(line)
    if not id then -- the lines behind it need not be those of the numbers they seem to have
      break
    end
    ids[#ids + 1], times[id] = id, (times[id] or 0) + 1
    line = lines.next()
  end
  if lines then
    lines.close()
  end
  for i = 1, #ids do
    ids[i] = times[ids[i]] == 1 and ids[i] or false
  end
  return ids
end


local function is_open(part)
  return part.status ~= "settled" or part.uncollected ~= nil
end


--- Is the file of a part needed? Of a job that has ended job:retry needs only the requests that it sends
--- again, and those whose answers could not be fetched.
local function is_needed(job, part)
  local wish = job.wish
  if not wish or is_open(part) then
    return true
  elseif part.attempt > 1 then
    return false
  elseif retry.holds_any(wish.chosen, part) then
    return true
  end
  for _, other in pairs(job.state.parts) do
    if other.attempt > 1 and is_open(other) and other.first < part.first + part.count
      and other.first + other.span > part.first then
      return true
    end
  end
  return false
end


local function enter_nameless(job, count)
  for _ = 1, count do
    job.ledger:add(nil)
  end
end


--- Is the part's file what was written? With `damage`, which is told, a part that is not goes on.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
local function check_part(job, part, damage)
  if part.vanished or part.damaged then
    return true
  end
  local ok, why, err = parts.check(job, part)
  if not ok and damage and err.code == "part_damaged" then
    damage[#damage + 1] = err.damage[1]
    part.damaged = true
    return true
  end
  return ok, why, err
end


local function enter_part(job, part, damage)
  if not is_needed(job, part) then
    enter_nameless(job, part.count)
    return true
  end
  local ok, why, err = check_part(job, part, damage)
  if not ok then
    return nil, why, err
  elseif not (part.vanished or part.damaged) then
    return parts.each_id(job, part, function(id)
      enter(job, id)
    end)
  end
  local ids = part.vanished and {} or ids_left(job, part)
  for i = 1, part.count do
    local id = ids[i] or nil
    if not (id and job.ledger:add(id)) then
      job.ledger:add(nil)
    end
    job:breathe()
  end
  return true
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

M.numbers_of = numbers_of


local function unfit(what)
  return nil, "the journal says what cannot be: " .. what, { kind = "job", code = "journal_damaged" }
end


--- Do the parts hold just the requests that were read? Before anything is made of their numbers.
local function check_shape(job)
  local requests = job.state.input.requests
  if not job.has_parts then
    local stat = job.files:stat("requests.jsonl")
    if requests > 0 and not job.store:is_finished() and (not stat or stat.size < 2 * requests) then
      return unfit(("there are %d requests, and requests.jsonl has %d bytes"):format(requests,
        stat and stat.size or 0))
    end
    return true
  end
  local last = 0
  for _, number in ipairs(numbers_of(job, 1)) do
    local part = job.state.parts[number]
    if part.first ~= last + 1 or part.span ~= part.count then
      return unfit(("part %d begins with request %d, the one before it ends with %d"):format(number, part.first, last))
    end
    last = last + part.count
  end
  for _, number in ipairs(numbers_of(job, 2)) do
    local part = job.state.parts[number]
    if part.first + part.span - 1 > last then
      return unfit(("part %d ends behind the last request"):format(number))
    end
  end
  if last ~= requests then
    return unfit(("there are %d requests, and the parts hold %d"):format(requests, last))
  end
  return true
end


--- Enters all requests, in their order.
---@param job table
---@param damage batchapi.Damage[]|nil
---@return true|nil ok
---@return string|nil message
---@return table|nil err
local function enter_requests(job, damage)
  if not job.has_parts or job.only_replays then
    enter_nameless(job, job.state.input.requests)
    return true
  end
  for _, number in ipairs(numbers_of(job, 1)) do
    local ok, why, err = enter_part(job, job.state.parts[number], damage)
    if not ok then
      return nil, why, err
    end
  end
  return true
end


--- Requests that wait in a further attempt's part are marked as waiting there.
local function mark_attempts(job, notes, damage)
  again.mark_calls(notes)
  for _, number in ipairs(job.only_replays and {} or numbers_of(job, 2)) do
    local part = job.state.parts[number]
    local function take(id)
      local index = job:find(id)
      if index then
        again.mark(notes, part, index)
      end
    end
    local needed, ok, why, err = is_needed(job, part), true, nil, nil
    if needed then
      ok, why, err = check_part(job, part, damage)
    end
    if ok and needed and part.damaged then
      for _, id in ipairs(ids_left(job, part)) do
        take(id or "")
      end
    elseif ok and needed and not part.vanished then
      ok, why, err = parts.each_id(job, part, take)
    end
    if not ok then
      return nil, why, err
    end
  end
  return true
end


--- The requests of a part that has its results, by its record, and of which there is none: not those
--- that wait in a further attempt. Nil: there are none.
---@param job table
---@param part table of the first attempt
---@return table<integer, true>|nil
function M.holes(job, part)
  local holes
  for index = part.first, part.first + part.count - 1 do
    local waiting = job.waiting_in[index] or part
    if waiting.status == "settled" and not job.store:has(index) then
      holes = holes or {}
      holes[index] = true
    end
  end
  return holes
end


--- Has every request a result of which the journal says so?
local function check_holes(job, notes, damage)
  local missing = 0
  for _, number in ipairs(job.has_parts and numbers_of(job, 1) or {}) do
    for _ in pairs(M.holes(job, job.state.parts[number]) or {}) do
      missing = missing + 1
    end
  end
  local counts = job.store.counts
  if (job.state.finished or job.store.finished) and missing == 0 then
    missing = job.state.input.requests - counts.ok - counts.failed - notes.waiting
  end
  if missing == 0 then
    return true
  end
  local here = { file = job.store.path, lines = missing,
    what = ("the results of %d requests are missing, and the journal says that they were here"):format(missing) }
  if not damage then
    return record_file.refuse({ here }, "results_damaged")
  end
  damage[#damage + 1] = here
  return true
end


--- Calls are made of requests.jsonl as long as a request has no result, or is to be sent again.
local function check_requests(job, notes, damage)
  job.requests_damaged = (job.state.salvaged or {}).requests
  local open = not job.store.finished and job.ledger:tally(marks.OPEN) > 0
  local again_too = not damage and next(retry.choose(job, notes.failed)) ~= nil
  if job.has_parts or job.requests_damaged and not job.wish or not (open or again_too) then
    return true
  end
  local ok, why, err = parts.check_whole(job)
  if not ok and damage and err.code == "requests_damaged" then
    damage[#damage + 1] = err.damage[1]
    job.requests_damaged = true
    return true
  end
  return ok, why, err
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
---@param damage batchapi.Damage[]|nil takes what is damaged; without it damage is a failure
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.account(job, damage)
  job.only_replays = again.is_replay(job) -- then no id is asked for
  job.waiting_in = {} -- requests that wait in a further attempt's part, by index
  local ok, why, err = check_shape(job)
  if ok then
    ok, why, err = enter_requests(job, damage)
  end
  if not ok then
    return nil, why, err
  end
  job.store.round = job.state.round -- also of what is salvaged: its results are of this round
  local notes = again.notes(job)
  ok, why, err = job.store:recover(function(result, place)
    job.store:settle(result, place)
    again.note(notes, result)
    job:breathe()
  end, damage or job.state.salvaged and {})
  if ok and job.store.finished and damage and #damage > 0 then
    ok, why, err = job.store:reopen()
  end
  if ok then
    ok, why, err = mark_attempts(job, notes, damage)
  end
  if ok and not job.state.salvaged then
    ok, why, err = check_holes(job, notes, damage)
  end
  if ok then
    ok, why, err = check_requests(job, notes, damage)
  end
  if ok then
    ok, why, err = unclaimed.recover(job)
  end
  if not ok then
    return nil, why, err
  end
  if not damage then
    ok, why, err = again.reopen(notes)
    if not ok then
      return nil, why, err
    end
  end
  if not (damage or job.reads_only) then
    tidy(job)
  end
  for _, part in pairs(job.state.parts) do
    part.resumed, part.recovered = true, part.status == "ended"
    job.confirmed = job.confirmed or part.batch_id ~= nil or part.status == "ended" or part.status == "settled"
  end
  return true
end


return M
