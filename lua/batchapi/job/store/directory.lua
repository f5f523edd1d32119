--- The directory of a job: held by one process, its journal read, and what it says made ready
--- again.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local journal = require("batchapi.job.store.journal")
local migrate = require("batchapi.job.store.migrate")
local own_files = require("batchapi.job.store.own_files")
local states = require("batchapi.job.store.state")

local M = {}

M.journal = "journal.jsonl"

local LOCK_PAUSE = 0.2
local SWEEP_AFTER = 60 -- seconds

local swept = false


--- scheme://host:port in lower case, the scheme's own port left out.
---@param url string
---@return string
function M.origin(url)
  local scheme, authority = url:match("^(%a[%w+.-]*)://([^/?#]*)")
  if not scheme then
    return url:lower()
  end
  scheme, authority = scheme:lower(), authority:lower():gsub("^.*@", "")
  local own = { http = "80", https = "443" }
  authority = authority:gsub(":(%d*)$", function(port)
    return (port == "" or port == own[scheme]) and "" or ":" .. port
  end)
  return scheme .. "://" .. authority
end


local function try_lock(files)
  local lock, why, err = files:lock("lock")
  if not lock and err and err.kind == "locked" and err.pid == core.pid() then
    -- A job of this process that nobody holds any more lets go when it is collected.
    collectgarbage()
    collectgarbage()
    lock, why, err = files:lock("lock")
  end
  return lock, why, err
end


--- Holds the directory, waiting up to `timeout` seconds for another process, and longer for one that is
--- about to end (an nginx worker that a reload replaces).
---@param files table of the directory
---@param clock batchapi.job.Clock
---@param dir string
---@param timeout number
---@return userdata|nil lock
---@return string|nil message
---@return table|nil err
function M.lock(files, clock, dir, timeout)
  local began = clock.now()
  local deadline = began + timeout
  while true do
    local lock, why, err = try_lock(files)
    if lock then
      return lock
    elseif not err or err.kind ~= "locked" then
      return errors.adopt("run", err, why)
    elseif clock.now() >= deadline
      and not (clock.leaving and err.pid and clock.leaving(err.pid, clock.now() - began)) then
      return errors.fail(errors.new{ kind = "locked", operation = "run", pid = err.pid, retryable = true,
        message = ("%s is in use by process %s; wait for it, or give lock_timeout"):format(dir,
          tostring(err.pid or "unknown")) })
    end
    local left = deadline - clock.now()
    if clock.sleep(left > 0 and math.min(LOCK_PAUSE, math.max(left, 0.01)) or LOCK_PAUSE) == false then
      return errors.fail(errors.new{ kind = "closed", operation = "run", message = "the process is about to end" })
    end
  end
end


--- Opens a job's directory: once, so that every file of the job is reached through it, and only if
--- nobody else can put files there.
---@param files table of the file system at large
---@param dir string
---@param how { create: boolean|nil, group: boolean|nil }
---@return table|nil files those of the directory
---@return string|nil message
---@return table|nil err
function M.open(files, dir, how)
  local opened, why, err = files:directory(dir, { create = how.create, group = how.group, mark = M.journal })
  if not opened then
    return errors.adopt("run", err, why)
  end
  return opened
end


-- Directories of jobs that nothing was to survive, left by processes that had no time to remove them:
-- ours, of nobody who holds their lock, and not of one who is just making them.
local function sweep(files, base, now)
  for _, name in ipairs(files:list(base) or {}) do
    local dir = base .. "/" .. name
    local stat = name:find("^batchapi%-%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x$") and files:stat(dir)
    if stat and stat.type == "directory" and now - stat.mtime > SWEEP_AFTER then
      local opened = files:directory(dir, { mark = M.journal })
      local lock = opened and opened:lock("lock")
      if lock then
        own_files.remove(opened)
        files:rmdir(dir)
        lock:release()
      end
    end
  end
end


--- A new directory for a job that nothing is to survive, and the lock that says that somebody has it.
---@param files table of the file system at large
---@param random fun(bytes: integer): string
---@param now number seconds since 1970
---@return string|nil dir
---@return table|string files those of the directory, or the message
---@return userdata|table|nil lock or the error
function M.make_temporary(files, random, now)
  local base = files:temporary()
  if not swept then
    swept = true -- once in a process
    sweep(files, base, now)
  end
  local dir = ("%s/batchapi-%s"):format(base, random(8))
  local opened, why, err = M.open(files, dir, { create = true })
  if not opened then
    return nil, why, err
  end
  local lock
  lock, why, err = opened:lock("lock")
  if not lock then
    files:rmdir(dir)
    return errors.adopt("run", err, why)
  end
  files:goes_at_exit(dir) -- what a signal or a crash leaves is swept by whoever comes next
  return dir, opened, lock
end


local function not_a_job(dir)
  return nil, dir .. " does not hold a job of batchapi", { kind = "job", code = "not_a_job" }
end


local ours = { "^lock$", "^journal%.jsonl", "^journal%-copy%.jsonl", "^requests%.jsonl", "^results%.jsonl",
  "^part%-%d+%.", "^unclaimed" }


local function is_ours(name)
  for _, pattern in ipairs(ours) do
    if name:find(pattern) then
      return true
    end
  end
  return false
end


--- A directory without a journal is taken only if nothing of somebody else's is in it.
---@param files table of the directory
---@param dir string
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check_free(files, dir)
  if files:stat(M.journal) then
    return true
  end
  local names, why, err = files:list()
  if not names then
    return errors.adopt("run", err, why)
  end
  for _, name in ipairs(names) do
    if not is_ours(name) then
      return errors.fail(errors.new{ kind = "job", code = "not_a_job", operation = "run", message = (
        "%s holds no job of batchapi, but other files (%s): give an empty or new directory"):format(dir, name) })
    end
  end
  return true
end


local function newer(dir, record)
  return nil, ("%s was made by a newer version (format %d, this is %d); use that version to go on"):format(
    dir, record.format, journal.format), { kind = "job", code = "newer_format" }
end


--- The first record of a journal, as far as it can be read.
---@param files table of the directory
---@return table|nil record nil: there is none, or nobody can read it
---@return boolean|string|nil proven by its line; nil: there is none; or the message
---@return table|nil err
---@return table|nil copy what the second copy of a line says that does not prove itself
function M.first_record(files)
  local stat = files:stat(M.journal)
  if not stat or stat.size == 0 then
    return nil
  end
  local reader, why, err = files:reader(M.journal)
  if not reader then
    return nil, why, err
  end
  local line
  line, why, err = files:next(reader)
  local torn = reader:cut()
  files:close(reader)
  if not line then
    return nil, why, err
  end
  local record, proven = core.decode(line), core.record(line, journal.seed) ~= nil
  local copy = not proven and journal.copy(files).job or nil
  if torn and not (proven or copy) then
    return nil -- its writer died before it could act upon it
  end
  return type(record) == "table" and record or nil, proven, nil, copy
end


--- May the journal be read by this version? One of the first format is made one of today's.
local function check_format(files, dir)
  local record, proven, err, copy = M.first_record(files)
  if err then
    return nil, proven, err
  elseif record == nil then
    return true -- none, torn, or damaged: the reading tells
  end
  local is_job = record.type == "job" and type(record.format) == "number"
  if is_job and record.format == 1 and record.crc == nil then
    return migrate.run(files, M.journal, record)
  elseif copy then
    return true
  elseif is_job and record.format > journal.format then
    return newer(dir, record)
  elseif not proven and record.crc ~= nil then
    return true
  elseif not is_job then
    return not_a_job(dir)
  end
  return true
end


--- Opens the journal; gives it and the state that it tells.
---@param files table of the directory
---@param dir string
---@param salvage batchapi.job.Salvage|nil takes what is damaged; without it damage is a failure
---@return table|nil journal
---@return table|string state, or the message
---@return table|nil err
function M.read(files, dir, salvage)
  local state = states.new()
  local ok, why, err = check_format(files, dir)
  if not ok then
    return errors.adopt("run", err, why)
  end
  local opened
  opened, why, err = journal.open(files, M.journal, function(record)
    if salvage then
      return salvage.take(salvage, state, record)
    end
    return state:apply(record)
  end, salvage and salvage.damage)
  if not opened then
    return errors.adopt("run", err, err and err.damage and ("%s/%s"):format(dir, why) or why)
  end
  return opened, state
end


--- Is the journal's job one of this client's?
---@param state table
---@param client batchapi.Client
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check_owner(state, client)
  local recorded, here = state.job, M.origin(client._base_url)
  if recorded.service ~= client._definition.name then
    return errors.fail(errors.new{ kind = "job", code = "other_service", operation = "run",
      message = ("the directory holds a job of %s, this client is for %s"):format(
        tostring(recorded.service), client._definition.name) })
  elseif recorded.origin ~= here then
    return errors.fail(errors.new{ kind = "job", code = "other_origin", operation = "run",
      message = ("the job was begun at %s, this client talks to %s: refused, for its batches are not there")
        :format(tostring(recorded.origin), here) })
  end
  return true
end


return M
