--- What the user's program does with a job, in each process that comes to it.

local outcomes = require("batchapi.job.answer.outcome")
local process_of = require("simulate.process")
local runner = require("batchapi.job")

local M = {}

local MOST_POLLS = 300


local function options_of(world)
  local plan, shape = world.plan, world.shape
  local options = {
    attempts = plan.attempts, concurrency = plan.concurrency, interval = plan.interval, ordered = plan.ordered,
    settle = plan.settle, timeout = plan.timeout,
  }
  for name, value in pairs(shape.options or {}) do
    options[name] = value
  end
  if plan.durable then
    options.dir = process_of.DIR
  end
  if shape.parts then
    options.max_requests_per_batch = plan.per_batch
    options.cleanup = shape.deletes and plan.cleanup or nil
  end
  return options
end


-- Failures of resume after which a user gives the requests again.
local unwritten = { input_incomplete = true, ENOENT = true, not_a_job = true }


--- A process begins the job, or takes up what it finds.
local function open(process)
  local world = process.world
  local client = world.shape.client(process)
  local draw = world.tape:draw("open")
  if world.begun and (world.salvage or draw:chance(0.7)) then
    local job, why, err = runner.resume(process_of.DIR, { client = client, salvage = world.salvage }, process.given)
    if job or not err or not unwritten[err.code] then
      return job, why, err
    end
  end
  world.begun = world.plan.durable
  return runner.run(client, world.requests, options_of(world), process.given)
end


--- A failure of the job's: nil, why.
local function told(process, what, why, err)
  process:trace("%s: %s (%s)", what, tostring(why), tostring(err and (err.code or err.kind)))
  process.world:told(what, why, err)
  return nil, why
end


--- Waits, in slices at random; nil, why when the job fails.
local function wait(process, job)
  local world = process.world
  local tape, clock = world.tape, world.clock
  while true do
    local slice = tape:event("process.slice", function(draw) return draw:wide(0.05, 2000) end)
    local began = clock.time
    local status, why, err = job:wait(slice and { timeout = slice } or nil)
    if status then
      return status
    end
    local over = slice and clock.time - began >= slice - 0.001
    if not (over and err and err.kind == "timeout") or process:is_late() then
      return told(process, "wait", why, err)
    end
    world:check_time("a wait of", began, slice)
  end
end


--- Reads results, all or so many. The list, or nil and why.
local function read(process, job, most)
  local world = process.world
  local results, list = job:results(world.plan.raw and { raw = true } or nil), {}
  while #list < most do
    local result, why, err = results:next()
    if result then
      list[#list + 1] = result
      world:handed_out(result)
      if #list % 20 == 0 then
        world:look(process, job)
      end
    elseif why then
      return told(process, "results", why, err)
    else
      return list
    end
  end
  return list
end


--- Does the user cancel the job now?
local function cancel(process, job)
  local world = process.world
  if world.tape:event("job.cancelled") then
    process:trace("cancels the job")
    world:cancelled()
    local status, why, err = job:cancel()
    if not status then
      return told(process, "cancel", why, err)
    end
  end
  return true
end


--- Asks now and then for what is due, until the job has ended; nil, why when it fails.
local function poll(process, job)
  local world = process.world
  local clock, draw = world.clock, world.tape:draw("poll")
  for _ = 1, MOST_POLLS do
    local began, most = clock.time, draw:chance(0.5) and draw:wide(0.5, 100) or nil
    local status, why, err = job:poll(most and { timeout = most } or nil)
    world:check_time("a poll of", began, most or 0)
    if not status then
      return told(process, "poll", why, err)
    elseif status.state == "done" or status.state == "cancelled" and status.settled == status.requests then
      return status
    elseif process:is_late() then
      return told(process, "poll", "the time is over", nil)
    end
    process.clock.sleep(math.min(draw:wide(0.5, 900), process:time_left()))
  end
  return wait(process, job)
end


--- Waits until all of it is at the service; nil, why when that fails.
local function submit(process, job)
  local world = process.world
  local status, why, err = job:submit()
  if not status then
    return told(process, "submit", why, err)
  end
  world:check_submitted(job, status)
  return status
end


--- How the user comes to the job's end: true once it may be read; nil, why when this process leaves it.
local function come_to_end(process, job)
  local world = process.world
  local draw = world.tape:draw("program")
  local ok, why = true, nil
  if draw:chance(0.1) then
    ok, why = submit(process, job)
    if ok and world.plan.durable and draw:chance(0.5) then
      return nil, "it left what it had submitted"
    end
  end
  if ok and draw:chance(0.2) then
    ok, why = poll(process, job)
  elseif ok and draw:chance(0.5) then
    ok, why = wait(process, job)
  end
  return ok, why
end


--- Does the user send failed requests again? Then waits for them and gives all results anew.
local function retry(process, job, list)
  local world = process.world
  local draw = world.tape:draw("retry")
  local attempts, picks = draw:pick{ 1, 2 }, draw:chance(0.4)
  local chosen = {}
  for _, result in ipairs(list) do
    local wanted = not result.ok and not outcomes.may_be_paid(result.error.code)
    chosen[result.index] = picks and not result.ok and draw:chance(0.5) or not picks and wanted or nil
  end
  if next(chosen) == nil then
    return list
  end
  world:sent_again(chosen, attempts)
  local count, why, err = job:retry{ attempts = attempts, only = picks and function(result)
    return chosen[result.index] == true
  end or nil }
  process:trace("sends %s requests again", tostring(count))
  if not count then
    return told(process, "retry", why, err)
  end
  list, why = read(process, job, math.huge)
  if list then
    world:read_all(job)
  end
  return list, why
end


local function use(process, job)
  local world = process.world
  world:look(process, job)
  local ok, why = cancel(process, job)
  if ok then
    ok, why = come_to_end(process, job)
  end
  world:look(process, job)
  local draw = world.tape:draw("leaves")
  if ok and world.plan.durable and world.tape:event("process.leaves") then
    local _
    _, why = read(process, job, draw:between(0, world.plan.count - 1))
    return nil, why or "it left"
  end
  if not ok then
    return nil, why
  end
  local list
  list, why = read(process, job, math.huge)
  if list then
    world:read_all(job)
  end
  if list and world.plan.durable and world.tape:event("job.retried") then
    list, why = retry(process, job, list)
  end
  if list and world.plan.durable and draw:chance(0.2) then
    return read(process, job, math.huge)
  end
  return list, why
end


--- The program. Gives the list of results once all were read, or nil and why.
function M.main(process)
  local world = process.world
  process.began = world.clock.time
  local job, why, err = open(process)
  if not job then
    return told(process, "open", why, err)
  end
  local list
  list, why = use(process, job)
  world:look(process, job)
  job:close()
  world:check_time("a process with a timeout of", process.began, world.plan.timeout or 90000)
  return list, why
end


return M
