--- Which part of a job is next: uploads run beside the writing of the next part; batches are made
--- once the whole input is written, one at first, then as many as may be under way.

local backoff = require("batchapi.watch.backoff")

local M = {}

local UPLOADS = 2 -- at once
local LONGEST_QUEUE_PAUSE = 600 -- seconds


local function begin(job, part, f, counter)
  part.busy = true
  job[counter] = job[counter] + 1
  job.machine:spawn(function()
    return f(job, part)
  end, function(ok)
    part.busy = false
    job[counter] = job[counter] - 1
    if not ok then -- the next try goes on with what is there
      part.resumed, part.recovered = part.status == "created", part.status == "ended"
    end
  end)
end


--- Uploads of parts that are written while others are still to come.
local function begin_uploads(job, upload)
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and job.uploading < UPLOADS and not part.busy and part.status == "written" and job.run.upload
      and not part.unconfirmed and not job.state.cancelled and not job.discarding then
      begin(job, part, upload, "uploading")
    end
  end
end


local function release_all(job)
  for _, part in pairs(job.state.parts) do
    part.held = false
  end
end


--- Once no other batch of ours is under way, a held part is tried again after a pause.
local function release_held(job)
  local held
  for _, part in pairs(job.state.parts) do
    held = held or part.held
  end
  if not held or job.active > 0 or job.releasing then
    return
  end
  job.releasing = true
  job.machine:spawn(function()
    job.queue_pauses = job.queue_pauses or backoff.new(2 * job.options.interval, LONGEST_QUEUE_PAUSE)
    return job:sleep(job.queue_pauses:next())
  end, function()
    job.releasing = false
    release_all(job)
  end)
end


--- Begins what can begin; says whether anything is left to do.
---@param job table
---@param upload fun(job: table, part: table) sends a part's file
---@param pipeline fun(job: table, part: table) takes a part to its end
---@param needs_cleaning fun(job: table, part: table): boolean is something to be done after that?
---@return boolean left
function M.run(job, upload, pipeline, needs_cleaning)
  begin_uploads(job, upload)
  if not job.state.input or job.discarding then
    return true
  end
  local function take(...)
    local held_by = job.active
    local ok, why, err = pipeline(...)
    if ok and not select(2, ...).held and held_by > 0 then
      release_all(job)
    end
    return ok, why, err
  end
  local left = false
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and (part.status ~= "settled" or needs_cleaning(job, part)) then
      left = true
      -- Until one batch was accepted, only one is tried: a refusal then has cost nothing.
      -- Nor is another until whoever called `run` has heard of that.
      local most = job.confirmed and job.concurrency or job.machine.failure and 0 or 1
      if not part.busy and not part.held and job.active < most then
        begin(job, part, take, "active")
      end
    end
  end
  release_held(job)
  return left
end


return M
