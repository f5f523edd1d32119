--- How a coroutine waits for the engine, whatever host it runs in.
---
--- Each Lua state has one mailbox, made on first use: its descriptor says that some call has news.
--- Whoever waits drains it and wakes the others whose calls were named; a host only has to bring
--- one waiter back to life.
---
--- A host is a table (see `batchapi.loop.block` and its neighbours):
---   name              what `tostring` and messages call it
---   yields            true when waiting yields the coroutine
---   host:check()      raises where nothing may wait (nginx phases); optional
---   host:waiter()     a new waiter: `waiter:wait(seconds|nil)` suspends the coroutine until
---                     `waiter:wake()` or the time is over (it may also return early);
---                     wake() only marks or schedules, it never runs the coroutine itself
---   host:call_waiter()  optional: a waiter that the coroutine uses for one call after the other
---   host:register(call, waiter)  optional: told before a waiter waits for a call, by a host where
---                     something else than Lua drains the mailbox
---   host:wait(call)   optional: waits for one call in a cheaper way
---   host:sleep(s)     optional: a sleep of its own
---   host.now()        optional: its own clock, in the place of core.now
---   host:exiting()    optional: is the process about to end? A waiter that waits with a time is
---                     then woken early
---
--- `host = "auto"` is resolved by these rules, the first that holds:
---   1. the coroutine was made by batchapi.parallel or batchapi.map
---   2. openresty   there is a global `ngx` with `get_phase`
---   3. cqueues     `cqueues` is loaded and `cqueues.running()` gives a controller
---   4. copas, luv  the module is loaded and the call is made inside a coroutine; if both are, luv
---                  when its loop runs (`uv.loop_mode()`), else copas
---   5. block       everywhere else

local core = require("batchapi.core")
local errors = require("batchapi.errors")

local M = {}

local forks, running = core.forks, coroutine.running
local drain_at_once = 256 -- what mailbox:drain() takes at a time

local mailbox, owner
local ids = {}

-- Who waits, by id; several may wait for one thing: they are a chain (`next`). Ids are never used
-- twice, and a Lua table whose keys come and go is rehashed as often as at every new one; so there
-- is an array that `id % places` is the place in, and a table for those whose place was taken.
-- Weak: waiters are kept alive by their coroutines.
local places = 1024
local weak = { __mode = "v" }
local placed, others
local turns = 0 -- how often reports were taken

local function forget_all()
  placed, others = setmetatable({}, weak), setmetatable({}, weak)
  for i = 1, places do
    placed[i] = false
  end
end

forget_all()


local function enlist(id, waiter)
  local place, other = id % places + 1, others[id]
  local there = placed[place]
  waiter.id = id
  if other or (there and there.id ~= id) then
    waiter.next = other
    others[id] = waiter
  else
    if there then
      waiter.next = there
    end
    placed[place] = waiter
  end
end


local function find(id)
  local waiter = placed[id % places + 1]
  if waiter and waiter.id == id then
    return waiter
  end
  return others[id]
end


-- Takes a waiter out of a chain that it is not the first of, or out of `others`.
local function unchain(id, waiter, following)
  local before = find(id)
  if before == waiter then
    others[id] = following
    return
  end
  while before and before.next ~= waiter do
    before = before.next
  end
  if before then
    before.next = following
  end
end


local function strike(id, waiter)
  local place, following = id % places + 1, waiter.next
  if placed[place] == waiter then
    placed[place] = following or false
  else
    unchain(id, waiter, following)
  end
  if following then
    waiter.next = nil
  end
end


local schedulers = setmetatable({}, { __mode = "kv" }) -- coroutine -> the scheduler that runs it


--- The coroutine that runs, nil in the main one.
---@return thread|nil
function M.coroutine()
  local co, main = running()
  if main then
    return nil
  end
  return co
end


--- This state's mailbox. A child of fork gets its own: the parent's calls are not its.
---@return batchapi.core.Mailbox|nil, string|nil, table|nil
function M.mailbox()
  local process = forks()
  if process ~= owner then
    local made, why, err = core.mailbox()
    if not made then
      return nil, why, err
    end
    mailbox, owner = made, process
    forget_all()
  end
  return mailbox
end


--- Wakes the coroutines that wait for a call (or what else has that id).
---@param id integer
function M.wake(id)
  local waiter = find(id)
  while waiter do
    waiter:wake()
    waiter = waiter.next
  end
end

local wake = M.wake


--- Takes the reports that wait and wakes the coroutines they are for.
function M.pump()
  local count
  turns = turns + 1
  repeat
    count = mailbox:drain(ids)
    for i = 1, count do
      wake(ids[i])
    end
  until count < drain_at_once
end


--- A number that is another one after reports were taken.
---@return integer
function M.turn()
  return turns
end


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
  if not turn or turn == turns then
    waiter:wait()
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
  elseif not turn or turn == turns then
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


--- Ends what a coroutine waited for that will not go on. A piece of file work cannot be cancelled:
--- it ends by itself.
---@param call batchapi.core.Call|batchapi.core.Work
function M.cancel(call)
  if call.cancel then
    call:cancel()
  end
end


--- Blocks this coroutine for a time. False and "closed" when the process is about to end (an nginx
--- worker that was told to): whoever waits for something far away must then give up.
---@async
---@param seconds number
---@param host string|table|nil
---@return boolean, string|nil
function M.sleep(seconds, host)
  host = M.host(host)
  if host.check then
    host:check()
  end
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
    waiter:wait(left)
    left = deadline - now()
  end
  return true
end


--- Is the process about to end (an nginx worker that finishes what it has)?
---@param host string|table|nil
---@return boolean
function M.exiting(host)
  host = M.host(host)
  return host.exiting ~= nil and host:exiting()
end


-- ---- which host ---------------------------------------------------------------------------------


local names = { block = true, openresty = true, cqueues = true, luv = true, copas = true }


local hosts = {} -- by name, those that were loaded

local function load(name)
  local host = hosts[name]
  if not host then
    host = require("batchapi.loop." .. name)
    hosts[name] = host
  end
  return host
end


local function recognise()
  local scheduler = schedulers[running()]
  if scheduler then
    return scheduler
  end
  local ngx = rawget(_G, "ngx")
  if type(ngx) == "table" and ngx.get_phase then
    return load("openresty")
  end
  local loaded = package.loaded
  if loaded.cqueues and loaded.cqueues.running() then
    return load("cqueues")
  end
  local co = M.coroutine()
  if co and (loaded.copas or loaded.luv) then
    local in_luv = loaded.luv and (not loaded.copas or loaded.luv.loop_mode())
    return load(in_luv and "luv" or "copas")
  end
  return load("block")
end


--- The host that this coroutine waits in.
---@param name string|table|nil "auto" (default), a host's name, or a host already resolved
---@return table
function M.host(name)
  if name == nil or name == "auto" then
    return recognise()
  elseif type(name) == "table" then
    return name
  end
  if not names[name] then
    errors.misuse("unknown host '%s': it is one of auto, block, openresty, cqueues, luv, copas",
      tostring(name))
  end
  local ok, host = pcall(load, name) -- loading a module waits for nothing
  if not ok then
    errors.misuse("host '%s' cannot be used here: %s", name, tostring(host):match("^[^\n]*"))
  end
  return host
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


--- Tells which scheduler runs a coroutine (batchapi.loop.scheduler).
---@param co thread
---@param scheduler table
function M.adopt(co, scheduler)
  schedulers[co] = scheduler
end


-- Lua 5.1 proper cannot yield across pcall, a metamethod or a `for` iterator; LuaJIT can.
local old_lua = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil


--- Can a coroutine of this host wait inside pcall, a metamethod and a `for` iterator?
---@param host string|table|nil
---@return boolean
function M.yields_anywhere(host)
  return not (old_lua and M.host(host).yields)
end


--- Raises, where this Lua cannot wait inside a `for` iterator, and says what to do instead.
---@param host string|table|nil
function M.check_iterator(host)
  if not M.yields_anywhere(host) then
    errors.misuse("Lua 5.1 cannot wait inside a `for` iterator when the host is '%s': call "
      .. "object:next() in a `while` loop instead", M.host(host).name)
  end
end


return M
