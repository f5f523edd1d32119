--- OpenResty: the light thread waits for a semaphore, the worker goes on.
---
--- Two ways lead from the engine to the semaphore; the first that works is taken, once per worker:
---   event   the engine's descriptor lies in nginx's own event loop (src/include/batchapi/nginx.h), whose
---           handler posts the semaphores. No light thread, no timer, no work when idle.
---   socket  public API only: one light thread, begun by a timer, reads a unix socket of the
---           module's own as a cosocket and posts. It ends after a minute without a call.
--- `way` may be set to "socket" before the first call, to use only that.
---
--- Whoever sleeps long (`wait`, `run`) is woken when the worker is told to exit: a sentinel timer,
--- set while somebody sleeps, is run prematurely then.

local errors = require("batchapi.util.errors")
local ffi = require("ffi")
local loop = require("batchapi.host")
local get_request = require("resty.core.base").get_request
local semaphore = require("ngx.semaphore")
local worker = require("batchapi.host.driver.openresty_worker")

local ngx = ngx

local M = { name = "openresty", yields = true, way = "event" }

local proof_time = 0.25 -- seconds until nginx must have called back for the first time
local minute = 60
local tick = 0.001 -- seconds: a shorter wait does not reach the event loop at all
local endless = 2147483647 -- milliseconds, the most that nginx takes
local pool_size = 256

-- Where nginx can suspend what it runs.
local can_wait = {
  rewrite = true, server_rewrite = true, access = true, content = true, timer = true,
  preread = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

local joined -- the mailbox that `way` was settled for
local settled -- "event" or "socket"
local proven = false
local reading = false -- a light thread reads, or is about to
local sentinel = false -- its timer is set
local pool, pooled = {}, 0
local sleeping = setmetatable({}, { __mode = "k" }) -- set of waiters to be woken at exit
local waiting = setmetatable({}, { __mode = "k" }) -- set of waiters, in the way "socket"


function M.check()
  local phase = ngx.get_phase()
  if not can_wait[phase] then
    errors.misuse("nothing can wait in the nginx phase '%s', so nothing was sent: make the call in batchapi.defer("
      .. "function() … end), or in the rewrite, access or content phase", phase)
  end
end


--- Runs a function in a timer, which has no request. A worker that is about to end runs it at once.
function M.defer(_, f)
  local ok, why = ngx.timer.at(0, function() f() end)
  if not ok then
    return nil, "nginx takes no timer: " .. tostring(why)
  end
  return true
end


-- nginx keeps a light thread that has ended until its parent has waited for it, or ends itself: in a timer
-- that runs as long as its worker they would grow for ever. For each that is begun two of those before it
-- are looked at, in turn.
local spawned = setmetatable({}, { __mode = "k" }) -- by parent: { next = place, light threads… }


local function forget_ended(list)
  for _ = 1, math.min(2, #list) do
    list.next = list.next % #list + 1
    local thread = list[list.next]
    if coroutine.status(thread) == "zombie" then
      ngx.thread.wait(thread) -- at once
      list[list.next] = list[#list]
      list[#list] = nil
    end
    if #list == 0 then
      return
    end
  end
end


local function spawn_thread(f)
  local parent = coroutine.running()
  local list = spawned[parent] or { next = 0 }
  spawned[parent] = list
  forget_ended(list)
  list[#list + 1] = ngx.thread.spawn(f)
end


--- Where something can wait, in a light thread of the request's, which nginx waits for.
function M:spawn(f)
  if can_wait[ngx.get_phase()] then
    spawn_thread(f)
    return true
  end
  return self:defer(f)
end


--- What stands for the request (or timer) that runs now: a coroutine that nginx made in one must not be
--- touched in another, nor once it has ended.
---@return table
function M.owner()
  local ctx = ngx.ctx
  if not ctx.batchapi_owner then
    ctx.batchapi_owner = {}
  end
  return ctx.batchapi_owner
end


function M.exiting()
  return ngx.worker.exiting()
end


M.leaving = worker.leaving


local waiter = {}
waiter.__index = waiter


local function new_waiter()
  local sema, why = semaphore.new(0)
  if not sema then
    error("no semaphore: " .. tostring(why), 0)
  end
  return setmetatable({
    sema = sema,
    address = tonumber(ffi.cast("uintptr_t", sema.sem)),
    call = nil,
    id = nil,
    tells = false,
  }, waiter)
end


function M.waiter()
  return new_waiter()
end


-- ---- the worker's exit --------------------------------------------------------------------------


local set_sentinel


-- Whoever has waited rings when he was the last; one who was aborted cannot.
local function wake_all()
  for each in pairs(sleeping) do
    each:wake()
  end
  collectgarbage() -- who was aborted no longer waits
  while reading and next(waiting) do
    ngx.sleep(0.1)
    collectgarbage()
  end
  if reading then
    joined:ring() -- the reader ends
  end
end


-- Run every minute while somebody sleeps or the reader reads, and prematurely at exit. What is
-- posted there nginx looks at only with its next event: a timer that is due brings one about.
local function on_sentinel(premature)
  sentinel = false
  if premature then
    if not ngx.timer.at(0, wake_all) then
      wake_all()
    end
  elseif next(sleeping) or next(waiting) then
    set_sentinel()
  elseif reading then
    joined:ring() -- the reader ends
  end
end


function set_sentinel()
  if not sentinel and not ngx.worker.exiting() then
    sentinel = ngx.timer.at(minute, on_sentinel) or false
  end
end


-- ---- the way "socket" ---------------------------------------------------------------------------


-- Reads until it is woken and nobody waits: once a minute, or when the worker exits. A timeout
-- would do, but nginx logs each as an error.
local function read(sock)
  sock:settimeout(endless)
  repeat
    local bytes = sock:receiveany(4096)
    loop.pump()
    if ngx.worker.exiting() then
      collectgarbage()
    end
  until not bytes or (not next(waiting) and (ngx.worker.exiting() or not sentinel))
end


local start_reading


local function reader(_, mailbox)
  local path, why = mailbox:listen()
  local sock = ngx.socket.tcp()
  local ok = path and true
  if ok then
    ok, why = sock:connect("unix:" .. path)
  end
  if ok then
    ok, why = mailbox:accept()
  end
  if ok then
    loop.pump()
    read(sock)
    sock:close()
  else
    ngx.log(ngx.ERR, "batchapi: no socket to wait with: ", why)
    ngx.sleep(1)
  end
  reading = false
  if next(waiting) then
    start_reading(mailbox)
  end
end


function start_reading(mailbox)
  reading = true
  local ok, why = ngx.timer.at(0, reader, mailbox)
  if not ok then
    reading = false
    error("no timer to wait with: " .. tostring(why), 0)
  elseif ngx.worker.exiting() then
    ngx.timer.at(0, wake_all)
  end
end


-- ---- waiting ------------------------------------------------------------------------------------


-- Settles the way for this worker. Cheap when it is.
local function join()
  local mailbox, why = loop.mailbox()
  if not mailbox then
    error("no mailbox: " .. why, 0)
  end
  if mailbox ~= joined then
    joined, proven, reading = mailbox, false, false
    settled = "socket"
    if M.way == "event" and mailbox:join_nginx(ngx.config.subsystem == "stream") then
      settled = "event"
    end
  end
  return mailbox
end


-- Has nginx called back? If it had time to and did not, the other way is taken.
local function judge(mailbox, timed_out)
  if mailbox:proven() then
    proven = true
  elseif timed_out and settled == "event" then
    ngx.log(ngx.NOTICE, "batchapi: nginx's event loop does not call back; a socket is used")
    mailbox:leave_nginx()
    settled = "socket"
  end
end


local function slice()
  return (settled == "event" and not proven) and proof_time or minute
end


-- True when the semaphore was posted, false when the time is over.
local function wait_on(sema, seconds)
  local ok, why = sema:wait(seconds)
  if not ok and why ~= "timeout" then
    error("cannot wait: " .. tostring(why), 0)
  end
  return ok
end


function waiter:wait(seconds)
  local mailbox = join()
  if seconds then
    sleeping[self] = true
    set_sentinel()
  end
  if settled == "socket" then
    waiting[self] = true
    if not reading then
      start_reading(mailbox)
    end
    set_sentinel()
  end
  local limit = slice()
  local ok = wait_on(self.sema, seconds and seconds < limit and math.max(seconds, tick) or limit)
  waiting[self], sleeping[self] = nil, nil
  if reading and ngx.worker.exiting() and not next(waiting) then
    joined:ring()
  end
  if settled == "event" then
    if not proven then
      judge(mailbox, not ok and not (seconds and seconds < limit))
    end
    if self.tells and settled == "event" then
      loop.pump()
    end
  end
end


function waiter:wake()
  self.sema:post(1)
end


-- The address of nginx's request (or timer) that runs now, 0 when there is none.
local function request_address()
  local request = get_request()
  return request and tonumber(ffi.cast("uintptr_t", request)) or 0
end


local has_requests = ngx.config.subsystem == "http" -- in stream there is no such cleanup

-- When the request ends before its call does, aborted by its client say, the call is cancelled.
local function bind(call)
  if has_requests and call.bind then -- file work ends by itself
    call:bind(request_address())
  end
end


--- A waiter of a scheduler waits for many calls at once: it is told which have news.
function M.register(_, call, one)
  local mailbox = join()
  bind(call)
  if settled == "event" then
    one.tells = true
    call:park(mailbox, one.address, one.sema, true)
  end
end


-- The common case: this light thread waits for one call. Semaphores are used again; that of a
-- light thread that was killed while it waited is not, it goes with its call.
local function wait_parked(call, mailbox)
  local one = pool[pooled]
  if one then
    pool[pooled] = nil
    pooled = pooled - 1
  else
    one = new_waiter()
  end
  bind(call)
  call:park(mailbox, one.address, one.sema)
  one.call, one.waits = call, true
  loop.note(one)
  local ok = wait_on(one.sema, slice())
  one.call, one.waits, one.thread = nil, false, nil
  if not proven and settled == "event" then
    judge(mailbox, not ok)
  end
  if pooled < pool_size then
    pooled = pooled + 1
    pool[pooled] = one
  end
end


function M:wait(call)
  local mailbox = join()
  if settled == "event" then
    return wait_parked(call, mailbox)
  end
  return loop.wait_for(call, self)
end


return M
