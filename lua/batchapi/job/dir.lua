--- The directory of a job: held by one process, its journal read, and what it says made ready
--- again.

local core = require("batchapi.core")
local errors = require("batchapi.errors")
local journal = require("batchapi.job.journal")
local states = require("batchapi.job.state")

local M = {}

M.journal = "journal.jsonl"

local LOCK_PAUSE = 0.2


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


--- Holds the directory, waiting up to `timeout` seconds for another process.
---@param files table of the directory
---@param clock batchapi.job.Clock
---@param dir string
---@param timeout number
---@return userdata|nil lock
---@return string|nil message
---@return table|nil err
function M.lock(files, clock, dir, timeout)
  local deadline = clock.now() + timeout
  while true do
    local lock, why, err = try_lock(files)
    if lock then
      return lock
    elseif not err or err.kind ~= "locked" then
      return errors.adopt("run", err, why)
    elseif clock.now() >= deadline then
      return errors.fail(errors.new{ kind = "locked", operation = "run", pid = err.pid, retryable = true,
        message = ("%s is in use by process %s; wait for it, or give lock_timeout"):format(dir,
          tostring(err.pid or "unknown")) })
    end
    if clock.sleep(math.min(LOCK_PAUSE, math.max(deadline - clock.now(), 0.01))) == false then
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


--- A new directory for a job that nothing is to survive.
---@param files table of the file system at large
---@param random fun(bytes: integer): string
---@return string|nil dir
---@return table|string files those of the directory, or the message
---@return table|nil err
function M.make_temporary(files, random)
  local dir = ("%s/batchapi-%s"):format(files:temporary(), random(8))
  local opened, why, err = M.open(files, dir, { create = true })
  if not opened then
    return nil, why, err
  end
  return dir, opened
end


local function check_first(dir, record)
  if record.type ~= "job" or type(record.format) ~= "number" then
    return nil, dir .. " does not hold a job of batchapi", { kind = "job", code = "not_a_job" }
  elseif record.format > journal.format then
    return nil, ("%s was made by a newer version (format %d, this is %d); use that version to go on"):format(
      dir, record.format, journal.format), { kind = "job", code = "newer_format" }
  end
  return true
end


--- Opens the journal; gives it and the state that it tells.
---@param files table of the directory
---@param dir string
---@return table|nil journal
---@return table|string state, or the message
---@return table|nil err
function M.read(files, dir)
  local state = states.new()
  local opened, why, err = journal.open(files, M.journal, function(record)
    if not state.job then
      local ok, message, failure = check_first(dir, record)
      if not ok then
        return nil, message, failure
      end
    end
    return state:apply(record)
  end)
  if not opened then
    return errors.adopt("run", err, why)
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
