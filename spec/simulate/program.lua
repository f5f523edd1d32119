--- What the user's program does with a job, in each process that comes to it.

local process_of = require("simulate.process")
local runner = require("batchapi.run")

local M = {}


local function options_of(world)
  local plan, shape = world.plan, world.shape
  local options = {
    attempts = plan.attempts, concurrency = plan.concurrency, interval = plan.interval, ordered = plan.ordered,
    settle = plan.settle, timeout = plan.timeout,
  }
  if plan.durable then
    options.dir = process_of.DIR
  end
  if shape.parts then
    options.max_requests_per_batch = plan.per_batch
    options.cleanup = shape.deletes and plan.cleanup or nil
  end
  return options
end


--- A process begins the job, or takes up what it finds.
local function open(process)
  local world = process.world
  local client = world.shape.client(process)
  local draw = world.tape:draw("open")
  if world.begun and draw:chance(0.7) then
    local job, why, err = runner.resume(process_of.DIR, { client = client }, process.given)
    if job or not err or err.code ~= "input_incomplete" and err.code ~= "ENOENT" then
      return job, why, err
    end
  end
  world.begun = world.plan.durable
  return runner.run(client, world.requests, options_of(world), process.given)
end


--- Looks at a failure: nil, why, err of the job's; a wait that was cut short is none.
local function told(process, what, why, err)
  process:trace("%s: %s (%s)", what, tostring(why), tostring(err and err.kind))
  process.world:told(what, why, err)
end


local function wait_in_slices(process, job)
  local world = process.world
  local tape, clock = world.tape, world.clock
  while true do
    local slice = tape:event("process.slice", function(draw) return draw:wide(0.05, 2000) end)
    local began = clock.time
    local status, why, err = job:wait(slice and { timeout = slice } or nil)
    if status then
      return status
    elseif not (slice and err and err.kind == "timeout") then
      told(process, "wait", why, err)
      return nil, why, err
    end
    world:check_slice(began, slice)
  end
end


local function read(process, job)
  local results, list = job:results(), {}
  while true do
    local result, why, err = results:next()
    if result then
      list[#list + 1] = result
      process.world:handed_out(result)
    elseif why then
      told(process, "results", why, err)
      return nil, why, err
    else
      return list
    end
  end
end


--- The program. Gives the list of results once all were read, or nil and why.
function M.main(process)
  local world = process.world
  local draw = world.tape:draw("program")
  local job, why, err = open(process)
  if not job then
    told(process, "open", why, err)
    return nil, why
  end
  world:check_status(job)
  if draw:chance(0.6) then
    local status
    status, why = wait_in_slices(process, job)
    if not status then
      job:close()
      return nil, why
    end
  end
  local list
  list, why = read(process, job)
  world:check_status(job)
  job:close()
  return list, why
end


return M
