--- The directory of a job: held by one process, its journal read, and what it says made ready
--- again.

local core = require("batchapi.core")
local errors = require("batchapi.errors")
local journal = require("batchapi.job.journal")
local states = require("batchapi.job.state")

local M = {}

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


local function try_lock(files, path)
  local lock, why, err = files:lock(path)
  if not lock and err and err.kind == "locked" and err.pid == core.pid() then
    -- A job of this process that nobody holds any more lets go when it is collected.
    collectgarbage()
    collectgarbage()
    lock, why, err = files:lock(path)
  end
  return lock, why, err
end


--- Holds the directory, waiting up to `timeout` seconds for another process.
---@param files table
---@param clock batchapi.job.Clock
---@param dir string
---@param timeout number
---@return userdata|nil lock
---@return string|nil message
---@return table|nil err
function M.lock(files, clock, dir, timeout)
  local deadline = clock.now() + timeout
  while true do
    local lock, why, err = try_lock(files, dir .. "/lock")
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


--- Makes a directory and those above it.
---@param files table
---@param dir string
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.make(files, dir)
  local stat = files:stat(dir)
  if stat then
    if stat.type ~= "directory" then
      return errors.fail(errors.new{ kind = "io", code = "ENOTDIR", operation = "run",
        message = dir .. " is not a directory" })
    end
    return true
  end
  local parent = dir:gsub("/+$", ""):match("^(.*)/[^/]+$")
  if parent and parent ~= "" then
    local ok, why, err = M.make(files, parent)
    if not ok then
      return nil, why, err
    end
  end
  local ok, why, err = files:mkdir(dir)
  if not ok and err and err.code ~= "EEXIST" then
    return errors.adopt("run", err, why)
  end
  return true
end


--- A new directory for a job that nothing is to survive.
---@param files table
---@param random fun(bytes: integer): string
---@return string|nil dir
---@return string|nil message
---@return table|nil err
function M.make_temporary(files, random)
  local dir = ("%s/batchapi-%s"):format(files:temporary(), random(8))
  local ok, why, err = files:mkdir(dir)
  if not ok then
    return errors.adopt("run", err, why)
  end
  return dir
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
---@param files table
---@param dir string
---@return table|nil journal
---@return table|string state, or the message
---@return table|nil err
function M.read(files, dir)
  local state = states.new()
  local opened, why, err = journal.open(files, dir .. "/journal.jsonl", function(record)
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
