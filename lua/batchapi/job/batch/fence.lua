--- What became of a create whose answer was lost, where the service has files: the batch is found,
--- or its input file is deleted, so that a create that is still under way finds nothing, and the
--- part begins anew with another file.
---
--- The steps were checked in a model of hosts that pause and die and of a service that is late in
--- everything (docs/jobs.md, "Submitting once"). Each is a function here, and none may be left out:
---
--- 1. look over the settling time: a batch of the current file is adopted (`look_first`);
--- 2. none: see that the file is visible, record `fencing`, delete it until the service says that
---    it is gone (`see_file`, `delete_file`);
--- 3. from that answer on wait the settling time, then look at the whole list (`look_after`);
--- 4. none: record `fenced`; the file is forgotten, the part is written, not uploaded.
---
--- What cannot get an answer is given up as unknown, and nothing is sent again.

local doubles = require("batchapi.job.batch.doubles")
local lookup = require("batchapi.job.batch.lookup")
local persist = require("batchapi.watch.retry")

local M = {}


-- ---- time that outlives a process ---------------------------------------------------------------

--- Records a moment from which the settling time counts. It may be lost in a crash without harm:
--- then the waiting begins again.
local function mark(job, part, kind)
  local here = job.clock.now()
  local boot, since = job.clock.boot()
  local ok, why, err = job:record({ type = kind, part = part.part, boot = boot, since = since or here }, true)
  if ok then
    part.marks[kind].here = here
  end
  return ok, why, err
end


--- Seconds since a moment of this process, or of an earlier one of the same boot; else nil.
local function since(job, moment)
  if not moment then
    return nil
  elseif moment.here then
    return job.clock.now() - moment.here
  end
  local boot, now = job.clock.boot()
  if boot and boot == moment.boot and now >= moment.since then
    return now - moment.since
  end
  return nil
end


-- ---- the steps ----------------------------------------------------------------------------------

--- Looks over the settling time since the answer was lost, or since this was taken over.
local function look_first(job, part)
  if since(job, part.marks.lost) == nil then
    local ok, why, err = mark(job, part, "lost")
    if not ok then
      return nil, why, err
    end
  end
  return lookup.over(job, part, function()
    return since(job, part.marks.lost)
  end)
end


local function insist(job, part, attempt)
  local doubt = lookup.doubt(job)
  return persist.run(job, attempt, function(err, asked)
    return not lookup.is_vain(job, part, err, doubt, asked)
  end, job.options.settle / 4, part)
end


--- A 404 to the delete counts only if these credentials could see the file before.
local function see_file(job, part)
  if part.status == "fencing" then
    return true
  end
  local answer, why, err = insist(job, part, function()
    return job:call(job.run.fence.visible, job:known(part.part))
  end)
  if not answer then
    return nil, why, err
  end
  return job:record{ type = "fencing", part = part.part, file_id = part.file_id }
end


--- Deletes the file until the service says that it is gone: only its answer begins the waiting.
local function delete_file(job, part)
  local answer, why, err = insist(job, part, function()
    local deleted, message, failure = job:call(job.run.fence.delete, job:known(part.part))
    return deleted or failure.status == 404, message, failure
  end)
  if not answer then
    return nil, why, err
  end
  return mark(job, part, "deleted")
end


--- Waits the settling time from the delete's answer on; then a whole look.
local function look_after(job, part)
  return lookup.over(job, part, function()
    return since(job, part.marks.deleted)
  end)
end


--- Finds the batch, or makes sure that there is none and will be none.
---@return table|false|nil match, table[]|string|nil matches, table|nil err
local function find_or_fence(job, part)
  if since(job, part.marks.deleted) == nil then
    local found, matches, err = look_first(job, part)
    if found ~= false then
      return found, matches, err
    end
    local ok, why
    ok, why, err = see_file(job, part)
    if ok then
      ok, why, err = delete_file(job, part)
    end
    if not ok then
      return nil, why, err
    end
  end
  return look_after(job, part)
end


--- Establishes what became of a lost create.
---@param job table
---@param part table in the state "creating" or "fencing"
---@return "created"|"fenced"|nil outcome nil: nobody knows
---@return string|nil message
---@return table|nil err
function M.establish(job, part)
  local found, matches, err = find_or_fence(job, part)
  if found == nil then
    return nil, matches, err
  end
  local ok, why
  if found then
    ok, why, err = job:record{ type = "created", part = part.part, batch_id = found.id, found = true }
    if ok then
      doubles.cancel(job, part, matches)
    end
    return ok and "created" or nil, why, err
  end
  ok, why, err = job:record{ type = "fenced", part = part.part, file_id = part.file_id }
  return ok and "fenced" or nil, why, err
end


return M
