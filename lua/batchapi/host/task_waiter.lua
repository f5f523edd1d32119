--- What a task of a scheduler's waits with (host/scheduler.lua).

local M = {}

--- What a task yields when it waits.
M.PARKED = {}

local PARKED = M.PARKED

local waiter = {}
waiter.__index = waiter


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


-- Somebody has closed the coroutine: the scheduler is to see it.
function waiter:abandon()
  if self.task then
    self.scheduler:push(self.task)
  end
end


---@param scheduler table
---@return table
function M.new(scheduler)
  return setmetatable({
    scheduler = scheduler,
    woken = false,
    task = nil, -- the task that waits
    call = nil, -- what it waits for, to be cancelled
    id = nil, -- of that
    cancel = nil, -- or how to cancel that
  }, waiter)
end


return M
