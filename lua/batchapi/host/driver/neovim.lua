--- Neovim: the coroutine waits, the editor goes on.
---
--- One poll handle watches the mailbox's descriptor while a coroutine waits. Its callback runs where
--- `vim.api` is refused (a "fast event"), so coroutines are resumed through vim.schedule.

local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local vim = rawget(_G, "vim")
local uv = vim.loop

local M = { name = "neovim", yields = true }

local poll, polled -- the handle, and the descriptor it is for
local waiting = {} -- set of waiters: nothing else keeps a suspended coroutine alive
local ready, first, last = {}, 1, 0 -- queue of coroutines to be resumed
local is_due = false


function M.check()
  if not loop.coroutine() then
    errors.misuse("host 'neovim' waits only inside a coroutine: coroutine.wrap(function() … end)()")
  end
end


-- Resumes who was woken. An error in one is raised here, in the editor's loop, when all had their turn.
local function resume_ready()
  local failed, failure = false, nil
  is_due = false
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


local function enqueue(waiter)
  last = last + 1
  ready[last] = waiter
  if not is_due then
    is_due = true
    vim.schedule(resume_ready)
  end
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
    poll:start("r", loop.pump)
  end
  waiting[self] = true
end


local waiter = {}
waiter.__index = waiter


function waiter:wait(seconds)
  if not self.woken then
    local timer
    if seconds then
      timer = uv.new_timer()
      timer:start(math.max(0, math.ceil(seconds * 1000)), 0, function()
        self:wake()
      end)
    end
    self.co = coroutine.running()
    watch(self)
    coroutine.yield()
    waiting[self] = nil
    if next(waiting) == nil then
      poll:stop()
    end
    if timer then
      timer:close()
    end
  end
  self.woken = false
end


function waiter:wake()
  if not self.woken then
    self.woken = true
    if self.co then
      enqueue(self)
    end
  end
end


function M.waiter()
  return setmetatable({ woken = false, call = nil, id = nil, co = nil }, waiter)
end


function M.spawn(_, f)
  enqueue({ co = coroutine.create(f) })
  return true
end


return M
