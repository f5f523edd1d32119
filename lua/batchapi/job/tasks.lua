--- What moves a job: tasks (coroutines) that do its steps, run whenever the user waits for the job.
---
--- Nothing runs between two calls of the user's but what the I/O thread already has in hand. A wait
--- that ends (its time is over, a step fails for good) ends only the waiting: what is under way is
--- taken up by the next, until the job is closed.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local scheduler = require("batchapi.host.scheduler")

local M = {}
M.__index = M

-- How long work in Lua may go on before others get a turn: in an event loop, whose other users wait
-- so much longer; among the coroutines of a script; and in a script where only the job's own tasks
-- are waiting.
local TURN_LOOP, TURN_SHARED, TURN_SCRIPT = 0.0003, 0.001, 0.02
-- The shortest time that every event loop takes for a reason to run something else; a scheduler of
-- ours takes any.
local PAUSE, PAUSE_SHARED = 0.001, 0.000001
-- Who waits for no more than this may be waited for.
local A_MOMENT = 0.02
local DRIVEN_BY_MAIN = {} -- in place of a coroutine


---@param host string|table|nil
---@param clock batchapi.job.Clock
---@param next_steps fun() called whenever a task has ended: begins what can begin
---@param forget fun() called when the tasks there were are gone
function M.new(host, clock, next_steps, forget)
  local now = clock.now
  return setmetatable({
    host = host, now = now, rest = clock.sleep, next_steps = next_steps, forget = forget, tasks = nil, running = 0,
    failure = nil, raised = nil, turn_began = now(),
    turn = TURN_SCRIPT, pause = PAUSE_SHARED, host_turn = now(),
    owner = setmetatable({}, { __mode = "v" }), owned = false, collected = 0,
    round = 0,         -- how many failures were handed out
    idle = false,      -- one was handed out since steps were begun
    closed = false, process = core.forks(),
  }, M)
end


local function ended(message)
  return errors.fail(errors.new{ kind = "closed", operation = "run", sent = true, message = message })
end


local function inherited()
  return ended("the job is that of the process this one was forked from, which goes on with it")
end


local function closing()
  return ended("the process is about to end; run or resume the job in the next one")
end


--- Begins a task. What it returns as nil, why, err ends the wait, unless it began before an earlier
--- failure was handed out: then it is begun anew.
---@param f function
---@param after fun(ok: boolean)|nil called when it has ended, however it did
function M:spawn(f, after)
  local round = self.round
  self.running = self.running + 1
  self.tasks:spawn(function(ok, value, why, err)
    local failed = value == nil and why ~= nil
    self.running = self.running - 1
    if after then
      after(ok and not failed)
    end
    if not ok then
      self.raised = self.raised or { value }
    elseif failed and round == self.round then
      self.failure = self.failure or { why, err }
    else
      self.next_steps()
    end
  end, f)
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
    self.failure, self.raised, self.owner.driver = nil, nil, nil
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
  local driver = self.owner.driver
  if driver == nil or self.tasks == nil or self.tasks.stopped then
    return false
  elseif not is_foreign(self) then
    return driver == DRIVEN_BY_MAIN or coroutine.status(driver) ~= "dead"
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
---@return table[] calls and pieces of file work that were under way
function M:stop()
  local left = self.tasks and self.tasks:abort() or {}
  self.tasks, self.running = nil, 0
  return left
end


--- Was the process forked since, and is this its child?
---@return boolean
function M:is_inherited()
  return core.forks() ~= self.process
end


--- Ends all tasks for good, and everybody's wait. Gives back when none of them can write any more.
function M:close()
  self.closed = true
  local host, left = loop.host(self.host), self:stop()
  for _, call in ipairs(host.yields and not core.can_yield() and {} or left) do
    while not call:news() do
      loop.wait(call, host)
    end
  end
end


--- Hands out the failure that ended the wait. What else is under way goes on.
function M:take_failure()
  local raised, failure = self.raised, self.failure
  self.raised, self.failure = nil, nil
  self.round, self.idle = self.round + 1, true
  if raised then
    error(raised[1], 0)
  end
  return errors.adopt("run", failure[2], failure[1])
end


--- Nil, why, err when the machine must not go on: the job is closed, the time is over, or the process
--- is to end.
local function check_end(self, deadline)
  if self.closed then
    return ended("the job was closed")
  elseif self:is_inherited() then
    return inherited()
  elseif loop.exiting(self.host) then
    self:stop()
    return closing()
  elseif deadline and self.now() >= deadline then
    return errors.fail(errors.new{
      kind = "timeout", operation = "run", sent = true, retryable = true,
      message = "the job has not ended within the timeout; wait again, or resume it later",
    })
  end
  return true
end


--- Runs tasks until something happened, or the time is over.
local function turn(self, till)
  if self:enter() or self.running == 0 or self.idle then
    self.idle = false
    self.next_steps()
  end
  self.owner.driver = loop.coroutine() or DRIVEN_BY_MAIN
  if loop.mailbox() then
    loop.pump()
  end
  if not (self.failure or self.raised) then
    -- Where a process may be told to end, once a second it is looked whether it was.
    local pulse = self.tasks.outer.exiting and self.now() + 1 or math.huge
    till = math.min(till, pulse)
    self.tasks:step(self.yields and self.turn or nil, till < math.huge and till or nil)
  end
  -- When no task can go on the next step waits, and that is a turn too.
  self:yield_to_host(self.tasks and self.tasks:is_ready() and self.turn or self.turn * 2)
  self.owner.driver = nil
end


--- Runs tasks until something happened. True, or nil, why, err.
---@param deadline number|nil when the wait ends; what is under way then goes on in the next one
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:drive(deadline)
  local ok, why, err = check_end(self, deadline)
  if not ok then
    return nil, why, err
  elseif self:is_driven() then
    ok, why, err = self:sleep(math.min(0.02, (deadline or math.huge) - self.now()))
    if not ok then
      return nil, why, err
    end
    return check_end(self, deadline)
  end
  turn(self, deadline or math.huge)
  if self.failure or self.raised then
    return self:take_failure()
  end
  return check_end(self, deadline)
end


--- Does what is due: begins what can begin and goes on with what need not wait. With a deadline it
--- waits for what is under way, but not until something is due that is not yet.
---@param deadline number
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:go_on(deadline)
  repeat
    local ok, why, err = check_end(self, nil)
    if not ok then
      return nil, why, err
    elseif self:is_driven() then
      return true
    end
    local busy = self.tasks and (self.tasks:is_ready() or self.tasks:is_busy(A_MOMENT))
    turn(self, busy and self.now() < deadline and deadline or 0)
    if self.failure or self.raised then
      return self:take_failure()
    end
  until not self.tasks or self.running == 0 or not self.tasks:is_busy(A_MOMENT) or self.now() >= deadline
  return true
end


return M
