--- How a coroutine waits for the engine, whatever host it runs in.
---
--- Each Lua state has one mailbox, made on first use: its descriptor says that some call has news.
--- Whoever waits drains it and wakes the others whose calls were named (host/board.lua); a host only
--- has to bring one waiter back to life. Which host that is, host/detect.lua says.
---
--- A host is a table (see `batchapi.loop.block` and its neighbours):
---   name              what `tostring` and messages call it
---   yields            true when waiting yields the coroutine
---   stackful          true when it can do so anywhere (Tarantool's fibers)
---   host:check()      raises where nothing may wait (nginx phases); optional
---   host:waiter()     a new waiter: `waiter:wait(seconds|nil)` suspends the coroutine until
---                     `waiter:wake()` or the time is over (it may also return early);
---                     wake() only marks or schedules, it never runs the coroutine itself;
---                     `waiter:abandon()`, optional, is told that nobody waits with it any more,
---                     since its coroutine was closed
---   host:call_waiter()  optional: a waiter that the coroutine uses for one call after the other
---   host:register(call, waiter)  optional: told before a waiter waits for a call, by a host where
---                     something else than Lua drains the mailbox
---   host:wait(call)   optional: waits for one call in a cheaper way
---   host:sleep(s)     optional: a sleep of its own
---   host.now()        optional: its own clock, in the place of core.now
---   host:exiting()    optional: is the process about to end? A waiter that waits with a time is
---                     then woken early
---   host:leaving(pid, waited)  optional: will that process end soon, so that waiting for it is worth it?
---   host:spawn(f)     optional: runs a function in a coroutine of its own, soon
---
--- Whoever is about to begin something asks `loop.enter` first, which raises where this coroutine
--- could not wait for it.

local board = require("batchapi.host.board")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local hosts = require("batchapi.host.detect")

local M = {
  mailbox = board.mailbox, pump = board.pump, wake = board.wake, turn = board.turn,
  option = hosts.option, host = hosts.host, coroutine = hosts.coroutine, adopt = hosts.adopt,
}

local running, can_yield, turn_now = coroutine.running, core.can_yield, board.turn
local enlist, strike = board.enlist, board.strike

-- Lua 5.1 proper cannot yield across pcall, a metamethod or a `for` iterator; LuaJIT can.
local old_lua = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil


-- ---- may it wait? -------------------------------------------------------------------------------


local function refuse(host)
  errors.misuse("nothing can wait here, so nothing was sent: C has called this function (string.gsub, table.sort, "
    .. "require%s), and a coroutine of the host '%s' cannot yield across that; make the call outside of it",
    old_lua and ", and on Lua 5.1 pcall, a metamethod or a `for` iterator" or "", host.name)
end


--- Raises, at the caller's line, where this coroutine cannot wait in the host.
---@param host table as `loop.host` gave it
function M.check(host)
  if host.check then
    host:check()
  end
  if host.yields and not host.stackful and not can_yield() then
    refuse(host)
  end
end


--- The host that this coroutine waits in; raises where it cannot.
---@param given string|table|nil as `loop.host` takes it
---@return table
function M.enter(given)
  local host = hosts.host(given)
  M.check(host)
  return host
end


--- Can a coroutine of this host wait inside pcall, a metamethod and a `for` iterator?
---@param host string|table|nil
---@return boolean
function M.yields_anywhere(host)
  return not (old_lua and hosts.host(host).yields)
end


--- Raises, where this Lua cannot wait inside a `for` iterator, and says what to do instead.
---@param host string|table|nil
function M.check_iterator(host)
  if not M.yields_anywhere(host) then
    errors.misuse("Lua 5.1 cannot wait inside a `for` iterator when the host is '%s': call "
      .. "object:next() in a `while` loop instead", hosts.host(host).name)
  end
end


-- ---- what is waited for, and its end ------------------------------------------------------------

-- What each coroutine waits with, or waited with last. Weak: the coroutine keeps its waiter.
local waiters = setmetatable({}, { __mode = "kv" })


--- Ends what a coroutine waited for that will not go on. A piece of file work cannot be cancelled:
--- it ends by itself.
---@param call batchapi.core.Call|batchapi.core.Work
function M.cancel(call)
  if call.cancel then
    call:cancel()
  end
end


--- Nobody waits with this waiter any more: its coroutine was closed, or its wait raised.
---@param waiter table
function M.break_off(waiter)
  local call = waiter.call
  waiter.waits = false
  if call then
    strike(waiter.id, waiter)
    waiter.call = nil
    M.cancel(call)
  elseif waiter.cancel then
    waiter.cancel()
  end
  if waiter.abandon then
    waiter:abandon()
  end
end


local Guard = {
  __close = function(guard)
    if guard.waiter.waits then
      M.break_off(guard.waiter)
    end
  end,
}

local closes = rawget(coroutine, "close") ~= nil and rawget(_G, "jit") == nil and _VERSION >= "Lua 5.4"


local function once(_, begun)
  return not begun or nil
end


--- Waits with a waiter. Since Lua 5.4 a coroutine may be closed while it waits: what a generic `for`
--- gets as its fourth value is closed then, and the wait broken off.
---@async
---@param waiter table
---@param seconds number|nil
function M.hold(waiter, seconds)
  waiter.waits = true
  waiters[running() or M] = waiter
  if not closes then
    waiter:wait(seconds)
  else
    local guard = waiter.guard
    if not guard then
      guard = setmetatable({ waiter = waiter }, Guard)
      waiter.guard = guard
    end
    for _ in once, nil, nil, guard do
      waiter:wait(seconds)
      waiter.waits = false
    end
  end
  waiter.waits = false
end


--- Notes that a coroutine waits for a call without a waiter of the kind above (a host's own way). The
--- record may serve other coroutines later.
---@param record table { call, waits }
function M.note(record)
  local co = running() or M
  waiters[co], record.thread = record, co
end


--- Cancels what a coroutine waits for: its call ends with kind "cancelled", its sleep ends early, of
--- a map or a parallel every call. False when it waits for nothing that can be cancelled.
---@param co thread
---@return boolean
function M.stop(co)
  local waiter = waiters[co]
  if not waiter or not waiter.waits or (waiter.thread or co) ~= co then
    return false
  elseif waiter.call then
    M.cancel(waiter.call)
    return waiter.call.cancel ~= nil
  elseif waiter.stop then
    return waiter.stop()
  end
  waiter.stopped = true
  waiter:wake()
  return true
end


-- ---- waiting ------------------------------------------------------------------------------------


--- Waits for one call with a waiter of the host, once; may return early.
---@async
---@param call batchapi.core.Call
---@param host table
---@param turn integer|nil do not wait if reports were taken since
---@param id integer|nil the call's, if it is known
function M.wait_for(call, host, turn, id)
  id = id or call:id()
  local waiter = host.call_waiter and host:call_waiter() or host:waiter()
  waiter.call = call
  enlist(id, waiter)
  if host.register then
    host:register(call, waiter)
  end
  if not turn or turn == turn_now() then
    M.hold(waiter)
  end
  strike(id, waiter)
  waiter.call = nil
end


--- Blocks this coroutine until the call may have news; may return early. Since it began or was
--- last asked for news nobody else has run, except for finalisers: what their calls wait for takes
--- everybody's reports, which `turn` tells.
---@async
---@param call batchapi.core.Call
---@param host table as `loop.host` gave it
---@param turn integer|nil M.turn() of then
---@param id integer|nil the call's, if it is known
function M.wait(call, host, turn, id)
  if not host.wait then
    M.wait_for(call, host, turn, id)
  elseif not turn or turn == turn_now() then
    host:wait(call)
  end
end


--- Blocks this coroutine until the call (or anything else that has `id` and `news` and reports to
--- the mailbox) has news, and gives them: done, readable, writable, restart, attempted, ask_token,
--- renewed.
---@async
---@param call batchapi.core.Call
---@param host table as `loop.host` gave it
---@return boolean done, boolean readable, boolean writable, boolean restart
---@return boolean attempted, boolean ask_token, boolean renewed
function M.await(call, host)
  while true do
    local done, readable, writable, restart, attempted, ask_token, renewed = call:news()
    if done or readable or writable or restart or attempted or ask_token or renewed then
      return done, readable, writable, restart, attempted, ask_token, renewed
    end
    M.wait(call, host)
  end
end


--- Blocks this coroutine for a time. False and "closed" when the process is about to end (an nginx
--- worker that was told to): whoever waits for something far away must then give up. False and
--- "cancelled" when it was told to (batchapi.cancel).
---@async
---@param seconds number
---@param host string|table|nil
---@return boolean, string|nil
function M.sleep(seconds, host)
  host = M.enter(host)
  if host.sleep then
    return host:sleep(seconds)
  end
  local now = host.now or core.now
  local deadline = now() + seconds
  local waiter = host:waiter()
  local left = seconds
  while left > 0 do
    if host.exiting and host:exiting() then
      return false, "closed"
    end
    M.hold(waiter, left)
    if waiter.stopped then
      return false, "cancelled"
    end
    left = deadline - now()
  end
  return true
end


-- Those who wait for the clock without a host of their own: schedulers.
local timekeepers = setmetatable({}, { __mode = "k" })


--- The object has `time_left()`, `is_ready()` and `stopped`; see next_timeout().
---@param object table
function M.keep_time(object)
  timekeepers[object] = true
end


--- Seconds until a task has something to do that no report tells of: 0 when one has now, nil when none
--- waits for the clock.
---@return number|nil
function M.next_timeout()
  local soonest
  for each in pairs(timekeepers) do
    if not each.stopped then
      local left = each:is_ready() and 0 or each:time_left()
      soonest = math.min(left or math.huge, soonest or math.huge)
    end
  end
  return soonest ~= math.huge and soonest or nil
end


--- Is the process about to end (an nginx worker that finishes what it has)?
---@param host string|table|nil
---@return boolean
function M.exiting(host)
  host = hosts.host(host)
  return host.exiting ~= nil and host:exiting()
end


--- Will another process end soon, so that what it holds will be free?
---@param pid integer
---@param waited number seconds that it was waited for
---@param host string|table|nil
---@return boolean
function M.leaving(pid, waited, host)
  host = hosts.host(host)
  return host.leaving ~= nil and host:leaving(pid, waited)
end


--- Is it a function, or an object that can be called like one?
---@param value any
---@return boolean
function M.is_callable(value)
  if type(value) == "function" then
    return true
  end
  local metatable = getmetatable(value)
  return type(metatable) == "table" and type(metatable.__call) == "function"
end


return M
