--- The journal of a job: an append-only file of JSON lines, each a step's intent or its outcome.
---
--- A record is on disk (fsync) before the step it announces begins, and after the step it reports
--- has ended, so that whoever opens the journal after a crash knows what may have happened. Each line
--- proves itself (job/store/record_file.lua), as one of this job and of its place; the last one may be torn
--- and is cut off then, whatever else is damaged is reported, never skipped. What the job is and how many
--- requests it has stands in one line each, so a second file holds these once more; it is written when the
--- line is on the disk, and before anything else is done.
---
--- A job without a directory has a journal that writes nothing (M.none).

local core = require("batchapi.core")
local record_file = require("batchapi.job.store.record_file")

local M = {}
M.__index = M

-- The format of the directory. A reader refuses any newer one.
M.format = 2

-- Of the first line's checksum: it says itself which job it belongs to. The others' is the job's own.
M.seed = 0

-- The file that holds once more what one line alone says: the records `job` and `input`.
M.COPY = "journal-copy.jsonl"


--- The seed of a line's checksum.
---@param id string of the job
---@param number integer of the line, from 1
---@return integer
function M.seed_of(id, number)
  return number == 1 and M.seed or core.crc32c("journal of " .. tostring(id))
end


-- ---- the second copy -----------------------------------------------------------------------------

---@class batchapi.job.JournalCopy
---@field job table|nil the records that prove themselves
---@field input table|nil
---@field whole boolean nothing of it is damaged: a record that it does not hold was never written

--- What the second copy says.
---@param files table batchapi.Files of the directory
---@return batchapi.job.JournalCopy
function M.copy(files)
  local copy, damage = { whole = false }, {}
  local found = files:stat(M.COPY) and record_file.read(files, M.COPY, function(line)
    return M.seed_of((copy.job or {}).id, line)
  end, function(record)
    if record.type == "job" or record.type == "input" then
      copy[record.type] = record
    end
    return true
  end, damage)
  copy.whole = found and copy.job and #damage == 0 or false
  return copy
end


-- Records without what their lines had besides.
local function bare(records)
  local list = {}
  for i, record in ipairs(records) do
    list[i] = {}
    for name, value in pairs(record) do
      list[i][name] = value
    end
  end
  return list
end


local function write_copy(files, job, input)
  return M.write_anew(files, M.COPY, bare{ job, input })
end


-- ---- reading ------------------------------------------------------------------------------------

--- Reads a journal: `each` is told of its records, and `damage` of what does not prove itself. What of that
--- the second copy says is told too: `damage.mended` counts it, and `damage.more` what the last line may have
--- been besides, if it is damaged: with its line feed two can have become one.
---@param files table batchapi.Files of the directory
---@param name string
---@param each fun(record: table): true|nil, string|nil, table|nil
---@param damage batchapi.Damage[]
---@return batchapi.job.RecordFile|nil found `job` and `input`: these records; `lost`: more than can be told
---@return string|nil message
---@return table|nil err
function M.read(files, name, each, damage)
  local seen, copy, seed = {}, nil, nil
  local function take(record)
    if (record.type == "job" or record.type == "input") and not seen[record.type] then
      seen[record.type] = record
      seed = seed or M.seed_of(record.id, 2)
    end
    return each(record)
  end
  local function take_copy(kind)
    copy = copy or M.copy(files)
    if not seen[kind] and copy[kind] then
      damage.mended = (damage.mended or 0) + 1
      take(copy[kind])
    end
  end
  local found, why, err = record_file.read(files, name, function(line)
    if line > 1 and #damage > 0 and not copy then
      take_copy("job")
    end
    return line == 1 and M.seed or seed or M.seed
  end, take, damage)
  if not found then
    return nil, why, err
  elseif #damage > 0 then
    damage.more = found.open_end and 1 or 0
    take_copy("job")
    take_copy("input")
  elseif not seen.job and M.copy(files).job then -- it has no line, and had one
    found.lost = true
    damage[1] = { file = name, line = 1, what = "the file is cut off within its first line, and had more" }
  end
  found.job, found.input = seen.job, seen.input
  return found
end


-- Reads what is there, makes its end one that may be written on, and the copy one that holds what it must.
local function read_whole(files, name, each, damage)
  local here = damage or {}
  local found, why, err = M.read(files, name, each, here)
  if not found then
    return nil, why, err
  elseif #here > 0 and (found.lost or not damage) then
    return record_file.refuse(here, "journal_damaged")
  end
  local ok
  ok, why, err = record_file.mend_end(files, name, found)
  if ok and found.job and #here == 0 then
    local copy = M.copy(files)
    if not copy.whole or copy.job.id ~= found.job.id or (copy.input == nil) ~= (found.input == nil) then
      ok, why, err = write_copy(files, found.job, found.input)
    end
  end
  if not ok then
    return nil, why, err
  end
  return found
end


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
  local found, why, err
  if files:stat(name) then
    found, why, err = read_whole(files, name, each, damage)
    if not found then
      return nil, why, err
    end
  else
    found = { lines = 0, size = 0 }
    files:drop(M.COPY) -- of a job that was discarded
  end
  local writer
  writer, why, err = files:writer(name, { append = true })
  if not writer then
    return nil, why, err
  end
  return setmetatable({ files = files, writer = writer, number = found.lines, empty = found.size == 0,
    job = found.job }, M)
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
      ok, why, err = files:record(writer, record, i, M.seed_of(records[1].id, i))
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
  self.job = self.job or record
  local ok, why, err = self.files:record(writer, record, self.number, M.seed_of(self.job.id, self.number))
  if not ok then
    self.number = self.number - 1 -- a value that cannot be written has left nothing
    return nil, why, err
  elseif self.writer ~= writer then -- meanwhile: it may be in the file, but need not stay there
    return closed()
  elseif lazy then
    return self.files:flush(writer)
  end
  ok, why, err = self.files:sync(writer)
  if ok and (record.type == "job" or record.type == "input") then
    return write_copy(self.files, self.job, record.type == "input" and record or nil)
  end
  return ok, why, err
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
