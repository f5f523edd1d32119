--- The results of a job on disk: one JSON line each, in the order they came, appended.
---
--- The file is results.jsonl.part while the job runs; when every request has its result it becomes
--- results.jsonl, in request order if the job is ordered, by one rename. A torn last line is cut
--- off when the file is opened again; a request whose line is there is settled.

local errors = require("batchapi.errors")
local in_order = require("batchapi.job.in_order")

local M = {}
M.__index = M

-- States of a request in the ledger; REPEAT + 3 is one too. FAILED: settled where requests depend on one
-- another, and what depends on it must not run; SETTLED then says that it succeeded.
M.OPEN, M.SETTLED, M.REPEAT, M.TAKEN, M.RECOVERED, M.FAILED = 0, 1, 2, 3, 4, 6

local FLUSH_BYTES = 262144
local LONGEST_LINE = 2 ^ 30 -- bytes, the most that core.lines takes
local keep_null = { null = "keep" }


---@param job table { files, clock, ledger, durable, run }
---@param dir string
function M.new(job, dir)
  local part = "results.jsonl.part"
  return setmetatable({
    files = job.files, sleep = job.clock.sleep, failed = (job.run.request or {}).depends and M.FAILED or M.SETTLED,
    dir = dir, final = "results.jsonl", part = part, path = part, ledger = job.ledger, durable = job.durable,
    visible = 0, counts = { ok = 0, failed = 0, missing = 0 }, writer = nil, opening = false, finished = false,
  }, M)
end


--- Has a request its result?
---@param index integer
---@return boolean
function M:has(index)
  local mark = self.ledger:state(index)
  return mark == M.SETTLED or mark == M.FAILED or mark == M.RECOVERED
end


--- Says in the ledger that a request has its result, and where it lies.
---@param result table
---@param place integer
function M:settle(result, place)
  self.ledger:put(result.index, place)
  self.ledger:set(result.index, result.ok and M.SETTLED or self.failed)
end


function M:account(result)
  local counts = self.counts
  if result.ok then
    counts.ok = counts.ok + 1
  else
    counts.failed = counts.failed + 1
    if result.error and result.error.code == "missing" then
      counts.missing = counts.missing + 1
    end
  end
end


--- Are there results of an earlier process?
---@return boolean
function M:is_begun()
  local stat = self.files:stat(self.path)
  return stat ~= nil and stat.size > 0 or self.files:stat(self.final) ~= nil
end


--- Takes over what an earlier process wrote. `settled(result, place)` is told of each result.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:recover(settled)
  local path, files = self.path, self.files
  if files:stat(self.final) then
    self.finished, self.path, path = true, self.final, self.final
  end
  local stat = files:stat(path)
  if not stat or stat.size == 0 then
    return true
  end
  local reader, why, err = files:reader(path)
  if not reader then
    return nil, why, err
  end
  local place = 0
  while true do
    local result = files:json(reader)
    local next_place = reader:offset()
    if type(result) ~= "table" or type(result.index) ~= "number" then
      break
    end
    settled(result, place)
    self:account(result)
    place = next_place
  end
  files:close(reader)
  if place < stat.size then
    if self.finished then
      return errors.adopt("run", { kind = "job", code = "results_damaged" },
        self.final .. " is damaged; remove it and run again")
    end
    local ok
    ok, why, err = files:truncate(path, place)
    if not ok then
      return nil, why, err
    end
  end
  self.visible = place
  return self:mend_end(place)
end


--- A last line without its line feed is whole, but what is appended must not join it.
function M:mend_end(size)
  if self.finished or size == 0 or self.files:ends_whole(self.path, size) then
    return true
  end
  local ok, why, err = self:open_writer()
  if not ok then
    return nil, why, err
  end
  self.visible = size + 1
  return self.files:write(self.writer, "\n")
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


--- Appends a result and settles its request.
---@param result table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:append(result)
  local ok, why, err = self:open_writer()
  if not ok then
    return nil, why, err
  end
  -- The line is in the writer's buffer before encode() can wait; a task that ends there has settled it.
  local writer, index, before = self.writer, result.index, self.ledger:state(result.index)
  self:settle(result, writer:bytes())
  self:account(result)
  local length, message, failure = self.files:encode(writer, result)
  if not length then
    self.ledger:set(index, before)
    return nil, message, failure
  end
  if self.writer == writer and writer:bytes() - self.visible >= FLUSH_BYTES then
    return self:flush()
  end
  return true
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
  local results = in_order.new(self, LONGEST_LINE)
  for index = 1, self.ledger:count() do
    local line, why, err = results:take("next")
    local ok = line ~= nil
    if not ok and not why then
      return errors.adopt("run", { kind = "job", code = "results_damaged" },
        ("%s has no line for request %d"):format(self.path, index))
    elseif ok then
      ok, why, err = self.files:write(writer, line .. "\n")
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


-- What a finish came to that was stopped while it waited: the file thread has gone on.
local function go_on(self)
  if not self.files:stat(self.final) then
    self.path = self.part
    return false
  end
  self.files:unlink(self.part) -- the former one of a job in order
  self.finished = true
  return true
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
    self.files:unlink(self.part)
  end
  self.finished = true
  return true
end

M.keep_null = keep_null

return M
