--- What moves a job: tasks (coroutines) that do its steps, run whenever the user waits for the job.
---
--- Nothing runs between two calls of the user's but what the I/O thread already has in hand. A step
--- that fails for good stops the machine; the next wait begins again from what the journal says.

local errors = require("batchapi.errors")
local loop = require("batchapi.loop")
local scheduler = require("batchapi.loop.scheduler")

local M = {}
M.__index = M

-- How long work in Lua may go on before others get a turn: in an event loop, whose other users wait
-- so much longer; among the coroutines of a script; and in a script where only the job's own tasks
-- are waiting.
local TURN_LOOP, TURN_SHARED, TURN_SCRIPT = 0.0003, 0.001, 0.02
-- The shortest time that every event loop takes for a reason to run something else; a scheduler of
-- ours takes any.
local PAUSE, PAUSE_SHARED = 0.001, 0.000001


---@param host string|table|nil
---@param clock batchapi.job.Clock
---@param next_steps fun() called whenever a task has ended: begins what can begin
---@param forget fun() called when the tasks there were are gone
function M.new(host, clock, next_steps, forget)
  local now = clock.now
  return setmetatable({
    host = host, now = now, rest = clock.sleep, next_steps = next_steps, forget = forget, tasks = nil, running = 0,
    failure = nil, raised = nil, deadline = nil, driver = nil, turn_began = now(), clock = nil,
    turn = TURN_SCRIPT, pause = PAUSE_SHARED, host_turn = now(),
    owner = setmetatable({}, { __mode = "v" }), owned = false, collected = 0,
  }, M)
end


local function closing()
  return errors.fail(errors.new{
    kind = "closed", operation = "run", sent = true,
    message = "the process is about to end; run or resume the job in the next one",
  })
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
  if self.rest(seconds) == false then
    return closing()
  end
  return true
end


--- Lets others run after a turn of work. Outside of tasks it looks whether tasks can go on.
function M:breathe()
  local tasks = self.tasks
  if not tasks or self.now() - self.turn_began < self.turn then
    return
  end
  if tasks.current then
    self.rest(self.pause)
  else
    self:poll()
    self:yield_to_host(self.turn)
  end
  self.turn_began = self.now()
end


--- Gives the event loop its turn, if it had none for so long. What tasks do between themselves does
--- not reach it.
---@param seconds number
function M:yield_to_host(seconds)
  local last = math.max(self.host_turn, self.tasks and self.tasks.rested or 0)
  if self.yields and self.now() - last >= seconds then
    self.rest(self.pause)
    self.host_turn = self.now()
  end
end


--- The request of the event loop's that runs now, where that is a bound for coroutines (nginx).
local function owner_of(self)
  local host = loop.host(self.host)
  return host.owner and host.owner() or nil
end


--- Were the tasks made in another request? Then they can only be left behind.
local function is_foreign(self)
  return self.owned and self.tasks ~= nil and self.owner.request ~= owner_of(self)
end


--- How long work may go on in a host, and how long it then pauses.
local function turn_in(host)
  local shared = host.yields
  while host.outer do -- a scheduler of ours: what does it run in?
    host = host.outer
  end
  if host.yields then
    return TURN_LOOP, PAUSE
  end
  return shared and TURN_SHARED or TURN_SCRIPT, PAUSE_SHARED
end


--- Makes the coroutine that calls the one that waits; begins anew if there are no tasks.
---@return boolean fresh there were none
function M:enter()
  if is_foreign(self) then
    self:stop()
  end
  local fresh = self.tasks == nil or self.tasks.stopped
  if fresh then
    self.tasks, self.running = scheduler.new(), 0
    self.failure, self.raised, self.driver = nil, nil, nil
    self.owner.request = owner_of(self)
    self.owned = self.owner.request ~= nil
    self.forget()
  end
  self.tasks:enter(self.host)
  self.yields = self.tasks.outer.yields
  self.turn, self.pause = turn_in(self.tasks.outer)
  return fresh
end


--- Is another coroutine waiting for this job?
function M:is_driven()
  local driver = self.driver
  if driver == nil or self.tasks == nil or self.tasks.stopped then
    return false
  elseif not is_foreign(self) then
    return driver == "main" or coroutine.status(driver) ~= "dead"
  end
  -- Another request's: it waits as long as that request is there.
  if self.now() - self.collected > 1 then
    collectgarbage()
    self.collected = self.now()
  end
  return self.owner.request ~= nil
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


--- Nil, why, err when the machine must not go on: the deadline is over, or the process is to end.
local function check_end(self)
  if loop.exiting(self.host) then
    self:stop()
    return closing()
  end
  if self.deadline and self.now() >= self.deadline then
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
  local ok, why, err = check_end(self)
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
    self.tasks:step(self.yields and self.turn or nil)
  end
  -- When no task can go on the next step waits, and that is a turn too.
  self:yield_to_host(self.tasks and self.tasks:is_ready() and self.turn or self.turn * 2)
  self.driver = nil
  if self.failure or self.raised then
    return self:take_failure()
  end
  return check_end(self)
end


--- A task whose only work is to wake the machine at its deadline, and, where a process may be told
--- to end, once a second to see.
function M:watch_clock()
  if self.clock == self.tasks then
    return
  end
  self.clock = self.tasks
  local pulse = self.tasks.outer.exiting and 1 or math.huge
  local deadline = self.deadline or math.huge
  if pulse == math.huge and deadline == math.huge then
    return
  end
  self.tasks:spawn(function() end, function()
    while self.now() < deadline do
      self.rest(math.min(pulse, deadline - self.now()))
    end
  end)
end


return M
