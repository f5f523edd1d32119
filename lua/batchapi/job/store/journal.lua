--- The journal of a job: an append-only file of JSON lines, each a step's intent or its outcome.
---
--- A record is on disk (fsync) before the step it announces begins, and after the step it reports
--- has ended, so that whoever opens the journal after a crash knows what may have happened. Each line
--- proves itself (job/store/record_file.lua); the last one may be torn and is cut off then, whatever else is
--- damaged is reported, never skipped.
---
--- A job without a directory has a journal that writes nothing (M.none).

local record_file = require("batchapi.job.store.record_file")

local M = {}
M.__index = M

-- The format of the directory. A reader refuses any newer one.
M.format = 2

-- Of the checksums: what a line belongs to is said by the first one.
M.seed = 0


--- Opens the journal in a directory, making it if there is none, and hands every record to `each`
--- (which answers true, or nil, message, err to stop).
---@param files table batchapi.files
---@param name string
---@param each fun(record: table): true|nil, string|nil, table|nil
---@param damage batchapi.Damage[]|nil takes what is damaged; without it damage is a failure
---@return table|nil journal
---@return string|nil message
---@return table|nil err
function M.open(files, name, each, damage)
  local found = { lines = 0, size = 0 }
  local stat = files:stat(name)
  if stat and stat.size > 0 then
    local here = damage or {}
    local why, err
    found, why, err = record_file.read(files, name, M.seed, each, here)
    if not found then
      return nil, why, err
    elseif not damage and #here > 0 then
      return record_file.refuse(here, "journal_damaged")
    end
    local ok
    ok, why, err = record_file.mend_end(files, name, found)
    if not ok then
      return nil, why, err
    end
  end
  local writer, why, err = files:writer(name, { append = true })
  if not writer then
    return nil, why, err
  end
  return setmetatable({ files = files, writer = writer, number = found.lines, empty = found.size == 0 }, M)
end


--- Writes a journal anew, in the place of one of that name: by one rename, once it is on the disk.
---@param files table batchapi.files
---@param name string
---@param records table[]
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.write_anew(files, name, records)
  local writer, why, err = files:writer(name .. ".new")
  if not writer then
    return nil, why, err
  end
  local ok = true
  for i, record in ipairs(records) do
    record.n, record.crc = nil, nil
    if ok then
      ok, why, err = files:record(writer, record, i, M.seed)
    end
  end
  if ok then
    ok, why, err = files:sync(writer)
  end
  files:close(writer)
  if not ok then
    return nil, why, err
  end
  return files:rename(name .. ".new", name)
end


local function closed()
  return nil, "the job was closed", { kind = "closed" }
end


--- Adds a record. Without `lazy` it is on disk when this returns.
---@param record table
---@param lazy boolean|nil it may be lost in a crash without harm
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:append(record, lazy)
  local writer = self.writer
  if not writer then
    return closed()
  end
  self.number = self.number + 1
  local ok, why, err = self.files:record(writer, record, self.number, M.seed)
  if not ok then
    self.number = self.number - 1 -- a value that cannot be written has left nothing
    return nil, why, err
  elseif self.writer ~= writer then -- meanwhile: it may be in the file, but need not stay there
    return closed()
  elseif lazy then
    return self.files:flush(writer)
  end
  return self.files:sync(writer)
end


function M:close()
  local writer = self.writer
  self.writer = nil -- first: another task may close it too while this one waits
  if writer then
    self.files:close(writer)
  end
end

local none = {}
none.__index = none


function none.append()
  return true
end


function none.close() end


--- The journal of a job that nothing is to survive.
function M.none()
  return setmetatable({ empty = true }, none)
end


return M
