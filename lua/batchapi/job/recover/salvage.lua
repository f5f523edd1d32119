--- A directory that is damaged is gone on with: what is provably right counts, whatever may have been
--- sent or answered besides is never sent again, and its requests get the result `damaged`.
---
--- What the journal can no longer say is said anew by records of the same kinds: a part whose batch may
--- have been made is one whose create was lost; one of which nothing is known has ended as damaged. So a
--- later process needs to know nothing of it. The journal is written anew with these and a record
--- `salvaged`, by one rename; what it was is kept beside it. The results stay where they are: what is
--- damaged among them is passed over.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local parts = require("batchapi.job.input.parts")
local paths = require("batchapi.util.path")
local requests_of = require("batchapi.job.input.request")
local restore = require("batchapi.job.recover.restore")

local M = {}

local MESSAGE = "what was kept of this request is damaged; it may have been sent or answered, and was not sent again"


---@class batchapi.job.Salvage
---@field damage batchapi.Damage[] of the journal
---@field kept table[] its records that count
---@field last_part integer highest number that any of its records names
---@field last_call integer

---@return batchapi.job.Salvage
function M.new()
  return { damage = {}, kept = {}, last_part = 0, last_call = 0 }
end


--- Applies a record of a journal that may be damaged: one that does not fit is damage too.
---@param salvage batchapi.job.Salvage
---@param state table
---@param record table
---@return true
function M.take(salvage, state, record)
  local ok, why = state:apply(record)
  if ok then
    salvage.kept[#salvage.kept + 1] = record
  else
    salvage.damage[#salvage.damage + 1] = { file = "journal.jsonl", line = record.n, what = why,
      known = { type = record.type, part = record.part, call = record.call, batch_id = record.batch_id } }
  end
  if type(record.part) == "number" then
    salvage.last_part = math.max(salvage.last_part, record.part)
  end
  if type(record.call) == "number" then
    salvage.last_call = math.max(salvage.last_call, record.call)
  end
  return true
end


-- ---- what the journal cannot say any more ---------------------------------------------------------

local function add(job, salvage, record)
  local ok, why, err = job.state:apply(record)
  if not ok then
    return nil, why, err
  end
  salvage.kept[#salvage.kept + 1] = record
  return true
end


-- Parts whose records are lost: between those that are known, and behind them.
local function add_lost_parts(job, salvage, requests)
  local last, number = 0, 0
  local known = restore.numbers_of(job, 1)
  known[#known + 1] = false
  for _, next_number in ipairs(known) do
    local part = next_number and job.state.parts[next_number]
    local first = part and part.first or requests + 1
    if first > last + 1 then
      local free = number + 1
      while job.state.parts[free] do
        free = free + 1
      end
      local ok, why, err = add(job, salvage, { type = "part", part = free, attempt = 1, first = last + 1,
        span = first - last - 1, count = first - last - 1, bytes = 0, hash = ("0"):rep(64), lost = true })
      if not ok then
        return nil, why, err
      end
    elseif first < last + 1 then
      return nil, "its parts overlap", { kind = "job", code = "journal_damaged" }
    end
    last, number = part and part.first + part.count - 1 or last, next_number or number
  end
  return true
end


local function count_lines(job)
  local reader, why, err = job.files:reader("requests.jsonl")
  if not reader then
    return nil, why, err
  end
  local count = -1
  repeat
    count = count + 1
    job:breathe()
    local line, message, failure = job.files:next(reader)
    why, err = message, failure
  until not line
  job.files:close(reader)
  return not why and count or nil, why, err
end


-- What the first request told once, it tells again.
local function inferred_options(job)
  local options = {}
  for name, value in pairs(job.state.job.options) do
    options[name] = value
  end
  for _, part in pairs(job.state.parts) do
    local lines = parts.check(job, part) and parts.lines(job, part)
    local first = lines and core.decode(lines.next() or "")
    if lines then
      lines.close()
    end
    for name, rule in pairs(first and job.run.options or {}) do
      if rule.infer and options[name] == nil and job.options[name] == nil then
        options[name] = paths.get(first, rule.infer)
        job.options[name] = options[name]
      end
    end
  end
  return options
end


-- The record that said how many requests there are is lost: the parts say it, or the file.
local function add_input(job, salvage)
  local requests, why, err = 0, nil, nil
  for _, number in ipairs(restore.numbers_of(job, 1)) do
    local part = job.state.parts[number]
    requests = math.max(requests, part.first + part.count - 1)
  end
  if not job.has_parts then
    requests, why, err = count_lines(job)
  end
  if not requests then
    return nil, why, err
  elseif not job.state.any_create then
    return true -- `run` with the same requests goes on
  end
  return add(job, salvage, { type = "input", requests = requests, options = inferred_options(job) })
end


local function give_up(job, salvage, part)
  return add(job, salvage, { type = "ended", part = part.part, outcome = "damaged",
    reasons = { { code = "damaged", message = MESSAGE } } })
end


-- Are there answers that are asked for by the batch's own name?
local function needs_batch(part)
  for _, source in ipairs(part.sources) do
    if source == true then
      return true
    end
  end
  return false
end


-- A lost record may have said that the part's batch was made: it is looked for as after a crash, where
-- the service can be asked.
local function doubt(job, salvage, part)
  local nameless = part.status == "ended" and not part.batch_id and needs_batch(part)
  if nameless and job.run.lookup and not part.damaged then
    return add(job, salvage, { type = "create", part = part.part, at = job.state.job.at })
  elseif nameless then
    return give_up(job, salvage, part)
  elseif part.status == "uploaded" and job.run.lookup and not part.damaged then
    return add(job, salvage, { type = "create", part = part.part, at = job.state.job.at })
  elseif part.status == "written" or part.status == "uploaded" then
    return give_up(job, salvage, part)
  end
  return true
end


local function mend_journal(job, salvage)
  local state = job.state
  local ok, why, err = true, nil, nil
  if not state.input then
    ok, why, err = add_input(job, salvage)
  end
  if ok and state.input and job.has_parts then
    ok, why, err = add_lost_parts(job, salvage, state.input.requests)
    for _, part in pairs(ok and state.parts or {}) do
      if ok then
        ok, why, err = doubt(job, salvage, part)
      end
    end
  end
  return ok, why, err
end


-- ---- the account ----------------------------------------------------------------------------------

local function damaged_parts(job, salvage)
  local numbers = setmetatable({}, core.array_mt)
  for number, part in pairs(job.state.parts) do
    if part.damaged then
      numbers[#numbers + 1] = number
      if part.status == "written" then
        local ok, why, err = give_up(job, salvage, part)
        if not ok then
          return nil, why, err
        end
      end
    end
  end
  return numbers
end


-- A name beside a file that was damaged.
local function free_name(job, pattern)
  local number = 1
  while job.files:stat(pattern:format(number)) do
    number = number + 1
  end
  return pattern:format(number)
end


-- The journal as it was is kept; a new one takes its place at once.
local function rewrite_journal(job, salvage, name)
  local files = job.files
  local bytes, why, err = files:read(name)
  if not bytes then
    return nil, why, err
  end
  local ok
  ok, why, err = files:replace(free_name(job, "journal-damaged-%d.jsonl"), bytes)
  if not ok then
    return nil, why, err
  end
  job.journal:close()
  ok, why, err = job.journal.write_anew(files, name, salvage.kept)
  if not ok then
    return nil, why, err
  end
  job.journal, why, err = job.journal.open(files, name, function() return true end)
  return job.journal ~= nil or nil, why, err
end


--- Goes on with a job whose journal was read by M.take().
---@param job table
---@param salvage batchapi.job.Salvage
---@param name string of the journal
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.go_on(job, salvage, name)
  local damage, ok, why, err = {}, true, nil, nil
  local lost = #salvage.damage > 0
  if lost then
    ok, why, err = mend_journal(job, salvage)
  end
  if not ok then
    return errors.adopt("resume", err, why)
  elseif not job.state.input then
    return true, salvage.damage
  end
  ok, why, err = job:recover(damage)
  if not ok then
    return nil, why, err
  elseif not lost and #damage == 0 then
    return true, damage
  end
  local numbers
  numbers, why, err = damaged_parts(job, salvage)
  if not numbers then
    return errors.adopt("resume", err, why)
  end
  ok, why, err = add(job, salvage, { type = "salvaged", journal = #salvage.damage, results = #damage, parts = numbers,
    last_part = math.max(salvage.last_part, job.state.last_part), last_call = salvage.last_call,
    requests = job.requests_damaged or nil })
  if ok then
    ok, why, err = rewrite_journal(job, salvage, name)
  end
  if ok then
    ok, why, err = M.settle(job)
  end
  if not ok then
    return errors.adopt("resume", err, why)
  end
  for _, one in ipairs(damage) do
    salvage.damage[#salvage.damage + 1] = one
  end
  return true, salvage.damage
end


-- ---- requests of which nothing is known any more --------------------------------------------------

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
    error = { code = "damaged", message = MESSAGE } }
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
