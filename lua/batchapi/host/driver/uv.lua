--- What luv and Neovim have in common: one poll handle on the mailbox's descriptor, active only while a
--- coroutine waits, so that the loop ends when nothing is left to do.

local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local queues = require("batchapi.host.queue")

local M = {}


--- A host on a libuv loop.
---@param name string
---@param uv table the loop, as luv has it
---@param how { hint: string, later: fun(turn: fun()), direct: boolean } what a refusal says; has the loop call soon; may coroutines go on in the poll's own callback?
---@return table host
function M.host(name, uv, how)
  local host = { name = name, yields = true }
  local ready = queues.new(queues.resume, how.later)
  local poll, polled -- the handle, and the descriptor it is for
  local waiting = {} -- set of waiters: nothing else keeps a suspended coroutine alive

  function host.check()
    if not loop.coroutine() then
      errors.misuse("host '%s' waits only inside a coroutine%s", name, how.hint)
    end
  end

  local function on_readable()
    if how.direct then
      ready:around(loop.pump)
    else
      loop.pump()
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
      poll:start("r", on_readable)
    end
    waiting[self] = true
  end

  local waiter = {}
  waiter.__index = waiter

  -- Nobody waits with it any more.
  local function leave(self)
    self.co = nil
    if waiting[self] then
      waiting[self] = nil
      if next(waiting) == nil then
        poll:stop()
      end
    end
    if self.timer then
      self.timer:close()
      self.timer = nil
    end
  end

  function waiter:wait(seconds)
    if not self.woken then
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
    end
    self.woken = false
  end

  function waiter:wake()
    if not self.woken then
      self.woken = true
      if self.co then
        ready:add(self)
      end
    end
  end

  waiter.abandon = leave

  function host.waiter()
    return setmetatable({ woken = false, call = nil, id = nil, co = nil, timer = nil }, waiter)
  end

  function host.spawn(_, f)
    ready:add{ co = coroutine.create(f) }
    return true
  end

  return host
end


return M
