--- The journal of a job: an append-only file of JSON lines, each a step's intent or its outcome.
---
--- A record is on disk (fsync) before the step it announces begins, and after the step it reports
--- has ended, so that whoever opens the journal after a crash knows what may have happened. The
--- last line may be torn: it is cut off. A damaged line elsewhere is reported, never skipped.
---
--- A job without a directory has a journal that writes nothing (M.none).

local M = {}
M.__index = M

-- The format of the directory. A reader refuses any newer one.
M.format = 1


local function damaged(path, number, why)
  local message = ("%s: line %d is damaged (%s); restore the file or begin in a new directory")
    :format(path, number, why)
  return nil, message, { kind = "job", code = "journal_damaged", line = number }
end


--- Reads all records; gives them and the byte offset behind the last whole line.
local function read_records(files, path, size, each)
  local reader, why, err = files:reader(path)
  if not reader then
    return nil, why, err
  end
  local good, number = 0, 0
  while true do
    local record, message, failure = files:json(reader)
    local offset = reader:offset()
    if record == nil and not message then
      break
    end
    number = number + 1
    -- A line that ends at the end of the file may be torn; it counts only if it is whole.
    local last = offset >= size
    local whole = record ~= nil and type(record) == "table"
    if not whole and not last then
      files:close(reader)
      return damaged(path, number, message or "not an object")
    elseif not whole then
      if failure and failure.kind == "io" then
        files:close(reader)
        return nil, message, failure
      end
      break
    end
    local ok, problem, problem_err = each(record)
    if not ok then
      files:close(reader)
      return nil, problem, problem_err
    end
    good = offset
  end
  files:close(reader)
  return good
end


--- Opens the journal in a directory, making it if there is none, and hands every record to `each`
--- (which answers true, or nil, message, err to stop).
---@param files table batchapi.files
---@param path string
---@param each fun(record: table): true|nil, string|nil, table|nil
---@return table|nil journal
---@return string|nil message
---@return table|nil err
function M.open(files, path, each)
  local stat = files:stat(path)
  local size = stat and stat.size or 0
  local good = 0
  if size > 0 then
    local why, err
    good, why, err = read_records(files, path, size, each)
    if not good then
      return nil, why, err
    end
    if good < size then
      local ok
      ok, why, err = files:truncate(path, good)
      if not ok then
        return nil, why, err
      end
    end
  end
  local writer, why, err = files:writer(path, { append = true })
  if not writer then
    return nil, why, err
  end
  local journal = setmetatable({ files = files, writer = writer, path = path, empty = good == 0 }, M)
  if good > 0 and good == size and not files:ends_whole(path, size) then
    files:write(writer, "\n") -- a whole record whose line feed was torn off
  end
  return journal
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
  local ok, why, err = self.files:encode(writer, record)
  if not ok then
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
