--- Lines of the service that belong to no request, and lines that nobody can read: they are kept as
--- they came, for whoever can tell whose they are.
---
--- Those of a part are in a file of its own, written whole each time the part is settled; those of
--- calls, which have no parts, are appended to one file. Each is a line of the file.

local iterator = require("batchapi.host.iterator")

local M = {}
M.__index = M

M.CALLS = "unclaimed.jsonl"


---@param number integer of the part
---@return string
function M.name(number)
  return ("part-%05d.unclaimed.jsonl"):format(number)
end


-- ---- of a part ----------------------------------------------------------------------------------

--- Begins to keep lines of a part; the file is made with the first.
---@param job table
---@param number integer
function M.new(job, number)
  return setmetatable({ job = job, files = job.files, path = M.name(number), count = 0, writer = nil }, M)
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
  return self.files:write(self.writer, line .. "\n")
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
  local ok
  ok, why, err = files:write(writer, table.concat(lines, "\n") .. "\n")
  if ok then
    ok, why, err = (job.durable and files.sync or files.flush)(files, writer)
  end
  files:close(writer)
  if not ok then
    return nil, why, err
  end
  job.state.unclaimed = job.state.unclaimed + #lines
  return true
end


-- ---- reading ------------------------------------------------------------------------------------

---@class batchapi.Unclaimed
---@overload fun(): string|nil the bytes of the next line, in a `for`; a failure raises
local methods = {}


-- The files there are, in their order.
local function paths_of(job)
  local paths = {}
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and (part.unclaimed or 0) > 0 then
      paths[#paths + 1] = M.name(number)
    end
  end
  if not job.has_parts and job.state.unclaimed > 0 then
    paths[1] = M.CALLS
  end
  return paths
end


--- The bytes of the next line; nil alone at the end of those that are there by now.
---@return string|nil line
---@return string|nil message
---@return batchapi.Error|nil err
function methods:next()
  local files = self._job.files
  while true do
    if not self._reader then
      local path = table.remove(self._paths, 1)
      if not path then
        return nil
      end
      local why, err
      self._reader, why, err = files:reader(path)
      if not self._reader then
        return nil, why, err
      end
    end
    local line, why, err = files:next(self._reader)
    if line or why then
      return line, why, err
    end
    files:close(self._reader)
    self._reader = nil
  end
end


local mt = iterator.metatable(methods, "batchapi.unclaimed")


--- The lines that belong to no request, as far as they have come.
---@param job table
---@return batchapi.Unclaimed
function M.of(job)
  return setmetatable({ _job = job, _what = "unclaimed", _host = job.client._context.host,
    _paths = paths_of(job), _reader = nil }, mt)
end


--- Counts the lines that calls of an earlier process have left.
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.recover(job)
  local path = M.CALLS
  if job.has_parts or not job.files:stat(path) then
    return true
  end
  local reader, why, err = job.files:reader(path)
  if not reader then
    return nil, why, err
  end
  local count = -1
  repeat
    local line
    line, why, err = job.files:next(reader)
    count = count + 1
  until not line
  job.files:close(reader)
  if why then
    return nil, why, err
  end
  job.state.unclaimed = count
  return true
end


return M
