--- What users ask of a job (job/face.lua hands it on): its results, its status, cancelling it. Waiting for it stands in
--- job/waiting.lua.

local check = require("batchapi.check.options")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local own_files = require("batchapi.job.store.own_files")
local results_of = require("batchapi.job.output.results")
local status_of = require("batchapi.job.output.status")
local unclaimed = require("batchapi.job.store.unclaimed")

local methods = {}

local M = { methods = methods }

local results_options = check.list{
  { name = "raw", kind = "boolean", help = "each has `raw`, the bytes that the service sent for it" },
}



--- Runs a function when an object is collected, on every Lua: 5.1 has no __gc for tables. Not in a child
--- of fork, where the object is a copy of its parent's.
---@param object table
---@param f fun()
function M.at_end(object, f)
  local process = core.forks()
  local guard
  local function at_end()
    if core.forks() == process then
      f()
    end
  end
  if rawget(_G, "newproxy") then
    guard = newproxy(true) -- luacheck: ignore 113
    getmetatable(guard).__gc = at_end
  else
    guard = setmetatable({}, { __gc = at_end })
  end
  object._guards = { guard, object._guards }
end


--- Removes every file that a job writes, and its directory if nothing else is in it. The lock goes
--- last: who holds it must let go only then, for whoever comes next makes another.
---@param paths table { dir, files, outside: those of who must not wait }
---@param files batchapi.Files|nil to wait for the last as their host does: a large file goes slowly
---@param outside batchapi.Files|nil the same, of the file system at large
function M.remove_files(paths, files, outside)
  if paths.gone or not paths.files then
    return
  end
  files, outside = files or paths.files, outside or paths.outside
  own_files.remove(files)
  outside:rmdir(paths.dir)
  paths.gone = true
end


--- The results, one for each request, in a `for` or with `:next()`. With `dir` it may be called
--- again.
---@param given { raw: boolean|nil }|nil raw: each has `raw`, the bytes that the service sent for it
---@return batchapi.Results
function methods:results(given)
  check.check(given or {}, results_options, "job:results")
  if self.temporary and self.results_given then
    errors.misuse("job:results(): without dir the results can be read once; give run a dir to replay them")
  end
  self.results_given = true
  return results_of.new(self, (given or {}).raw)
end


--- The lines of the service that belong to no request, those that have come by now: their bytes, in a
--- `for` or with `:next()`. `status().unclaimed` is their number.
---@return batchapi.Unclaimed
function methods:unclaimed()
  return unclaimed.of(self)
end


--- How far the job is: see batchapi.JobStatus.
---@return batchapi.JobStatus
function methods:status()
  return status_of.of(self)
end


--- Cancels everything at the service; what is not sent yet never is. The results then say so.
---@return batchapi.JobStatus|nil status
---@return string|nil message
---@return batchapi.Error|nil err
function methods:cancel()
  if self.done then
    return self:status()
  end
  loop.enter(self.machine.host) -- before anything is written down
  local ok, why, err = true, nil, nil
  if not self.state.cancelled then
    ok, why, err = self:record{ type = "cancel" }
  end
  if ok then
    ok, why, err = self.family.cancel(self)
  end
  self:changed()
  if not ok then
    return errors.adopt("cancel", err, why)
  end
  return self:status()
end


--- The state in one line.
---@return string
function methods:describe()
  local counts = self.store.counts
  local requests = self.state.input and self.state.input.requests or self.ledger:count()
  return ("batchapi.job (%s, %s, %d of %d settled)"):format(self.id, status_of.of(self).state,
    counts.ok + counts.failed, requests)
end


return M
