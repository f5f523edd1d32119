--- The coroutines of batchapi.parallel and batchapi.map.
---
--- A scheduler runs inside the coroutine that made it and waits as that one's host does, so it
--- works in a script, under any event loop, and within another scheduler. For its own coroutines
--- (tasks) it is the host.

local core = require("batchapi.core")
local loop = require("batchapi.loop")

local M = { name = "parallel", yields = true }
M.__index = M

local PARKED = {} -- what a task yields when it waits
local AT_ONCE = 0.0005 -- seconds: what takes less has not waited

local waiter = {}
waiter.__index = waiter


function M.new()
  local outer = loop.host(nil)
  if outer.check then
    outer:check()
  end
  local self = setmetatable({
    outer = outer,
    now = outer.now or core.now,
    outer_waiter = outer:waiter(),
    ready = {}, -- queue of tasks to be resumed
    first = 1,
    last = 0,
    tasks = {}, -- those that are alive, as a set
    count = 0,
    timed = 0, -- how many wait with a deadline
    current = nil, -- the task that runs
    waiting = false, -- in outer_waiter:wait()
    rested = 0, -- when such a wait last ended that was a wait
    stopped = false,
    entered = nil, -- the coroutine that steps, when enter() was called
  }, M)
  self.outer_waiter.cancel = function()
    self:abort()
  end
  return self
end


-- ---- what its tasks wait with -------------------------------------------------------------------


function M:waiter()
  return setmetatable({
    scheduler = self,
    woken = false,
    task = nil, -- the task that waits
    call = nil, -- what it waits for, to be cancelled
    id = nil, -- of that
    cancel = nil, -- or how to cancel that
  }, waiter)
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


function waiter:wait(seconds)
  local scheduler = self.scheduler
  local task = scheduler.current
  if not self.woken then
    self.task, task.waiter = task, self
    if seconds then
      task.deadline = scheduler.now() + seconds
      scheduler.timed = scheduler.timed + 1
    end
    coroutine.yield(PARKED)
    if seconds then
      scheduler.timed = scheduler.timed - 1
      task.deadline = nil
    end
    task.waiter = nil
  end
  self.woken = false
end


function waiter:wake()
  self.woken = true
  if self.task and self.task.waiter == self then
    self.scheduler:push(self.task)
  end
end


-- ---- running ------------------------------------------------------------------------------------


function M:push(task)
  if not task.queued then
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
    waiter = nil, -- what it waits with now
    call_waiter = nil, -- what it waits for calls with
    deadline = nil,
  }
  loop.adopt(task.co, self)
  self.tasks[task] = true
  self.count = self.count + 1
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


local function settle(self, task, ok, ...)
  self.current = nil
  if ok and (...) == PARKED then
    return
  elseif ok and coroutine.status(task.co) ~= "dead" then
    ok = nil
  end
  self.tasks[task] = nil
  self.count = self.count - 1
  if ok then
    task.finished(true, ...)
  elseif ok == nil then
    task.finished(false, foreign_yield)
  else
    task.finished(false, explain((...)))
  end
end


local unpack = rawget(table, "unpack") or rawget(_G, "unpack")


local function resume(self, task)
  self.current = task
  local arguments = task.arguments
  if arguments then
    task.arguments = nil
    return settle(self, task, coroutine.resume(task.co, unpack(arguments, 1, arguments.n)))
  end
  return settle(self, task, coroutine.resume(task.co))
end


-- Seconds until the first task's time is over, nil when none waits for the clock.
local function time_left(self)
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
  for task in pairs(self.tasks) do
    if task.deadline and task.deadline <= now then
      self:push(task)
    end
  end
end


local function wait(self)
  local left, began = time_left(self), self.now()
  self.waiting = true
  if self.outer.yields then
    self.outer_waiter:wait(left)
  else -- Ctrl-C ends the wait with an error: nothing may stay behind
    local ok, why = pcall(self.outer_waiter.wait, self.outer_waiter, left)
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
function M:step(seconds)
  local task = pop(self)
  if not task and self.count > 0 then
    wait(self)
    task = pop(self)
  end
  local over = seconds and task and self.now() + seconds
  while task and not self.stopped do
    resume(self, task)
    if over and self.now() >= over then
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


--- The coroutine that calls is the one that steps from now on: it waits as its own host does. For
--- tasks that outlive one call of their owner's (a job's).
---@param host string|table|nil
function M:enter(host)
  local outer, co = loop.host(host), loop.coroutine() or "main"
  if outer.check then
    outer:check()
  end
  if outer == self.outer and co == self.entered then
    return
  end
  self.outer, self.outer_waiter, self.entered = outer, outer:waiter(), co
  self.now = outer.now or core.now
  self.outer_waiter.cancel = function()
    self:abort()
  end
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


--- Runs what is ready and does not wait.
function M:poll()
  if loop.mailbox() then
    loop.pump()
  end
  push_overdue(self)
  local task = pop(self)
  while task and not self.stopped do
    resume(self, task)
    task = pop(self)
  end
end


local close = rawget(coroutine, "close") -- since 5.4


--- Ends the tasks where they wait: their calls are cancelled, their coroutines never run again.
function M:abort()
  self.stopped = true
  local tasks = self.tasks
  self.tasks, self.ready, self.first, self.last, self.count = {}, {}, 1, 0, 0
  for task in pairs(tasks) do
    local at = task.waiter
    task.waiter = nil
    if at and at.call then
      loop.cancel(at.call)
    elseif at and at.cancel then
      at.cancel()
    end
    if close and coroutine.status(task.co) == "suspended" then
      close(task.co)
    end
  end
end


return M
