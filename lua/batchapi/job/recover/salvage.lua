--- A directory that is damaged is gone on with: what is provably right counts, whatever may have been
--- sent or answered besides is never sent again, and its requests get the result `damaged`.
---
--- What the journal can no longer say is said anew by records of the same kinds: a part whose batch may
--- have been made is one whose create was lost; one of which nothing is known has ended as damaged. So a
--- later process needs to know nothing of it. The journal is written anew with these and a record
--- `salvaged`, by one rename; what it was is kept beside it. The results stay where they are: what is
--- damaged among them is passed over.

local core = require("batchapi.core")
local damaged = require("batchapi.job.recover.damaged")
local errors = require("batchapi.util.errors")
local parts = require("batchapi.job.input.parts")
local record_file = require("batchapi.job.store.record_file")
local paths = require("batchapi.util.path")
local restore = require("batchapi.job.recover.restore")

local M = {}


---@class batchapi.job.Salvage
---@field take fun(salvage: batchapi.job.Salvage, state: table, record: table): true applies a record
---@field damage batchapi.Damage[] of the journal
---@field kept table[] its records that count
---@field last_part integer highest number that any of its records names
---@field last_call integer

---@return batchapi.job.Salvage
function M.new()
  return { take = M.take, damage = {}, kept = {}, last_part = 0, last_call = 0 }
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
  local reader, why, err = job.files:reader("requests.jsonl", record_file.any_length)
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
    return true -- see begin_anew()
  end
  return add(job, salvage, { type = "input", requests = requests, options = inferred_options(job) })
end


local function give_up(job, salvage, part)
  return add(job, salvage, { type = "ended", part = part.part, outcome = "damaged",
    reasons = { { code = "damaged", message = damaged.MESSAGE } } })
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


-- How much of the journal is lost. What a second copy tells is not.
local function lost_lines(salvage)
  local lines = (salvage.damage.more or 0) - (salvage.damage.mended or 0)
  for _, one in ipairs(salvage.damage) do
    lines = lines + (one.lines or 1)
  end
  return math.max(lines, 0)
end


-- Nothing tells that the requests were all written. If the second copy does not either, that was never so:
-- nothing was sent, and `run` with the same requests begins anew.
local function begin_anew(job, salvage, lost, name)
  if not job.journal.copy(job.files).whole then
    return record_file.refuse({ { file = name, lines = lost, what = "too much is lost to tell whether anything was sent" } },
      "journal_damaged")
  end
  salvage.kept = { salvage.kept[1] }
  return rewrite_journal(job, salvage, name)
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
  local lost = lost_lines(salvage)
  if lost > 0 then
    ok, why, err = mend_journal(job, salvage)
  elseif #salvage.damage > 0 then -- the second copy told what was damaged
    ok, why, err = rewrite_journal(job, salvage, name)
  end
  if ok and lost > 0 and not job.state.input then
    ok, why, err = begin_anew(job, salvage, lost, name)
  end
  if not ok then
    return errors.adopt("resume", err, why)
  elseif not job.state.input then
    return true, salvage.damage
  end
  ok, why, err = job:recover(damage)
  if not ok then
    return nil, why, err
  elseif lost == 0 and #damage == 0 then
    return true, salvage.damage
  end
  local numbers
  numbers, why, err = damaged_parts(job, salvage)
  if not numbers then
    return errors.adopt("resume", err, why)
  end
  ok, why, err = add(job, salvage, { type = "salvaged", journal = lost, results = #damage, parts = numbers,
    last_part = math.max(salvage.last_part, job.state.last_part), last_call = salvage.last_call,
    requests = job.requests_damaged or nil })
  if ok then
    ok, why, err = rewrite_journal(job, salvage, name)
  end
  if ok then
    ok, why, err = damaged.settle(job)
  end
  if not ok then
    return errors.adopt("resume", err, why)
  end
  for _, one in ipairs(damage) do
    salvage.damage[#salvage.damage + 1] = one
  end
  return true, salvage.damage
end


return M
