--- Whole jobs: any number of requests in, every result out, whatever happens between.
---
--- `client:run(requests, options)` and `batchapi.resume(dir, options)` come here. How it works:
---
--- - The requests are read once, completed, checked and written to files split by the service's
---   limits (job/input/writing.lua, job/input/parts.lua); nothing is submitted before the last one was found
---   right.
--- - Each step at the service has its intent in the journal before and its outcome after
---   (job/store/journal.lua); what the journal says is all a process needs to go on (job/store/state.lua).
--- - Services that take batches are served by job/batch/init.lua, with job/batch/submit.lua, job/batch/watch.lua
---   and job/batch/collect.lua; services that answer at once, or take one request at a time, by
---   job/call/init.lua.
--- - Results are appended to one file, and handed out from there (job/store/results.lua, job/output/results.lua).
--- - Tasks move it all while the user waits for the job (job/tasks.lua).

local check = require("batchapi.check.options")
local clients = require("batchapi.call.clients")
local core = require("batchapi.core")
local damaged = require("batchapi.job.recover.damaged")
local errors = require("batchapi.util.errors")
local face = require("batchapi.job.face")
local files_of = require("batchapi.host.files")
local job_dir = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
local listing = require("batchapi.job.output.listing")
local loop = require("batchapi.host")
local object = require("batchapi.job.object")
local opening = require("batchapi.job.store.opening")
local options_of = require("batchapi.job.options")
local resumed_client = require("batchapi.job.recover.client")
local run_options = require("batchapi.definition.run_options")
local salvages = require("batchapi.job.recover.salvage")
local source = require("batchapi.job.input.source")
local verify = require("batchapi.job.recover.verify")
local world_of = require("batchapi.job.world")
local writing = require("batchapi.job.writing")

local M = {}

--- How a client of a service that is shipped is made, with what the environment has: the module says so, for
--- a job knows clients, and not how they come to be.
---@type fun(service: string): batchapi.Client|nil, string|nil, batchapi.Error|nil
M.make_client = nil

--- What may be asked of jobs in directories: see these.
M.verify, M.status, M.list = verify.verify, listing.status, listing.list
M.progress = require("batchapi.job.output.progress")


-- ---- opening ------------------------------------------------------------------------------------

local function open_dir(job, dir, how, lock_timeout, salvage)
  local files, why, err = opening.hold(job, dir, how, lock_timeout)
  if not files then
    return nil, why, err
  end
  return opening.read(job, dir, files, salvage)
end


local function open_temporary(job)
  local dir, files, lock = job_dir.make_temporary(job.outside, job.random, job.clock.wall())
  if not dir then
    return nil, files, lock
  end
  job.lock = lock
  job:settle_in(dir, files, true)
  return true
end


--- Takes over what an earlier process wrote, or writes the first record.
local function begin_record(job)
  if job.state.job then
    local ok, why, err = job_dir.check_owner(job.state, job.client)
    if not ok then
      return nil, why, err
    end
    job.id = job.state.job.id
    return true
  end
  return job:record{
    type = "job", format = journal.format, version = core._VERSION, id = job.id, at = job.clock.wall(),
    family = job.run.family, body = (job.run.result or {}).body,
    service = job.definition.name, origin = job_dir.origin(job.client._base_url),
    options = options_of.recorded(job.options),
  }
end


local function recorded_options(state)
  return state.input and state.input.options or state.job and state.job.options
end


local function check_unchanged(job)
  local recorded = job.state.any_create and recorded_options(job.state)
  local name = recorded and options_of.changed(job.run, job.options, recorded)
  if name then
    return errors.fail(errors.new{ kind = "job", code = "options_changed", operation = "run",
      message = ("%s holds a job with another '%s', and it has been submitted: give the same, or another dir")
        :format(job.dir, name) })
  end
  return true
end


--- Reads or compares the requests, then makes the account complete.
local function take_requests(job, requests)
  if job.state.any_create then
    -- Options that the first request tells are known by now; the comparison needs them.
    for name, value in pairs(recorded_options(job.state)) do
      if job.options[name] == nil then
        job.options[name] = value
      end
    end
  end
  local ok, why, err = check_unchanged(job)
  if not ok then
    return nil, why, err
  end
  job.machine:enter()
  ok, why, err = writing.read(job, requests)
  if not ok then
    return nil, why, err
  end
  if job.state.any_create then
    return job:recover()
  end
  return true
end


--- Drives the job until its first part is made at the service, or refused.
local function until_begun(job)
  while not (job.done or job.confirmed) do
    local ok, why, err = job:advance()
    if not ok then
      return nil, why, err
    end
  end
  return true
end


local function finish_opening(job, ok, why, err)
  if not ok then
    if job.temporary and job.has_parts and not job.confirmed and err.status and not job.closed then
      job:discard() -- the service has refused, and nobody will use what was uploaded beside
    end
    job:close()
    return nil, why, err
  end
  job:mind_the_end()
  return face.of(job)
end


--- Runs any number of requests as a job. Returns once they are read and the first part is made at
--- the service, or refused.
---@param client batchapi.Client
---@param requests table[]|fun(): table|string an array, an iterator, or the path of a JSONL file
---@param given batchapi.RunOptions|nil and the service's own options
---@param world batchapi.job.World|nil the real one
---@return batchapi.Job|table|nil job, or with dry_run the report
---@return string|nil message
---@return batchapi.Error|nil err
function M.run(client, requests, given, world)
  local run = client._definition.run
  loop.enter(client._context.host) -- before anything is touched
  source.check(requests)
  local options, problem = options_of.parse(run, given)
  if not options then
    return errors.invalid("run", problem)
  end
  local job = object.new(client, options, world or world_of.real(client))
  local ok, why, err = job:check_create()
  if not ok then
    return nil, why, err
  elseif options.dry_run then
    return require("batchapi.job.dry_run").run(job, requests)
  end
  if options.dir then
    ok, why, err = open_dir(job, options.dir, { create = true, group = options.group }, options.lock_timeout)
  else
    ok, why, err = open_temporary(job)
  end
  if ok then
    ok, why, err = begin_record(job)
  end
  if ok then
    ok, why, err = take_requests(job, requests)
  end
  if ok then
    ok, why, err = until_begun(job)
  end
  return finish_opening(job, ok, why, err)
end


-- ---- resuming -----------------------------------------------------------------------------------

--- Those of `run` that may change from process to process, and two of its own.
M.resume_options = (function()
  local list = {
    { name = "client", kind = "any",
      help = "of the job's service (else one is made of the environment; needed for one of your own)" },
    { name = "salvage", kind = "boolean", default = false,
      help = "go on with what a damaged directory proves, and give the rest as damaged" },
  }
  for _, option in ipairs(run_options) do
    list[#list + 1] = option.resume and option or nil
  end
  return check.list(list)
end)()


local function check_resume_options(dir, given)
  if type(dir) ~= "string" then
    errors.misuse(("resume: the directory of a job expected, got a %s"):format(type(dir)))
  elseif clients.is(given) then
    errors.misuse("resume: give the client by its name: resume(dir, { client = client })")
  elseif given ~= nil then
    check.check_table(given, "resume")
  end
  for name, value in pairs(given or {}) do
    local option = check.find(M.resume_options, name)
    if not option then
      check.unknown(name, check.names(M.resume_options), "resume")
    end
    check.check_kind(name, value, option, "resume: ")
  end
  local client = given and given.client
  if client ~= nil and not (clients.is(client) and client._definition.run) then
    errors.misuse("resume: option 'client' must be a client of a service that has 'run'")
  elseif client ~= nil then
    clients.check_open(client, "resume")
  end
end


local function over(base, changed)
  local merged = {}
  for name, value in pairs(base) do
    merged[name] = value
  end
  for name, value in pairs(changed) do
    merged[name] = value
  end
  return merged
end


local function merged_options(client, record, given)
  local run, recorded = client._definition.run, record.options or {}
  given = over(given, {})
  given.client, given.salvage, given.group = nil, nil, nil
  if not client._reads_only then
    return options_of.parse(run, over(recorded, given))
  end
  -- What was recorded was right then; the words of the service that it acts upon are not here.
  local options, problem = options_of.parse(run, given)
  return options and over(options, over(recorded, given)), problem
end


-- Options that the first request told are known by now.
local function adopt_options(job)
  for name, value in pairs((job.state.input or {}).options or {}) do
    if job.options[name] == nil then
      job.options[name] = value
    end
  end
end


local function take_up(job, salvage)
  adopt_options(job)
  if salvage then
    local ok, why, err = salvages.go_on(job, salvage, job_dir.journal)
    if not ok or job.state.input then
      return ok, why, err
    end
  end
  if not job.state.input then
    return errors.fail(errors.new{ kind = "job", code = "input_incomplete", operation = "resume",
      message = ("the process died while the requests of %s were still being read: call run again with the "
        .. "same requests and dir"):format(job.dir) })
  end
  local ok, why, err = job:recover()
  if ok and job.state.salvaged and not job.store.finished then
    ok, why, err = damaged.settle(job)
  end
  return ok, why, err
end


--- Goes on with the job in a directory, or replays its results if it has ended.
---@param dir string
---@param given batchapi.ResumeOptions|nil
---@param world batchapi.job.World|nil the real one
---@return batchapi.Job|nil job
---@return string|nil message
---@return batchapi.Error|nil err
function M.resume(dir, given, world)
  check_resume_options(dir, given)
  given = given or {}
  local client, record, err = resumed_client.of(world and world.files or files_of.direct, dir, given, M.make_client)
  if not client then
    return nil, record, err
  end
  loop.enter(client._context.host) -- before anything is touched
  local options, problem = merged_options(client, record, given)
  if not options then
    return errors.invalid("resume", problem)
  end
  options.dir = dir
  local job = object.new(client, options, world or world_of.real(client))
  local ok, why
  local salvage = given.salvage and salvages.new() or nil
  ok, why, err = open_dir(job, dir, { group = given.group }, options.lock_timeout, salvage)
  if ok then
    ok, why, err = begin_record(job)
  end
  if ok then
    ok, why, err = take_up(job, salvage)
  end
  if ok and job.reads_only and not job.done then
    ok, why, err = errors.fail(errors.new{ kind = "job", code = "not_ended", operation = "resume",
      message = dir .. " was opened again by another process: give { client = … } to go on with it" })
  end
  return finish_opening(job, ok, why, err)
end


return M
