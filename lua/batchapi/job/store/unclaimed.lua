--- Lines of the service that belong to no request, and lines that nobody can read: they are kept as
--- they came, for whoever can tell whose they are.
---
--- Those of a part are in a file of its own, written whole each time the part is settled; those of
--- calls, which have no parts, are appended to one file. Each is in a line that proves itself
--- (job/store/record_file.lua). One that is damaged is told, and the others are handed out.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local iterator = require("batchapi.host.iterator")
local record_file = require("batchapi.job.store.record_file")

local M = {}
M.__index = M

M.CALLS = "unclaimed.jsonl"


---@param number integer of the part
---@return string
function M.name(number)
  return ("part-%05d.unclaimed.jsonl"):format(number)
end


--- The seed of the checksums in a file.
---@param id string of the job
---@param name string
---@return integer
function M.seed_of(id, name)
  return core.crc32c(("%s of %s"):format(name, tostring(id)))
end


-- ---- of a part ----------------------------------------------------------------------------------

--- Begins to keep lines of a part; the file is made with the first.
---@param job table
---@param number integer
function M.new(job, number)
  local path = M.name(number)
  return setmetatable({ job = job, files = job.files, path = path, seed = M.seed_of(job.id, path), count = 0,
    writer = nil }, M)
end


---@param line string
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:add(line)
  if not self.writer then
    local why, err
    self.writer, why, err = self.files:writer(self.path .. ".new")
    if not self.writer then
      return nil, why, err
    end
  end
  self.count = self.count + 1
  local length, why, err = self.files:record(self.writer, { type = "unclaimed" }, self.count, self.seed, line)
  return length ~= nil or nil, why, err
end


--- The part is settled: the file gets its name, if there is one.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:finish()
  local files, writer = self.files, self.writer
  if not writer then
    return true
  end
  self.writer = nil
  local ok, why, err = (self.job.durable and files.sync or files.flush)(files, writer)
  files:close(writer)
  if not ok then
    return nil, why, err
  end
  return files:rename(self.path .. ".new", self.path)
end


function M:abandon()
  if self.writer then
    self.files:close(self.writer)
    self.files:unlink(self.path .. ".new")
    self.writer = nil
  end
end


-- ---- of calls -----------------------------------------------------------------------------------

--- Keeps lines of a call. They are on disk when this returns, as far as the job is.
---@param job table
---@param lines string[]
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.keep(job, lines)
  local files = job.files
  local writer, why, err = files:writer(M.CALLS, { append = true })
  if not writer then
    return nil, why, err
  end
  local ok, seed, number = true, M.seed_of(job.id, M.CALLS), job.unclaimed_number or 0
  for i, line in ipairs(lines) do
    if ok then
      ok, why, err = files:record(writer, { type = "unclaimed" }, number + i, seed, line)
    end
  end
  if ok then
    ok, why, err = (job.durable and files.sync or files.flush)(files, writer)
  end
  files:close(writer)
  if not ok then
    return nil, why, err
  end
  job.unclaimed_number = number + #lines
  job.state.unclaimed = job.state.unclaimed + #lines
  return true
end


-- ---- reading ------------------------------------------------------------------------------------

---@class batchapi.Unclaimed
---@overload fun(): string|nil the bytes of the next line, in a `for`; a failure raises
local methods = {}


-- The files there are, in their order, and how many lines each has at least.
local function files_of(job)
  local list = {}
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and (part.unclaimed or 0) > 0 then
      list[#list + 1] = { path = M.name(number), lines = part.unclaimed }
    end
  end
  if not job.has_parts and job.state.unclaimed > 0 then
    list[1] = { path = M.CALLS, lines = 0 }
  end
  return list
end


-- A line that cannot be handed out, or more of them.
local function refuse(self, what, lines)
  local damage = { file = self._path, line = self._reader:number(), lines = lines, what = what }
  return errors.adopt("unclaimed", { kind = "job", code = "unclaimed_damaged", line = damage.line, damage = { damage } },
    record_file.describe(damage))
end


-- The next line of the file that is read; nil alone at its end.
local function next_line(self)
  local reader, last = self._reader, self._number
  local record, why, err = self._job.files:proven(reader, self._seed)
  if record == nil and not why then
    self._number = math.max(last, self._expected)
    if last < self._expected then
      return refuse(self, "lines are missing at its end", self._expected - last)
    end
    return nil
  elseif record == nil and err.code ~= "checksum" then
    return errors.adopt("unclaimed", err, why)
  elseif record == nil then
    self._number = last + 1
    return refuse(self, "the line is damaged")
  elseif record.n <= last then
    return refuse(self, "the line stands there twice")
  end
  self._number = record.n
  local bytes = record_file.bytes_of(record, reader:raw())
  if record.n > last + 1 then
    self._held = bytes
    return refuse(self, "lines are missing before it", record.n - last - 1)
  end
  return bytes
end


-- Opens the next file; nil alone: there is none.
local function open_next(self)
  local one = table.remove(self._files, 1)
  if not one then
    return nil
  end
  local why, err
  self._path, self._expected, self._number = one.path, one.lines, 0
  self._seed = M.seed_of(self._job.id, one.path)
  self._reader, why, err = self._job.files:reader(one.path, record_file.any_length)
  return self._reader, why, err
end


--- The bytes of the next line; nil alone at the end of those that are there by now.
---@return string|nil line
---@return string|nil message of a line that is damaged; the next call goes on behind it
---@return batchapi.Error|nil err
function methods:next()
  while true do
    local held = self._held
    self._held = nil
    if held then
      return held
    elseif not self._reader then
      local reader, why, err = open_next(self)
      if not reader then
        return nil, why, err
      end
    end
    local line, why, err = next_line(self)
    if line or why then
      return line, why, err
    end
    self._job.files:close(self._reader)
    self._reader = nil
  end
end


local mt = iterator.metatable(methods, "batchapi.unclaimed")


--- The lines that belong to no request, as far as they have come.
---@param job table
---@return batchapi.Unclaimed
function M.of(job)
  return setmetatable({ _job = job, _what = "unclaimed", _host = job.client._context.host,
    _files = files_of(job), _reader = nil, _held = nil }, mt)
end


--- Counts the lines that calls of an earlier process have left, and makes the file one that more may be
--- appended to.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.recover(job)
  local path, count = M.CALLS, 0
  if job.has_parts or not job.files:stat(path) then
    return true
  end
  local found, why, err = record_file.read(job.files, path, M.seed_of(job.id, path), function()
    count = count + 1
    return true
  end, {})
  if not found then
    return nil, why, err
  end
  local ok
  ok, why, err = record_file.mend_end(job.files, path, found)
  job.state.unclaimed, job.unclaimed_number = count, found.lines
  return ok, why, err
end


return M
