--- What runs beside the program: functions that batchapi.defer and client:start were given.
---
--- Where a host has coroutines of its own, it runs them (`host:spawn`). Elsewhere, in a script or a
--- game loop, they are tasks that go on whenever the program calls batchapi.pump(); it is told by
--- batchapi.fd() and batchapi.next_timeout() when that is worth it.

local board = require("batchapi.host.board")
local core = require("batchapi.core")
local hosts = require("batchapi.host.detect")
local loop = require("batchapi.host")
local scheduler = require("batchapi.host.scheduler")

local M = {}

local tasks, owner -- and the process that they are of
local failures = {}


local function own_tasks()
  local process = core.forks()
  if process ~= owner then -- the parent's tasks are not its child's
    tasks, owner = scheduler.new("block"), process
  end
  return tasks
end


local function spawn_here(f)
  own_tasks():spawn(function(ok, what)
    if not ok then
      failures[#failures + 1] = { what }
    end
  end, f)
end


--- Runs a function soon, in a coroutine of its own.
---@param f fun()
---@param given string|table|nil the host, as `loop.host` takes it
---@return true|nil ok, string|nil message
function M.spawn(f, given)
  local host = hosts.around(given)
  if host.spawn then
    return host:spawn(f)
  end
  spawn_here(f)
  return true
end


--- Runs a function where it may wait, also from where nothing can: in nginx in a timer.
---@param f fun()
---@return true|nil ok, string|nil message
function M.defer(f)
  local host = hosts.around(nil)
  if host.defer then
    return host:defer(f)
  end
  return M.spawn(f)
end


--- Takes what is reported, wakes who waits for it, and lets what runs here go on. Raises what one of
--- those functions raised, when all have had their turn.
---@return integer count how many of them still run
function M.pump()
  if not board.mailbox() then
    return 0
  end
  local own = own_tasks()
  if own.current then -- called by one of them
    board.pump()
    return own.count
  end
  own:poll()
  if failures[1] then
    local first = table.remove(failures, 1)
    error(first[1], 0)
  end
  return own.count
end


--- Seconds until pump() has something to do without the descriptor: 0 when it has now, nil when it
--- only waits for the descriptor.
---@return number|nil
function M.next_timeout()
  if failures[1] then
    return 0
  end
  return loop.next_timeout()
end


return M
