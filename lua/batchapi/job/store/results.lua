--- The results of a job on disk: one JSON line each, in the order they came, appended.
---
--- The file is results.jsonl.part while the job runs; when every request has its result it becomes
--- results.jsonl, in request order if the job is ordered, by one rename. A line proves itself
--- (job/store/record_file.lua) and holds our own fields and, as it came, what the service sent: the body is
--- made again from that when the result is handed out. A request whose line is there is settled.

local errors = require("batchapi.util.errors")
local core = require("batchapi.core")
local in_order = require("batchapi.job.store.order")
local marks = require("batchapi.job.store.marks")
local record_file = require("batchapi.job.store.record_file")
local tally = require("batchapi.job.store.tally")

local M = {}
M.__index = M

local FLUSH_BYTES = 262144


local FINAL = "results.jsonl"


--- Has every request its result in a job's directory?
---@param files batchapi.Files
---@return boolean
function M.is_whole(files)
  return files:stat(FINAL) ~= nil
end


---@param job table { files, clock, ledger, durable, run, id, outcome }
---@param dir string
function M.new(job, dir)
  local part = FINAL .. ".part"
  return setmetatable({
    files = job.files, sleep = job.clock.sleep, failed = (job.run.request or {}).depends and marks.FAILED or marks.SETTLED,
    dir = dir, final = FINAL, part = part, path = part, ledger = job.ledger, durable = job.durable,
    outcome = job.outcome, seed = core.crc32c(job.id), number = 0, -- number: of the last line
    visible = 0, counts = tally.new(), round = 0, reopened = false, writer = nil, opening = false, finished = false,
  }, M)
end


--- The name under which results that were damaged are kept.
function M.kept_name(number)
  return ("results-damaged-%d.jsonl"):format(number)
end


--- Has a request its result?
---@param index integer
---@return boolean
function M:has(index)
  return marks.is_settled(self.ledger:state(index))
end


--- Says in the ledger that a request has its result, and where it lies.
---@param result table
---@param place integer
function M:settle(result, place)
  self.ledger:put(result.index, place)
  self.ledger:set(result.index, result.ok and marks.SETTLED or self.failed)
end


--- Are there results of an earlier process?
---@return boolean
function M:is_begun()
  local stat = self.files:stat(self.path)
  return stat ~= nil and stat.size > 0 or self.files:stat(self.final) ~= nil
end


--- Had every request its result when an earlier process ended?
---@return boolean
function M:is_finished()
  return self.finished or M.is_whole(self.files)
end


--- A line that says what no result can: whole it may be, a result it is not.
local function misfit(self, result, rounds)
  local index, count = result.index, self.ledger:count()
  if type(index) ~= "number" or index < 1 or index > count or index % 1 ~= 0 or type(result.ok) ~= "boolean" then
    return "the line is the result of no request"
  elseif self:has(index) and not (type(result.round) == "number" and result.round > (rounds[index] or 0)) then
    return ("the line is a second result of request %d"):format(index)
  elseif not result.ok and (type(result.error) ~= "table" or type(result.error.code) ~= "string") then
    return "the line is a failure without a reason"
  end
end


--- Takes over what an earlier process wrote. `settled(result, place)` is told of each result.
---@param settled fun(result: table, place: integer)
---@param damage batchapi.Damage[]|nil takes what is damaged; without it damage is a failure
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:recover(settled, damage)
  local files, here, rounds = self.files, damage or {}, {} -- rounds: of results that a later one replaced
  if files:stat(self.final) then
    self.finished, self.path = true, self.final
  end
  local stat = files:stat(self.path)
  if not stat or stat.size == 0 then
    return true
  end
  local found, why, err = record_file.read(files, self.path, self.seed, function(result, place, reader)
    local problem = misfit(self, result, rounds)
    if problem then
      here[#here + 1] = { file = self.path, line = reader:number(), what = problem }
      return true
    end
    rounds[result.index] = result.round
    settled(result, place)
    tally.add(self.counts, result)
    return true
  end, here, "fields")
  if not found then
    return nil, why, err
  elseif not damage and #here > 0 then
    return record_file.refuse(here, "results_damaged")
  end
  local ok
  ok, why, err = record_file.mend_end(files, self.path, found)
  if not ok then
    return nil, why, err
  end
  self.visible, self.number, self.damaged = found.size, found.lines, #here > 0
  self.reopened = self.reopened or self.damaged -- what is damaged is passed over by copying
  return true
end


--- Opens the file for appending; of several tasks that come at once the first does it.
function M:open_writer()
  while self.opening do
    self.sleep(0.001)
  end
  if self.writer then
    return true
  end
  local why, err
  self.opening = true
  self.writer, why, err = self.files:writer(self.path, { append = true })
  self.opening = false
  if not self.writer then
    return nil, why, err
  end
  return true
end


--- Appends a result and settles its request. `result` has our own fields, `line` what the service sent:
--- its bytes as they came, or a decoded answer that came in another one's company. The body is made
--- again from the line; where there is none, a body is a field of our own.
---@param result table { index, custom_id, ok, status, error, repaired }
---@param line string|table|nil
---@param strict boolean|nil the line's bytes were read strictly, by job/answer/lines.lua
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:append(result, line, strict)
  local ok, why, err = self:open_writer()
  if not ok then
    return nil, why, err
  end
  if line ~= nil then
    result.body = nil
  end
  -- The line is in the writer's buffer before record() can wait; a task that ends there has settled it.
  local writer, index, before = self.writer, result.index, self.ledger:state(result.index)
  self:settle(result, writer:bytes())
  tally.add(self.counts, result)
  result.round = self.round > 0 and self.round or nil
  self.number = self.number + 1
  local length, message, failure = self.files:record(writer, result, self.number, self.seed, line, strict)
  if not length then
    self.number = self.number - 1
    self.ledger:set(index, before)
    return nil, message, failure
  end
  if self.writer == writer and writer:bytes() - self.visible >= FLUSH_BYTES then
    return self:flush()
  end
  return true
end


--- The result that a line of the file tells.
---@param record table
---@param raw string|nil the line; then the result has `raw`, the service's bytes
---@return table result
function M:result_of(record, raw)
  local bytes, line, mended = record.bytes, record.line, record.base64 ~= nil
  local text = (raw or mended) and record_file.bytes_of(record, raw) or nil
  record.n, record.crc, record.bytes, record.line, record.base64, record.round = nil, nil, nil, nil, nil, nil
  local unreadable = record.error ~= nil and record.error.code == "unreadable"
  if mended then -- or nobody could read it
    line = not unreadable and core.mend(text) or nil
  end
  if bytes and not unreadable then
    record.body = self.outcome:body(line)
  end
  record.raw = (raw or unreadable) and text or nil
  return record
end


--- Makes what was appended visible to readers.
function M:flush()
  local upto = self.writer and self.writer:bytes() or self.visible
  if self.writer then
    local ok, why, err = self.files:flush(self.writer)
    if not ok then
      return nil, why, err
    end
  end
  self.visible = math.max(self.visible, upto)
  return true
end


--- The same, and durable.
function M:sync()
  local upto = self.writer and self.writer:bytes() or self.visible
  if self.writer and self.durable then
    local ok, why, err = self.files:sync(self.writer)
    if not ok then
      return nil, why, err
    end
    self.visible = math.max(self.visible, upto)
    return true
  end
  return self:flush()
end


--- Closes the file; readers see all of it. A task that ends the job and a caller who has read its
--- last result may do so at the same time.
function M:close()
  self:flush()
  local writer = self.writer
  self.writer = nil -- whoever comes while this one waits has nothing to close
  if not writer then
    return
  end
  local upto = writer:bytes()
  if self.files:close(writer) then
    self.visible = math.max(self.visible, upto)
  end
end


--- Has the file its last name? That of a job in order is then another than the one whose places the
--- ledger knows.
function M:has_last_name()
  return self.path == self.final
end


local function copy_in_order(self, writer, breathe)
  local results = in_order.new(self)
  for index = 1, self.ledger:count() do
    local line, why, err = results:take("next")
    local ok = line ~= nil
    if not ok and not why then
      return errors.adopt("run", { kind = "job", code = "results_damaged" },
        ("%s has no line for request %d"):format(self.path, index))
    elseif ok then
      ok, why, err = self.files:renumber(writer, line, index, self.seed)
    end
    if not ok then
      return nil, why, err
    end
    breathe()
  end
  return self.files:sync(writer)
end


--- Writes the results in the order of requests into a new file. `breathe` lets others run.
function M:write_ordered(path, breathe)
  local writer, why, err = self.files:writer(path)
  if not writer then
    return nil, why, err
  end
  local ok
  ok, why, err = copy_in_order(self, writer, breathe)
  self.files:close(writer)
  if not ok then
    return nil, why, err
  end
  return true
end


-- The file that was copied goes, unless something in it was damaged.
local function drop_part(self)
  if not self.damaged then
    self.files:unlink(self.part)
    return
  end
  local number = 1
  while self.files:stat(M.kept_name(number)) do
    number = number + 1
  end
  self.files:rename(self.part, M.kept_name(number))
end


-- What a finish came to that was stopped while it waited: the file thread has gone on.
local function go_on(self)
  if not self.files:stat(self.final) then
    self.path = self.part
    return false
  end
  self.visible = self.files:stat(self.final).size
  drop_part(self) -- the former one of a job in order
  self.finished = true
  return true
end


--- More results are to come: the file is again one that grows.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:reopen()
  self.reopened = true
  if not self.finished then
    return true
  end
  local ok, why, err = self.files:rename(self.final, self.part)
  if ok then
    self.finished, self.path = false, self.part
  end
  return ok, why, err
end


--- All requests are settled: makes results.jsonl appear, whole.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:finish(ordered, breathe)
  if self.finished or self:has_last_name() and go_on(self) then
    return true
  end
  local ok, why, err = self:open_writer() -- so that a job without results has an empty file
  if not ok then
    return nil, why, err
  end
  ok, why, err = self:sync()
  if not ok then
    return nil, why, err
  end
  self:close()
  local from = self.path
  ordered = ordered or self.reopened -- some requests have more than one line
  if ordered then
    from = self.final .. ".ordered"
    ok, why, err = self:write_ordered(from, breathe)
    if not ok then
      return nil, why, err
    end
  end
  -- Who opens the file from here on waits behind the rename, and must name what it makes.
  self.path = self.final
  ok, why, err = self.files:rename(from, self.final)
  if not ok then
    self.path = self.part
    return nil, why, err
  end
  if ordered then
    self.visible = (self.files:stat(self.final) or {}).size or self.visible -- it has fewer lines
    drop_part(self)
  end
  self.finished = true
  return true
end

return M
