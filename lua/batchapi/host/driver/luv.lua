--- luv: one poll handle on the mailbox's descriptor, active only while a coroutine waits, so that
--- uv.run() ends when nothing is left to do.

local uv = require("luv")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = { name = "luv", yields = true }

local poll, polled -- the handle, and the descriptor it is for
local waiting = {} -- set of waiters: nothing else keeps a suspended coroutine alive
local ready, first, last = {}, 1, 0 -- queue of waiters to be resumed
local in_callback = false
local soon -- timer that resumes those who were woken outside of the loop's own callback


function M.check()
  if not loop.coroutine() then
    errors.misuse("host 'luv' waits only inside a coroutine")
  end
end


-- Resumes who was woken. An error in a coroutine is raised here, in luv's callback, when all have
-- had their turn.
local function resume_ready()
  local failed, failure = false, nil
  while first <= last do
    local waiter = ready[first]
    ready[first] = nil
    first = first + 1
    local co = waiter.co
    if co then
      waiter.co = nil
      local ok, why = coroutine.resume(co)
      if not ok and not failed then
        failed, failure = true, debug.traceback(co, tostring(why))
      end
    end
  end
  first, last = 1, 0
  if failed then
    error(failure, 0)
  end
end


local function on_readable()
  in_callback = true
  loop.pump()
  in_callback = false
  resume_ready()
end


local function watch(self)
  local fd = assert(loop.mailbox()):fd()
  if fd ~= polled then
    if poll then
      poll:close()
    end
    poll, polled = uv.new_poll(fd), fd
  end
  if next(waiting) == nil then
    poll:start("r", on_readable)
  end
  waiting[self] = true
end


local function unwatch(self)
  waiting[self] = nil
  if next(waiting) == nil then
    poll:stop()
  end
end


local waiter = {}
waiter.__index = waiter


-- Nobody waits with it any more.
local function leave(self)
  self.co = nil
  if waiting[self] then
    unwatch(self)
  end
  if self.timer then
    self.timer:close()
    self.timer = nil
  end
end


function waiter:wait(seconds)
  if self.woken then
    self.woken = false
    return
  end
  if seconds then
    self.timer = uv.new_timer()
    self.timer:start(math.max(0, math.ceil(seconds * 1000)), 0, function()
      self:wake()
    end)
  end
  self.co = coroutine.running()
  watch(self)
  coroutine.yield()
  leave(self)
  self.woken = false
end


function waiter:wake()
  if self.woken then
    return
  end
  self.woken = true
  if not self.co then
    return
  end
  last = last + 1
  ready[last] = self
  if not in_callback then
    soon = soon or uv.new_timer()
    soon:start(0, 0, resume_ready)
  end
end


waiter.abandon = leave


function M.spawn(_, f)
  last = last + 1
  ready[last] = { co = coroutine.create(f) }
  soon = soon or uv.new_timer()
  soon:start(0, 0, resume_ready)
  return true
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, co = nil, timer = nil }, waiter)
end


return M
