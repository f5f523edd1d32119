--- Waiting for a job: until it has ended, until all of it is at the service, or not at all. Each wait
--- has a time and a hook of its own; what is under way when it ends is taken up by the next.

local errors = require("batchapi.util.errors")
local handle = require("batchapi.job.handle")
local options = require("batchapi.check.options")
local status_of = require("batchapi.job.output.status")

local methods = handle.methods


-- ---- what every wait does -----------------------------------------------------------------------

local wait_options = options.list{
  { name = "on_update", kind = "function", callable = true },
  { name = "timeout", kind = "number", min = 0 },
}

local function check_options(name, given)
  if given ~= nil then
    options.check(given, wait_options, "job:" .. name)
  end
end


local function begin(job, given)
  given = given or {}
  return { deadline = given.timeout and job.clock.now() + given.timeout, hook = given.on_update, told = nil }
end


--- Tells the job's hook, and that of a wait, what has changed since they were told last.
---@param wait table|nil
---@param anyway boolean|nil tell them though nothing has
function methods:tell(wait, anyway)
  local now, status = self.version, nil
  local own, hook = self.options.on_update, wait and wait.hook
  if own and (anyway or self.told ~= now) then
    status = status_of.of(self)
    self.told = now
    own(status)
  end
  self.told = now
  if hook and (anyway or wait.told ~= now) then
    wait.told = now
    hook(status or status_of.of(self))
  end
end


--- Without a time of its own a wait has the job's. When that is over, the next begins anew.
local function drive(job, wait)
  local own = wait and wait.deadline
  local ok, why, err = job.machine:drive(own or job.deadline)
  if not own and job.clock.now() >= job.deadline then
    job.deadline = job.clock.now() + job.patience
  end
  return ok, why, err
end


--- Drives the job on; tells what changed. True, or nil, why, err.
---@param wait table|nil
---@return true|nil ok
---@return string|nil message
---@return batchapi.Error|nil err
function methods:advance(wait)
  if not self.done and self.client._core:closed() then
    self.machine:stop()
    return errors.fail(errors.new{ kind = "closed", operation = "run", sent = true,
      message = "the client was closed before the job ended" .. (self.temporary and "" or "; resume it with another") })
  end
  local ok, why, err = drive(self, wait)
  self:tell(wait)
  return ok, why, err
end


local function wait_until(job, given, is_over)
  local wait = begin(job, given)
  job:tell(wait, true)
  while not is_over(job) or job.closed and not job.done do
    local ok, why, err = job:advance(wait)
    if not ok then
      return nil, why, err
    end
  end
  job:tell(wait, true)
  return job:status()
end


-- ---- what users call ----------------------------------------------------------------------------

local function is_done(job)
  return job.done
end


--- Waits until every request has its result. With a timeout it returns in that time (`nil, why, err`
--- with kind `timeout`), and the job goes on in the next wait.
---@param given { on_update: fun(status: batchapi.JobStatus)|nil, timeout: number|nil }|nil
---@return batchapi.JobStatus|nil status
---@return string|nil message
---@return batchapi.Error|nil err
function methods:wait(given)
  check_options("wait", given)
  return wait_until(self, given, is_done)
end


local function is_submitted(job)
  return job.done or job.state.input ~= nil and job.family.unsent(job) == 0
end


--- Waits until all of the job is at the service: every part has its batch. What is submitted goes on
--- there when the program ends; with `dir` it is collected later.
---@param given { on_update: fun(status: batchapi.JobStatus)|nil, timeout: number|nil }|nil
---@return batchapi.JobStatus|nil status
---@return string|nil message
---@return batchapi.Error|nil err
function methods:submit(given)
  check_options("submit", given)
  return wait_until(self, given, is_submitted)
end


--- Does what is due now and returns the status. It does not wait: what it begins is gone on with by
--- the next poll. With a timeout it waits at most so long for what is under way, as a program that
--- then ends must; never for the service's work.
---@param given { timeout: number|nil, on_update: fun(status: batchapi.JobStatus)|nil }|nil
---@return batchapi.JobStatus|nil status
---@return string|nil message
---@return batchapi.Error|nil err
function methods:poll(given)
  check_options("poll", given)
  local wait = begin(self, given)
  if not self.done then
    local ok, why, err = self.machine:go_on(wait.deadline or self.clock.now())
    self:tell(wait)
    if not ok then
      return nil, why, err
    end
  end
  return self:status()
end


--- Lets go of the job: everybody's wait ends with `closed`, its directory is free for others, a job
--- without one leaves nothing behind. What the service has goes on there.
function methods:close()
  if self.closed then
    return
  end
  self.closed = true
  if self.machine:is_inherited() then -- its files, its lock and what waits are the parent's
    return
  end
  self.machine:close()
  self:release()
  if self.temporary then
    handle.remove_files(self.paths, self.files, self.outside)
    self:unlock()
  end
end


-- ---- the last words -----------------------------------------------------------------------------

--- What is to be said when nobody holds a job any more that is not all at the service.
---@param job table
---@return fun() to be called by a finaliser: it does not hold the job
local function last_words(job)
  local paths, state, warn, unsent = job.paths, job.state, job.warn, job.family.unsent
  local seen = { state = state, ledger = job.ledger, run = job.run, kept = {} }
  local id, dir, things = job.id, not job.temporary and job.dir, job.has_parts and "parts" or "requests"
  return function()
    if paths.over or not state.input then
      return
    end
    local count = unsent(seen)
    local what = count == 1 and things:sub(1, -2) or things
    if count > 0 then
      warn(("batchapi: %s was left with %d %s not at the service; job:submit() waits until they are, %s\n")
        :format(id, count, what, dir and ("batchapi.resume(%q) goes on"):format(dir)
          or "and with dir = … a job can be resumed"))
    end
  end
end


--- From now on a job that is dropped, or whose program ends, says what was not sent.
function methods:mind_the_end()
  if self.warn then
    handle.at_end(self, last_words(self))
  end
end


return methods
