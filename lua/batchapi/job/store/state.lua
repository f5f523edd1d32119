--- What a job's journal says, recomputed record by record.
---
--- The same function applies a record when it is written and when it is read again, so that a job
--- that was killed and one that was not know the same. Parts go through these states:
---
--- written -> uploaded -> creating [-> fencing] -> created -> ended -> settled [-> cleaned]
---
--- "creating" stands between the intent and the outcome of a create: after a crash nobody knows
--- whether the service has the batch. "fencing": its file is being deleted, so that it never will;
--- from there a part goes on as created, or back to written. Calls (families "envelope" and "each") have no parts: an open
--- call is an intent without outcome, and a request is settled when its result is on disk.

local records = require("batchapi.job.store.records")

local M = {}
M.__index = M


function M.new()
  return setmetatable({
    job = nil,        -- the first record
    parts = {},       -- by number
    last_part = 0,
    input = nil,      -- the record that says all requests are written
    calls = {},       -- open calls by number
    owed = {},        -- calls whose batch has ended, and whose results could not be fetched, by number
    last_call = 0,
    any_create = false, -- something may have been created at the service
    cancelled = false, finished = false,
    round = 0,        -- how often the job was opened again
    retries = {},     -- by round, what was sent again in it: { tries, attempts, requests }
    retried = nil,    -- the last of them
    duplicates = 0, strangers = 0, broken = 0, unclaimed = 0, maybe_paid_twice = 0,
    usage = nil,      -- summed
    salvaged = nil,   -- the record that says what was damaged
    no_repeats = false,
  }, M)
end


-- A result that was mended may hold NaN or an infinity.
local function is_finite(value)
  return type(value) == "number" and value - value == 0
end


--- Adds numbers, and numbers within tables, of `more` to `sum`.
---@param sum table|nil
---@param more table|nil
---@return table|nil
function M.add_usage(sum, more)
  if type(more) ~= "table" then
    return sum
  end
  sum = sum or {}
  for name, value in pairs(more) do
    if is_finite(value) and type(sum[name] or 0) == "number" then
      sum[name] = (sum[name] or 0) + value
    elseif type(value) == "table" and type(sum[name] or {}) == "table" then
      sum[name] = M.add_usage(sum[name], value)
    end
  end
  return sum
end

local apply = {}


function apply.job(state, record)
  state.job = record
end


function apply.part(state, record)
  state.parts[record.part] = {
    part = record.part, attempt = record.attempt, first = record.first,
    span = record.span, count = record.count, bytes = record.bytes, hash = record.hash,
    digest = record.digest, vanished = record.lost,
    status = "written", past = {}, doubles = {},
    round = state.round, most = record.most, -- the last attempt of its requests, where it is not the job's option
    remade = 0,   -- how often a batch that was adopted failed, and was made anew
    marks = {},   -- since when a lost create is looked for, and its file gone: moments of a boot's clock
    spent = {},   -- files that a lost create named: their ids may not come again
    stale = {},   -- files that are still at the service, and of no use
    uploads = 0,
    fences = 0,   -- how often it was made sure that no batch came of a create
  }
  state.last_part = math.max(state.last_part, record.part)
end


function apply.input(state, record)
  state.input = record
end


--- A part of an earlier try at writing that the requests given now do not have.
function apply.dropped(state, record)
  state.parts[record.part] = nil
end


function apply.uploaded(state, record)
  local part = state.parts[record.part]
  part.file_id, part.status, part.uploads = record.file_id, "uploaded", part.uploads + 1
end


function apply.create(state, record)
  local part = state.parts[record.part]
  part.status, part.created_from, part.intent = "creating", part.status, record.at
  part.first_intent = part.first_intent or { at = record.at, date = record.date }
  part.marks = {}
  state.any_create = true
end


function apply.uncreated(state, record)
  local part = state.parts[record.part]
  part.status, part.intent = part.created_from or "uploaded", nil
end


--- From when on a lost create is looked for: a moment of a boot's clock.
function apply.lost(state, record)
  local part = state.parts[record.part]
  part.marks.lost, part.was_lost = { boot = record.boot, since = record.since }, true
end


--- The service has the file, and is about to be told to delete it.
function apply.fencing(state, record)
  state.parts[record.part].status = "fencing"
end


--- It has answered that the file is gone: a moment of a boot's clock.
function apply.deleted(state, record)
  state.parts[record.part].marks.deleted = { boot = record.boot, since = record.since }
end


--- The part has no file at the service that it could be made of.
local function forget_file(part)
  part.status, part.file_id, part.intent, part.marks = "written", nil, nil, {}
end


--- No batch was made of the file, and none ever will be.
function apply.fenced(state, record)
  local part = state.parts[record.part]
  part.spent[record.file_id], part.was_lost, part.fences = true, true, part.fences + 1
  forget_file(part)
end


--- The service does not know the file, or was asked to forget it.
function apply.forgot(state, record)
  forget_file(state.parts[record.part])
end


function apply.created(state, record)
  if record.call then
    state.calls[record.call].batch_id = record.batch_id
    return
  end
  local part = state.parts[record.part]
  part.status, part.batch_id, part.intent = "created", record.batch_id, nil
  part.adopted = record.found
  part.was_lost = part.was_lost or record.found
end


--- A batch beside ours that may have been paid too.
function apply.doubled(state, record)
  state.parts[record.part].doubles[record.batch_id] = true
  state.maybe_paid_twice = state.maybe_paid_twice + record.requests
end


--- The batch ended before anything ran: it may be made anew, of a file of its own.
function apply.requeued(state, record)
  local part = state.parts[record.part]
  part.past[part.batch_id] = true
  part.remade = part.remade + (part.adopted and 1 or 0)
  part.status, part.batch_id = part.created_from or "uploaded", nil
  if part.file_id then
    part.spent[part.file_id] = part.adopted
    part.stale[#part.stale + 1] = part.file_id
    forget_file(part)
  end
end


function apply.ended(state, record)
  local part = state.parts[record.part]
  part.status, part.outcome, part.sources = "ended", record.outcome, record.sources or {}
  part.reasons, part.uncollected, part.ended_at = record.reasons, record.uncollected, record.at
  if not part.usage then
    part.usage = record.usage
    state.usage = M.add_usage(state.usage, record.usage)
  end
end


--- Answers that could not be fetched are asked for again: the batch is watched and collected anew.
function apply.reopened(state, record)
  state.round, state.finished = record.round, false
  for _, number in ipairs(record.parts) do
    local part = state.parts[number]
    part.status, part.again, part.uncollected, part.incomplete = "created", true, nil, false
    for name, count in pairs(part.counted) do
      state[name] = state[name] - count
    end
  end
  for _, number in ipairs(record.calls or {}) do
    state.calls[number], state.owed[number] = state.owed[number], nil
  end
end


--- Requests that failed are sent again: in parts of their own, or in calls.
function apply.retried(state, record)
  state.round, state.finished, state.cancelled = record.round, false, false
  state.retried = { tries = record.tries, attempts = record.attempts, requests = record.requests or {} }
  state.retries[record.round] = state.retried
  state.maybe_paid_twice = state.maybe_paid_twice + (record.maybe_paid or 0)
  for _, part in ipairs(record.parts or {}) do
    apply.part(state, part)
  end
end


function apply.settled(state, record)
  local part = state.parts[record.part]
  part.status = "settled"
  part.uncollected = (record.uncollected or 0) > 0 and record.uncollected or nil -- how many requests
  part.unclaimed, part.counted = record.unclaimed, {}
  for _, name in ipairs{ "duplicates", "strangers", "broken", "unclaimed" } do
    part.counted[name] = record[name] or 0
    state[name] = state[name] + part.counted[name]
  end
  -- Something of it was not handed out, or never came: then nothing of it may be deleted.
  part.incomplete = (record.unclaimed or 0) + (record.unreadable or 0) + (record.missing or 0)
    + (record.uncollected or 0) > 0
  if not part.usage then
    state.usage = M.add_usage(state.usage, record.usage)
  end
  if record.retry then
    apply.part(state, record.retry)
  end
end


function apply.cleaned(state, record)
  state.parts[record.part].cleaned = true
end


function apply.call(state, record)
  state.calls[record.call] = { call = record.call, requests = record.requests, at = record.at }
  state.last_call = math.max(state.last_call, record.call)
  state.any_create = true
end


function apply.answered(state, record)
  local call = state.calls[record.call]
  state.calls[record.call] = nil
  if record.uncollected and call and call.batch_id then
    state.owed[record.call] = { call = call.call, requests = call.requests, at = call.at, batch_id = call.batch_id }
  end
end


--- The directory was damaged; the records before this one are what is left. Nothing is repeated on
--- the account of a journal that has lost something, and no number comes twice.
function apply.salvaged(state, record)
  local before = state.salvaged or { journal = 0, results = 0 }
  record.journal, record.results = record.journal + before.journal, record.results + before.results
  record.requests = record.requests or before.requests
  state.salvaged, state.no_repeats = record, record.journal > 0
  state.any_create = true
  state.last_part = math.max(state.last_part, record.last_part)
  state.last_call = math.max(state.last_call, record.last_call)
  for _, number in ipairs(record.parts) do
    if state.parts[number] then
      state.parts[number].damaged = true
    end
  end
end


function apply.cancel(state)
  state.cancelled = true
end


function apply.finished(state)
  state.finished = true
end


--- What makes a record impossible where it stands, in words, or nil.
---@param record table
---@return string|nil problem
function M:misfit(record)
  local kind = record.type
  if (self.job == nil) ~= (kind == "job") then
    return ("a record of type '%s' where none can be"):format(kind)
  elseif record.part and kind ~= "part" and not self.parts[record.part] then
    return ("a record of type '%s' for part %d, which is not there"):format(kind, record.part)
  elseif record.call and kind == "created" and not self.calls[record.call] then
    return ("a record of type 'created' for call %d, which is not open"):format(record.call)
  elseif kind == "requeued" and not self.parts[record.part].batch_id then
    return ("a record of type 'requeued' for part %d, which has no batch"):format(record.part)
  end
end


--- Applies a record.
---@param record table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:apply(record)
  local problem = records.problem(record) or self:misfit(record)
  if problem then
    return nil, "the journal has " .. problem, { kind = "job", code = "journal_damaged", line = record.n }
  end
  apply[record.type](self, record)
  return true
end


return M
