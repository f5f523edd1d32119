--- Tarantool: the fiber waits, the others go on. A fiber can yield anywhere, also within a C call.
---
--- One fiber of ours watches the mailbox's descriptor; who waits has a condition. A fiber that is
--- cancelled while it waits (`fiber.kill`) cancels its call.

local fiber = require("fiber")
local loop = require("batchapi.host")
local socket = require("socket")

local M = { name = "tarantool", yields = true, stackful = true }

local watcher -- the fiber that watches


local function watch()
  while true do
    socket.iowait(assert(loop.mailbox()):fd(), "R")
    loop.pump()
  end
end


local function begin_watching()
  if not watcher or watcher:status() == "dead" then
    watcher = fiber.create(watch)
    watcher:name("batchapi")
  end
end


local waiter = {}
waiter.__index = waiter


function waiter:wait(seconds)
  if not self.woken then
    begin_watching()
    local ok, why = pcall(self.condition.wait, self.condition, seconds)
    if not ok then
      loop.break_off(self)
      error(why, 0)
    end
  end
  self.woken = false
end


function waiter:wake()
  self.woken = true
  self.condition:signal()
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, condition = fiber.cond() }, waiter)
end


function M.spawn(_, f)
  fiber.new(f)
  return true
end


return M
