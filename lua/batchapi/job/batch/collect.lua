--- Collecting: what a batch left at the service is brought here whole, and each request of the part
--- gets its one result, whatever the batch came to.

local claim = require("batchapi.job.batch.claim")
local core = require("batchapi.core")
local outcomes = require("batchapi.job.answer.outcome")
local parts = require("batchapi.job.input.parts")
local paths = require("batchapi.util.path")
local persist = require("batchapi.watch.retry")
local result_file = require("batchapi.job.answer.file")
local trouble = require("batchapi.watch.patience")
local unclaimed = require("batchapi.job.store.unclaimed")
local marks = require("batchapi.job.store.marks")

local M = {}

local STRANGE_FILES = 4 -- in the place of a file of results, before one is believed to be all there is

-- In the ledger: settled by a process that died before the part was done.
local RECOVERED = marks.RECOVERED
local CUT_OFF = claim.CUT_OFF


--- A batch that has completed left a line for each request, in one of its files.
local function must_have_lines(part, i)
  local others = 0
  for k in ipairs(part.sources) do
    others = others + (k ~= i and part.sources[k] and 1 or 0)
  end
  return part.outcome == "completed" and others == 0
end


local function download_one(job, part, i, source)
  local known, strange, may_pass = job:known(part.part), 0, trouble.of_result(job)
  local name = claim.answer_name(part, i)
  known.result_id = part.sources[i]
  return persist.run(job, function()
    local answer, why, err = job:call(source, known, { to = job:path(name), unpack = true, disk = job.files.disk })
    if not answer then
      return nil, why, err
    end
    return result_file.check(job.files, name, source.operation, job.outcome, must_have_lines(part, i))
  end, function(err, asked)
    if err.code == "no_result_file" then
      strange = strange + 1
      return strange < STRANGE_FILES
    end
    return may_pass(err, asked)
  end, nil, part)
end


--- The ids of what can be collected, by the place of the source; false: there is nothing.
---@param run table
---@param batch table the service's last answer
---@return table
function M.sources(run, batch)
  local ids = {}
  for i, source in ipairs(run.collect) do
    local id = true
    if source.id then
      id = paths.get(batch, source.id)
      if id == nil or id == core.null or id == "" then
        id = false
      end
    end
    ids[i] = id
  end
  return ids
end


--- Brings every file of the part's batch here. A short file never arrives: the transfer is checked
--- against its length and made whole, or fails. What the service refuses to give is left out, and the
--- part says so.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.download(job, part)
  for i, source in ipairs(job.run.collect) do
    if part.sources[i] then
      local ok, why, err = download_one(job, part, i, source)
      if not ok and not trouble.is_of_part(err) then
        return nil, why, err
      elseif not ok then
        part.sources[i], part.uncollected = false, why
      end
    end
  end
  return true
end


--- Removes what was collected for a part that is settled, if all of it was handed on.
function M.tidy(job, part)
  if part.incomplete then
    return
  end
  for i in ipairs(job.run.collect) do
    job.files:unlink(claim.answer_name(part, i))
  end
end


-- ---- settling -----------------------------------------------------------------------------------

local settling = {}
settling.__index = settling

for name, method in pairs(claim) do
  settling[name] = method
end


local function begin(job, part)
  local self = setmetatable({
    job = job, part = part, ledger = job.ledger, outcome = outcomes.new(job.run),
    mine = marks.waiting(part.attempt), next_mark = marks.waiting(part.attempt + 1),
    last = part.first + part.span - 1,
    repeats = part.attempt < (part.most or job.options.attempts) and not job.state.cancelled
      and not (job.state.no_repeats or part.damaged or part.vanished),
    duplicates = 0, strangers = 0, broken = 0, repeated = 0, usage = nil,
    unclaimed = unclaimed.new(job, part.part), unreadable = 0, missing = 0, uncollected = 0,
    too_long = nil, -- what is said of the first line that is longer than may be read
    seen = 0, known = 0, -- lines; those that are for a request of the part
    cut_off = 0, -- answers that say only that the batch ended before
  }, settling)
  for index = part.first, (part.recovered or part.again) and self.last or 0 do
    if self.ledger:state(index) == marks.SETTLED then
      self.ledger:set(index, RECOVERED)
    end
  end
  return self
end


local function damaged_reason()
  return { code = "damaged", message = "what was kept of this request is damaged, and it was not sent again" }
end


--- Settles a request, or marks it for its next attempt.
function settling:take(index, id, result, line, strict)
  if self.repeats and self.outcome:retryable(result) then
    self.ledger:set(index, self.next_mark)
    self.repeated = self.repeated + 1
    return true
  end
  result.index, result.custom_id = index, id
  if self.job.state.no_repeats and self.part.attempt < self.job.options.attempts and self.outcome:retryable(result) then
    -- it may have been repeated, and the record of that is lost
    result, line = { index = index, custom_id = id, ok = false, error = damaged_reason() }, nil
  end
  return self.job.store:append(result, line, strict)
end


--- Why a request has no answer of its own. What a batch was cut off from is not missing; but where
--- the service reports such requests one by one, one that it does not report is.
function settling:absent_reason(line_number)
  local part = self.part
  if part.uncollected or self.too_long then
    return { code = "uncollected", message = part.uncollected or self.too_long }
  elseif part.outcome == "completed" or self.cut_off > 0 then
    return { code = "missing", message = "the service's answers hold none for this request" .. (
      self.unclaimed.count > 0 and ("; %d of their lines belong to no request: job:unclaimed() has them")
      :format(self.unclaimed.count) or "") }
  elseif CUT_OFF[part.outcome] then
    return { code = part.outcome, message = "it was not answered: " .. self:cut_off_note() }
  end
  for _, reason in ipairs(part.reasons or {}) do
    if reason.line == line_number then
      return { code = reason.code, message = reason.message }
    end
  end
  local first = (part.reasons or {})[1] or {}
  local message = first.message or "the batch failed"
  if first.line and first.line ~= line_number then -- it is another request's
    return { code = part.outcome, message = ("the service refused the whole batch for line %d of its file: %s"):format(
      first.line, message) }
  end
  return { code = first.code or part.outcome, message = message }
end


--- Every request of the part that is still without a result gets one; those to be repeated are
--- written into the next attempt's part.
function settling:fill_gaps(writer)
  local job, part = self.job, self.part
  if part.damaged or part.vanished then
    return self:fill_damaged()
  end
  local lines, why, err = parts.lines(job, part)
  if not lines then
    return nil, why, err
  end
  local number, ok = 0, true
  while ok do
    local line, message, failure = lines.next()
    if not line then
      ok, why, err = message == nil or nil, message, failure
      break
    end
    number = number + 1
    ok, why, err = self:fill_gap(writer, line, number)
    job:breathe()
  end
  lines.close()
  return ok, why, err
end


--- The part's file cannot say whose the requests are that got no answer.
function settling:fill_damaged()
  for index = self.part.first, self.last do
    if self.ledger:state(index) == self.mine then
      local ok, why, err = self.job.store:append{ index = index, ok = false, error = damaged_reason() }
      if not ok then
        return nil, why, err
      end
    end
    self.job:breathe()
  end
  return true
end


function settling:fill_gap(writer, line, number)
  local id = self.job:id_of_line(line)
  local index = id and self.job:find(id)
  if not index then
    return nil, ("%s, line %d: the request is not the one the journal knows"):format(
      parts.name(self.job.run.family, self.part.part), number),
      { kind = "job", code = "part_damaged" }
  end
  if self:is_elsewhere(index) then
    return true
  end
  local mark = self.ledger:state(index)
  if mark == self.mine then
    local result = { ok = false, error = self:absent_reason(number) }
    if self.repeats and result.error.code == "expired" then
      self.ledger:set(index, self.next_mark)
      self.repeated = self.repeated + 1
      mark = self.next_mark
    else
      result.index, result.custom_id = index, id
      local code = result.error.code
      self.missing = self.missing + (code == "missing" and 1 or 0)
      self.uncollected = self.uncollected + (code == "uncollected" and 1 or 0)
      return self.job.store:append(result)
    end
  end
  if mark == self.next_mark then
    if not writer.part then
      local ok, why, err = writer:begin(self.job:new_part(), self.part.attempt + 1,
        self.part.first)
      if not ok then
        return nil, why, err
      end
    end
    return writer:add(line, 0)
  end
  return true
end


--- Requests that an earlier process settled stay so. Those that no line was for were missing then.
function settling:close_recovered()
  local missing = self.part.recovered and self:absent_reason().code == "missing" and 1 or 0
  for index = self.part.first, (self.part.recovered or self.part.again) and self.last or 0 do
    if self.ledger:state(index) == RECOVERED then
      self.ledger:set(index, marks.SETTLED)
      self.missing = self.missing + missing
    end
  end
end


function settling:retry_record(writer)
  if not writer.part then
    return nil
  end
  local record, why, err = writer:finish()
  if record then
    record.span, record.most = self.part.span, self.part.most
  end
  return record, why, err
end


--- Gives every request of an ended part its result. The files its batch left must be here.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.settle(job, part)
  local self = begin(job, part)
  local ok, why, err = self:read_files()
  if self.seen > 0 and self.known == 0 and part.outcome == "completed" and not part.uncollected then
    part.uncollected = ("the service's %d lines of results are for none of this batch's requests"):format(self.seen)
  end
  local writer = parts.new(job)
  if ok then
    ok, why, err = self:fill_gaps(writer)
  end
  if ok then
    ok, why, err = self.unclaimed:finish()
  end
  if not ok then
    writer:abandon()
    self.unclaimed:abandon()
    return nil, why, err
  end
  self:close_recovered()
  local retry
  retry, why, err = self:retry_record(writer)
  if err then
    return nil, why, err
  end
  ok, why, err = job.store:sync()
  if not ok then
    return nil, why, err
  end
  ok, why, err = job:record{
    type = "settled", part = part.part, duplicates = self.duplicates, strangers = self.strangers,
    broken = self.broken, usage = self.usage, retry = retry, unclaimed = self.unclaimed.count,
    unreadable = self.unreadable + (self.too_long and 1 or 0), missing = self.missing, uncollected = self.uncollected,
  }
  if not ok then
    return nil, why, err
  end
  M.tidy(job, part)
  return true
end


return M
