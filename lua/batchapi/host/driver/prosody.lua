--- Prosody: the runner (util.async) waits, the server goes on.
---
--- net.server watches the mailbox's descriptor, as long as the process lives. Runners are woken from its
--- callback, or from a timer: never from the code that wakes.

local async = require("util.async")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local queues = require("batchapi.host.queue")
local server = require("net.server")
local timer = require("util.timer")

local M = { name = "prosody", yields = true }

local watched -- the descriptor that net.server watches
-- Set of waiters: nothing else keeps a suspended runner alive.
local waiting = {} -- luacheck: ignore 241
local ready = queues.new(queues.call, function(turn)
  timer.add_task(0, turn)
end)


function M.check()
  if not async.ready() then
    errors.misuse("host 'prosody' waits only inside an async runner: require(\"util.async\").runner(function() … end)"
      .. ":run(true)")
  end
end


local function on_readable()
  ready:around(loop.pump)
end


local function watch()
  local fd = assert(loop.mailbox()):fd()
  if fd ~= watched then
    server.watchfd(fd, on_readable)
    watched = fd
  end
end


local waiter = {}
waiter.__index = waiter


-- Nobody waits with it any more.
local function leave(self)
  self.done = nil
  waiting[self] = nil
  if self.timer then
    timer.stop(self.timer)
    self.timer = nil
  end
end


function waiter:wait(seconds)
  if not self.woken then
    watch()
    if seconds then
      self.timer = timer.add_task(seconds, function()
        self.timer = nil
        self:wake()
      end)
    end
    local wait, done = async.waiter()
    self.done = done
    waiting[self] = true
    wait()
    leave(self)
  end
  self.woken = false
end


function waiter:wake()
  if self.woken then
    return
  end
  self.woken = true
  if self.done then
    ready:add(function()
      local done = self.done
      if done then
        self.done = nil
        done()
      end
    end)
  end
end


waiter.abandon = leave


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, done = nil, timer = nil }, waiter)
end


local function run(f)
  f()
end


function M.spawn(_, f)
  ready:add(function()
    async.runner(run):run(f)
  end)
  return true
end


return M
