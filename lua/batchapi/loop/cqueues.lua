--- cqueues: the mailbox's descriptor is polled beside everything else of the controller.
---
--- The first waiter of a controller polls the descriptor for all of them (the leader); the others
--- wait for a condition of their own. A leader that is done wakes another waiter, which takes over.

local cqueues = require("cqueues")
local condition = require("cqueues.condition")
local errors = require("batchapi.errors")
local loop = require("batchapi.loop")

local M = { name = "cqueues", yields = true }

local leaders = setmetatable({}, { __mode = "kv" }) -- controller -> the waiter that polls
local waiting = setmetatable({}, { __mode = "k" }) -- controller -> set of waiters


function M.check()
  if not cqueues.running() then
    errors.misuse("host 'cqueues' waits only inside a coroutine of a cqueues controller")
  end
end


local waiter = {}
waiter.__index = waiter


-- Wakes one of those who still wait, so that it becomes the leader.
local function find_leader(others)
  for other in pairs(others) do
    if not other.woken then
      other.condition:signal()
      return
    end
  end
end


function waiter:wait(seconds)
  local controller = cqueues.running()
  local others = waiting[controller]
  if not others then
    others = setmetatable({}, { __mode = "k" })
    waiting[controller] = others
  end
  others[self] = true
  local deadline = seconds and cqueues.monotime() + seconds
  while not self.woken do
    local left = deadline and deadline - cqueues.monotime()
    if left and left <= 0 then
      break
    end
    if leaders[controller] == nil or leaders[controller] == self then
      leaders[controller] = self
      cqueues.poll({ pollfd = assert(loop.mailbox()):fd(), events = "r" }, self.condition, left)
      loop.pump()
    else
      self.condition:wait(left)
    end
  end
  self.woken = false
  others[self] = nil
  if leaders[controller] == self then
    leaders[controller] = nil
  end
  if leaders[controller] == nil then
    find_leader(others)
  end
end


function waiter:wake()
  self.woken = true
  self.condition:signal()
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, condition = condition.new() }, waiter)
end


return M
