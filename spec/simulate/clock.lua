--- Time that passes only when everybody waits, and the host in which a job's coroutines wait for it.
---
--- What is to happen stands in a heap by its time. A waiter that waits runs what is due, one thing
--- after the other, until it is woken or its time is over; nothing sleeps.

local loop = require("batchapi.host")

local M = {}
M.__index = M

local MOST_EVENTS = 400000 -- of one run: more is a job that does not end


function M.new()
  return setmetatable({
    time = 1000, offset = 1.7e9, -- wall = time + offset
    heap = {}, size = 0, sequence = 0, done = 0, ticks = 0,
  }, M)
end


local function before(a, b)
  return a.at < b.at or a.at == b.at and a.sequence < b.sequence
end


--- Calls f after so many seconds.
function M:after(seconds, f)
  self.sequence = self.sequence + 1
  local entry = { at = self.time + math.max(0, seconds), sequence = self.sequence, f = f }
  local heap, place = self.heap, self.size + 1
  self.size = place
  while place > 1 do
    local parent = math.floor(place / 2)
    if not before(entry, heap[parent]) then
      break
    end
    heap[place], place = heap[parent], parent
  end
  heap[place] = entry
  return entry
end


local function pop(self)
  local heap, size = self.heap, self.size
  local first, last = heap[1], heap[size]
  heap[size], size = nil, size - 1
  self.size = size
  local place = 1
  while size > 0 do
    local child = place * 2
    if child > size then
      break
    elseif child < size and before(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not before(heap[child], last) then
      break
    end
    heap[place], place = heap[child], child
  end
  if size > 0 then
    heap[place] = last
  end
  return first
end


--- Runs what is due until `enough()` says so or the deadline is reached.
---@param deadline number|nil
---@param enough (fun(): boolean)|nil
function M:run(deadline, enough)
  while not (enough and enough()) do
    local first = self.heap[1]
    if not first or deadline and first.at > deadline then
      if not deadline then
        error("simulate: everybody waits and nothing is to come", 0)
      end
      self.time = math.max(self.time, deadline)
      return
    end
    self.done = self.done + 1
    if self.done > MOST_EVENTS then
      error("simulate: the job does not end", 0)
    end
    pop(self)
    self.time = math.max(self.time, first.at)
    first.f()
  end
end


--- Time passes for everybody but the process that calls (it is stopped, or the machine sleeps).
function M:pass(seconds)
  self:run(self.time + seconds)
end


function M:wall()
  return self.time + self.offset
end


-- ---- the clock and the host of one process ------------------------------------------------------

local waiter = {}
waiter.__index = waiter


function waiter:wait(seconds)
  local process = self.process
  process:seam("wait")
  local clock = process.world.clock
  clock:run(seconds and clock.time + seconds, function()
    process:take_reports()
    return self.woken
  end)
  self.woken = false
  process:seam("woken")
end


function waiter:wake()
  self.woken = true
end


--- The clock that a job is given. Each look at it takes a moment, so that turns of work end.
---@param process table
function M.given(process)
  local clock = process.world.clock
  return {
    now = function()
      clock.ticks = clock.ticks + 1
      return clock.time + clock.ticks * 1e-6
    end,
    wall = function()
      return clock:wall()
    end,
    boot = function()
      return "boot-" .. process.world.boots, clock.time
    end,
    sleep = loop.sleep,
  }
end


--- A host whose waiters wait in the simulated time.
---@param process table
---@param yields boolean an event loop's, or a script's
function M.host(process, yields)
  return {
    name = "simulated", yields = yields, now = process.clock.now,
    waiter = function()
      return setmetatable({ process = process, woken = false, call = nil }, waiter)
    end,
  }
end


return M
