--- Opening a job's directory: it is held, and what its journal tells is taken over.

local job_dir = require("batchapi.job.store.directory")

local M = {}

local DIR_TRIES = 5


--- Holds a directory; `how` as job_dir.open() takes it.
---@param job table
---@param dir string
---@param how table
---@param lock_timeout number
---@return batchapi.Files|nil files of the directory
---@return string|nil message
---@return table|nil err
function M.hold(job, dir, how, lock_timeout)
  local tries = 0
  local files, why, err
  repeat -- a refused run may remove the directory while this one waits for it
    files, why, err = job_dir.open(job.outside, dir, how)
    local free = files
    if files then
      free, why, err = job_dir.check_free(files, dir)
    end
    if not free then
      return nil, why, err
    end
    job.lock, why, err = job_dir.lock(files, job.clock, dir, lock_timeout)
    tries = tries + 1
  until job.lock or err.code ~= "ENOENT" or tries == DIR_TRIES
  if not job.lock then
    return nil, why, err
  end
  job.how = how
  return files
end


--- Takes over what the journal of a directory tells that the job holds.
---@param job table
---@param dir string
---@param files batchapi.Files of the directory
---@param salvage batchapi.job.Salvage|nil
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.read(job, dir, files, salvage)
  local opened, state, failure = job_dir.read(files, dir, salvage)
  if not opened then
    return nil, state, failure
  end
  job.journal, job.state, job.id = opened, state, state.job and state.job.id or job.id
  job:settle_in(dir, files)
  -- Calls that harm nothing when repeated leave no intent in the journal: their results tell of them.
  state.any_create = state.any_create or state.input ~= nil and job.store:is_begun()
  return true
end


return M
