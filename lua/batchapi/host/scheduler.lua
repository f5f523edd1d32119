--- The coroutines of batchapi.parallel and batchapi.map.
---
--- A scheduler runs inside the coroutine that made it and waits as that one's host does, so it
--- works in a script, under any event loop, and within another scheduler. For its own coroutines
--- (tasks) it is the host.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local overdue = require("batchapi.host.overdue")
local task_waiter = require("batchapi.host.task_waiter")

local M = { name = "parallel", yields = true }
M.__index = M

local PARKED = task_waiter.PARKED
local AT_ONCE = 0.0005 -- seconds: what takes less has not waited

-- What the scheduler's owner waits with. When it is told to stop waiting, every task is; when its
-- coroutine is closed, they end.
local function outer_waiter(self)
  local made = self.outer:waiter()
  made.cancel = function()
    self:abort()
  end
  made.stop = function()
    return self:stop_tasks()
  end
  return made
end


---@param host string|table|nil what the owner waits in
function M.new(host)
  local outer = loop.enter(host)
  local self = setmetatable({
    outer = outer,
    now = outer.now or core.now,
    outer_waiter = nil,
    ready = {}, -- queue of tasks to be resumed
    first = 1,
    last = 0,
    tasks = {}, -- those that are alive: to each its number
    count = 0,
    timed = 0, -- how many wait with a deadline
    current = nil, -- the task that runs
    waiting = false, -- in outer_waiter:wait()
    rested = 0, -- when such a wait last ended that was a wait
    stopped = false,
    ending = false,
    entered = nil, -- the coroutine that steps, when enter() was called
  }, M)
  self.outer_waiter = outer_waiter(self)
  loop.keep_time(self)
  return self
end


-- ---- what its tasks wait with -------------------------------------------------------------------


function M:waiter()
  return task_waiter.new(self)
end


--- A task waits for one call at a time: the waiter for that is made once.
function M:call_waiter()
  local task = self.current
  local own = task.call_waiter
  if not own then
    own = self:waiter()
    task.call_waiter = own
  end
  return own
end


function M:exiting()
  return self.outer.exiting ~= nil and self.outer:exiting()
end


function M:register(call)
  if self.outer.register then
    self.outer:register(call, self.outer_waiter)
  end
end


-- ---- running ------------------------------------------------------------------------------------


function M:push(task)
  if not (task.queued or task.ended) then
    task.queued = true
    self.last = self.last + 1
    self.ready[self.last] = task
    if self.waiting then
      self.outer_waiter:wake()
    end
  end
end


local function pop(self)
  if self.first > self.last then
    self.first, self.last = 1, 0
    return nil
  end
  local task = self.ready[self.first]
  self.ready[self.first] = nil
  self.first = self.first + 1
  task.queued = false
  return task
end


--- Begins a function as a task; it runs when step() next comes to it.
---@param finished fun(ok: boolean, ...) gets what it returned, or false and what it raised
---@param f function
function M:spawn(finished, f, ...)
  local task = {
    co = coroutine.create(f),
    finished = finished,
    arguments = { n = select("#", ...), ... }, -- of its first resume
    queued = false,
    ended = false,
    waiter = nil, -- what it waits with now
    call_waiter = nil, -- what it waits for calls with
    deadline = nil,
  }
  loop.adopt(task.co, self)
  self.spawned = (self.spawned or 0) + 1
  self.tasks[task], self.count = self.spawned, self.count + 1
  self:push(task)
end


local foreign_yield = "a function given to batchapi.parallel or map yielded to something else than "
  .. "batchapi: what it waits for must be a call of batchapi's"
local c_boundary = "attempt to yield across metamethod/C-call boundary"


local function explain(why)
  if type(why) == "string" and why:find(c_boundary, 1, true) then
    return why .. " (Lua 5.1 cannot wait inside pcall, a metamethod or a `for` iterator)"
  end
  return why
end


local closed = "the coroutine of a function given to batchapi.parallel or map was closed by somebody else"


-- Takes a task out that has ended.
local function remove(self, task)
  task.ended, task.waiter = true, nil
  if task.deadline then
    task.deadline = nil
    self.timed = self.timed - 1
  end
  self.tasks[task] = nil
  self.count = self.count - 1
end


local function settle(self, task, ok, ...)
  self.current = nil
  if ok and (...) == PARKED then
    return
  elseif ok and coroutine.status(task.co) ~= "dead" then
    ok = nil
  end
  remove(self, task)
  if ok then
    task.finished(true, ...)
  elseif ok == nil then
    task.finished(false, foreign_yield, task.co)
  else
    task.finished(false, explain((...)), task.co)
  end
end


local unpack = rawget(table, "unpack") or rawget(_G, "unpack")


local function resume(self, task)
  if task.ended then
    return
  elseif coroutine.status(task.co) == "dead" then
    remove(self, task)
    return task.finished(true, nil, closed, errors.new{ kind = "cancelled", message = closed })
  end
  self.current = task
  local arguments = task.arguments
  if arguments then
    task.arguments = nil
    return settle(self, task, coroutine.resume(task.co, unpack(arguments, 1, arguments.n)))
  end
  return settle(self, task, coroutine.resume(task.co))
end


--- Seconds until the first task's time is over, nil when none waits for the clock.
---@return number|nil
function M:time_left()
  if self.timed == 0 then
    return nil
  end
  local soonest
  for task in pairs(self.tasks) do
    if task.deadline and (not soonest or task.deadline < soonest) then
      soonest = task.deadline
    end
  end
  return soonest and math.max(0, soonest - self.now())
end


local function push_overdue(self)
  if self.timed == 0 then
    return
  end
  local now = self:exiting() and math.huge or self.now() -- at the end, whoever sleeps is woken
  for _, task in ipairs(overdue(self.tasks, now)) do
    self:push(task)
  end
end


local function wait(self, till)
  local left, began = self:time_left(), self.now()
  if till then
    left = math.max(0, math.min(left or math.huge, till - began))
  end
  self.waiting = true
  if self.outer.yields then
    loop.hold(self.outer_waiter, left)
  else -- Ctrl-C ends the wait with an error: nothing may stay behind
    local ok, why = pcall(loop.hold, self.outer_waiter, left)
    if not ok then
      self:abort()
      error(why, 0)
    end
  end
  self.waiting = false
  if self.now() - began > AT_ONCE then
    self.rested = self.now()
  end
  push_overdue(self)
end


--- Runs what is ready; if nothing is, waits once. Call it until `count` is 0 or `stopped` is set.
--- With `seconds` it begins no task after so long: those that are left are ready still.
---@async
---@param seconds number|nil
---@param till number|nil when the wait ends at the latest, by the clock of `now`
function M:step(seconds, till)
  local task = pop(self)
  if not task and self.count > 0 then
    wait(self, till)
    task = pop(self)
  end
  local over = seconds and task and self.now() + seconds
  while task do
    resume(self, task)
    if self.stopped or over and self.now() >= over then
      return
    end
    task = pop(self)
  end
end


--- Can a task go on without a wait?
---@return boolean
function M:is_ready()
  return self.first <= self.last
end


--- Does a task wait for something that comes by itself, or only for a moment?
---@param moment number seconds
---@return boolean
function M:is_busy(moment)
  local soon, busy = self.now() + moment, false
  for task in pairs(self.tasks) do
    local at = task.waiter
    busy = busy or not at or at.call ~= nil or not task.deadline or task.deadline <= soon
  end
  return busy
end


--- The coroutine that calls is the one that steps from now on: it waits as its own host does. For
--- tasks that outlive one call of their owner's (a job's).
---@param host string|table|nil
function M:enter(host)
  local outer, co = loop.enter(host), loop.coroutine() or "main"
  if outer == self.outer and co == self.entered then
    return
  end
  self.outer, self.entered = outer, co
  self.outer_waiter = outer_waiter(self)
  self.now = outer.now or core.now
  local registered = false
  for task in pairs(outer.register and self.tasks or {}) do
    if task.waiter and task.waiter.call then -- it was registered with the former waiter
      outer:register(task.waiter.call, self.outer_waiter)
      registered = true
    end
  end
  if registered then
    loop.pump() -- what was reported to that one
  end
end


--- Runs what is ready, and neither waits nor asks whether something has become so.
function M:run_ready()
  while not self.stopped do
    local task = pop(self)
    if not task then
      return
    end
    resume(self, task)
  end
end


--- Runs what is ready and does not wait.
function M:poll()
  if loop.mailbox() then
    loop.pump()
  end
  push_overdue(self)
  self:run_ready()
end


--- Lets those end whose answers are here, before an abort: they begin nothing new.
function M:finish_ready()
  self.ending, self.stopped = true, false
  self:poll()
end


--- Asked before a task begins something.
function M:check()
  if self.ending then
    error(errors.new{ kind = "cancelled", message = "another function of the same map or parallel failed" }, 0)
  end
end


local close = rawget(coroutine, "close") -- since 5.4


--- Ends the tasks where they wait: their calls are cancelled, their coroutines never run again.
---@return table[] calls that were cancelled, and pieces of file work that were begun
function M:abort()
  self.stopped = true
  local tasks, left = self.tasks, {}
  self.tasks, self.ready, self.first, self.last, self.count, self.timed = {}, {}, 1, 0, 0, 0
  for task in pairs(tasks) do
    local at = task.waiter
    task.ended, task.waiter = true, nil
    if at and at.call then
      left[#left + 1] = at.call
      loop.cancel(at.call)
    elseif at and at.cancel then
      at.cancel()
    end
    if close and coroutine.status(task.co) == "suspended" then
      close(task.co)
    end
  end
  if self.waiting then
    self.outer_waiter:wake()
  end
  return left
end


--- Cancels what the tasks wait for: each goes on with a failure.
---@return boolean any
function M:stop_tasks()
  local any = false
  for task in pairs(self.tasks) do
    any = loop.stop(task.co) or any
  end
  return any
end


return M
