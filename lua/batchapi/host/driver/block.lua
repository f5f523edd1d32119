--- A script or a REPL: the call blocks.
---
--- Waits are cut into slices, and end early on a signal, so that the interpreter's own handler of
--- Ctrl-C runs: its error is raised here, the call is cancelled, the engine stays as it was.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = { name = "block", yields = false }

local slice = 0.5 -- seconds; a signal that came just before the wait is seen after at most that


--- A blocking wait would stop everything that an nginx worker does; while it starts it may.
function M.check()
  local ngx = rawget(_G, "ngx")
  if type(ngx) == "table" and ngx.get_phase then
    local phase = ngx.get_phase()
    if phase ~= "init" and phase ~= "init_worker" then
      errors.misuse("host 'block' would stop the nginx worker in the phase '%s': leave the host out",
        phase)
    end
  end
end


-- The handler of Ctrl-C raises at the next instruction of Lua: one must follow the wait here.
local function wait_slice(mailbox)
  local ready = mailbox:wait(slice)
  return ready
end


function M.wait(_, call)
  local ok, why = pcall(wait_slice, loop.mailbox())
  if not ok then
    loop.cancel(call)
    error(why, 0)
  end
  loop.pump()
end


local waiter = {}
waiter.__index = waiter


function waiter:wait(seconds)
  local mailbox = assert(loop.mailbox())
  local deadline = seconds and core.now() + seconds
  while not self.woken do
    local left = deadline and deadline - core.now() or slice
    if left <= 0 then
      break
    end
    mailbox:wait(left < slice and left or slice)
    loop.pump()
  end
  self.woken = false
end


function waiter:wake()
  self.woken = true
end


function M.waiter()
  return setmetatable({ woken = false, call = nil }, waiter)
end


return M
