--- What moves a job: tasks (coroutines) that do its steps, run whenever the user waits for the job.
---
--- Nothing runs between two calls of the user's but what the I/O thread already has in hand. A step
--- that
--- fails for good stops the machine; the next wait begins again from what the journal says.

local core = require("batchapi.core")
local errors = require("batchapi.errors")
local loop = require("batchapi.loop")
local scheduler = require("batchapi.loop.scheduler")

local M = {}
M.__index = M

-- How long work in Lua may go on before others get a turn: in an event loop, and in a script, where
-- only the job's own tasks are waiting.
local TURN_LOOP, TURN_SCRIPT = 0.001, 0.02


---@param host string|table|nil
---@param next_steps fun() called whenever a task has ended: begins what can begin
function M.new(host, next_steps)
  return setmetatable({
    host = host, next_steps = next_steps, tasks = nil, running = 0,
    failure = nil, raised = nil, deadline = nil, driver = nil, turn_began = core.now(), clock = nil,
  }, M)
end


--- Begins a task. What it returns as nil, why, err stops the machine.
---@param f function
function M:spawn(f, ...)
  self.running = self.running + 1
  self.tasks:spawn(function(ok, value, why, err)
    self.running = self.running - 1
    if not ok then
      self.raised = self.raised or { value }
    elseif value == nil and why ~= nil then
      self.failure = self.failure or { why, err }
    else
      self.next_steps()
    end
  end, f, ...)
end


--- Waits, in a task or outside. Nil, why, err when the process is about to end.
---@param seconds number
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:sleep(seconds)
  local going_on = loop.sleep(seconds)
  if going_on == false then
    return errors.fail(errors.new{
      kind = "closed", operation = "run", sent = true,
      message = "the process is about to end; run or resume the job in the next one",
    })
  end
  return true
end


--- Lets others run after a turn of work. Outside of tasks it looks whether tasks can go on.
function M:breathe()
  local tasks = self.tasks
  if not tasks or core.now() - self.turn_began < (self.yields and TURN_LOOP or TURN_SCRIPT) then
    return
  end
  if tasks.current then
    loop.sleep(0.000001)
  else
    self:poll()
    if self.yields then
      loop.sleep(0)
    end
  end
  self.turn_began = core.now()
end


--- Makes the coroutine that calls the one that waits; begins anew if there are no tasks.
---@return boolean fresh there were none
function M:enter()
  local fresh = self.tasks == nil or self.tasks.stopped
  if fresh then
    self.tasks, self.running = scheduler.new(), 0
    self.failure, self.raised, self.driver = nil, nil, nil
  end
  self.tasks:enter(self.host)
  self.yields = self.tasks.outer.yields
  return fresh
end


--- Is another coroutine waiting for this job?
function M:is_driven()
  local driver = self.driver
  return driver ~= nil and self.tasks ~= nil and not self.tasks.stopped
    and (driver == "main" or coroutine.status(driver) ~= "dead")
end


--- Runs what can go on, without waiting.
function M:poll()
  if self.tasks and not self:is_driven() then
    self.tasks:poll()
  end
end


--- Ends all tasks where they wait.
function M:stop()
  if self.tasks then
    self.tasks:abort()
    self.tasks, self.running = nil, 0
  end
end


--- Stops everything and gives the failure that made it stop.
function M:take_failure()
  if self.raised then
    local raised = self.raised
    self:stop()
    self.raised = nil
    error(raised[1], 0)
  end
  local why, err = self.failure[1], self.failure[2]
  self:stop()
  self.failure = nil
  return errors.adopt("run", err, why)
end


local function check_deadline(self)
  if self.deadline and core.now() >= self.deadline then
    self:stop()
    return errors.fail(errors.new{
      kind = "timeout", operation = "run", sent = true, retryable = true,
      message = "the job has not ended within its timeout; wait again, or resume it later",
    })
  end
  return true
end


--- Runs tasks until something happened. True, or nil, why, err.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:drive()
  if self:is_driven() then
    return self:sleep(0.02)
  end
  local ok, why, err = check_deadline(self)
  if not ok then
    return nil, why, err
  end
  if self:enter() or self.running == 0 then
    self.next_steps()
    self:watch_clock()
  end
  self.driver = loop.coroutine() or "main"
  if loop.mailbox() then
    loop.pump()
  end
  if not (self.failure or self.raised) then
    self.tasks:step()
  end
  self.driver = nil
  if self.failure or self.raised then
    return self:take_failure()
  end
  return check_deadline(self)
end


--- A task whose only work is to wake the machine at its deadline.
function M:watch_clock()
  local left = self.deadline and self.deadline - core.now()
  if left and left > 0 and self.clock ~= self.tasks then
    self.clock = self.tasks
    self.tasks:spawn(function() end, function()
      loop.sleep(left)
    end)
  end
end


return M
