--- HAProxy: tasks, actions and services wait; the process goes on.
---
--- HAProxy 2.6 can neither watch a descriptor of ours nor wake one coroutine from another: all that
--- yields is time. So who waits looks again, at first every millisecond, later after a sixteenth of the
--- time that it has waited: the answer is noticed with a delay of six percent, and 20 ms at most.
---
--- Converters and fetches cannot wait, and HAProxy gives no way to tell them apart: it says itself that
--- a yield is not allowed there.

local core = require("batchapi.core")
local loop = require("batchapi.host")

local haproxy = rawget(_G, "core")

local M = { name = "haproxy", yields = true }

local FINEST, COARSEST, SHARE = 0.001, 0.02, 16

local looked = 0 -- when the mailbox was last looked into


local waiter = {}
waiter.__index = waiter


local function pause(seconds)
  haproxy.msleep(math.max(1, math.ceil(seconds * 1000)))
end


-- Many look at nearly the same time: one of them is enough.
local function look(now)
  if now - looked >= FINEST / 2 then
    looked = now
    assert(loop.mailbox())
    loop.pump()
  end
end


function waiter:wait(seconds)
  local began = core.now()
  local deadline = seconds and began + seconds or math.huge
  while not self.woken do
    local now = core.now()
    look(now)
    if self.woken or now >= deadline then
      break
    end
    pause(math.min(math.max((now - began) / SHARE, FINEST), COARSEST, deadline - now))
  end
  self.woken = false
end


function waiter:wake()
  self.woken = true
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil }, waiter)
end


function M.spawn(_, f)
  haproxy.register_task(f)
  return true
end


return M
