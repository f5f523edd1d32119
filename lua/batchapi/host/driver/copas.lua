--- copas: a waiter looks like a luasocket object whose descriptor is the mailbox's.
---
--- That works with every copas, also with 1.1.7 (Debian's), which can neither sleep nor wake a
--- coroutine: an object that says it is `dirty` counts as readable. Where copas has no sleep of its
--- own, core.timer() lends a descriptor that becomes readable when the time is over.

local copas = require("copas")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = { name = "copas", yields = true }


function M.check()
  if not loop.coroutine() then
    errors.misuse("host 'copas' waits only inside a coroutine that copas runs (copas.addthread)")
  end
end


-- What copas and socket.select ask of a socket.
local pollable = {}
pollable.__index = pollable


function pollable:getfd()
  return self.fd
end


function pollable:dirty()
  return self.woken
end


function pollable:receive()
  if not self.woken then
    self:look()
  end
  if self.woken then
    return "woken"
  end
  return nil, "timeout"
end


-- copas closes the socket that a failed coroutine was waiting for.
function pollable.close()
  return true
end


function pollable.settimeout()
  return 1
end


-- A waiter for calls: looks into the mailbox.
local waiter = setmetatable({}, { __index = pollable })
waiter.__index = waiter


function waiter.look()
  loop.pump()
end


-- A pollable of the clock's.
local alarm = setmetatable({}, { __index = pollable })
alarm.__index = alarm


function alarm:look()
  self.woken = self.timer:expired()
end


local function new_alarm(seconds)
  local timer = assert(core.timer(seconds))
  return setmetatable({ woken = false, timer = timer, fd = timer:fd() }, alarm)
end


local own_sleep = copas.pause or copas.sleep


function M.sleep(_, seconds)
  if own_sleep then
    own_sleep(seconds)
  else
    local one = new_alarm(seconds)
    copas.receive(one)
    one.timer:close() -- select() takes few descriptors: none may wait for a collection
  end
  return true
end


local LONGEST = 1 -- seconds that an alarm outlives the wait it was for

-- Wakes a waiter whose time is over, from a thread of its own, which serves the waits after this one too.
local function watch_clock(self)
  copas.addthread(function()
    while self.deadline do
      local left = self.deadline - core.now()
      if left <= 0 then
        self:wake()
        break
      end
      left = math.min(left, LONGEST)
      self.alarm = core.now() + left
      M:sleep(left)
    end
    self.alarm = nil
  end)
end


function waiter:wait(seconds)
  self.deadline = seconds and core.now() + seconds
  if seconds and not self.woken then
    if not self.alarm or self.alarm > self.deadline then
      self.alarm = self.deadline
      watch_clock(self)
    end
  end
  if not self.woken then
    self.fd = assert(loop.mailbox()):fd()
    copas.receive(self)
  end
  self.woken, self.deadline = false, nil
end


function waiter:wake()
  self.woken = true
end


function M.spawn(_, f)
  copas.addthread(f)
  return true
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, fd = -1, deadline = nil, alarm = nil }, waiter)
end


return M
