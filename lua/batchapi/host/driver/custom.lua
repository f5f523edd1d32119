--- An event loop of the user's own: `host = { waiter = f, sleep = f, check = f, name = "mine" }`.
---
---   waiter()     a new waiter, a table with two methods: `waiter:wait(seconds|nil)` suspends the
---                coroutine that calls it until `waiter:wake()` was called or the time is over (it may
---                also return early); `waiter:wake()` marks it as to be resumed, or schedules that,
---                and never runs the coroutine itself. It is also called before wait().
---   sleep(s)     optional: suspends the coroutine for so many seconds
---   check()      optional: raises where nothing may wait; called before anything is sent
---   name         optional: what messages call it
---
--- The loop watches batchapi.fd() and calls batchapi.pump() when it is readable: that wakes.

local check = require("batchapi.check.options")
local errors = require("batchapi.util.errors")

local M = {}

--- What a loop is made of.
M.options = check.list{
  { name = "waiter", kind = "function", required = true, help = "gives a new waiter, with wait and wake" },
  { name = "sleep", kind = "function", help = "suspends the coroutine for so many seconds" },
  { name = "check", kind = "function", help = "raises where nothing may wait" },
  { name = "name", kind = "string", help = "what messages call it" },
}

local made = setmetatable({}, { __mode = "k" }) -- by the user's table; values hold no key


-- Set of waiters: a loop may keep nothing but what wake() is told.
local waiting = {} -- luacheck: ignore 241


local waiter = {}
waiter.__index = waiter


function waiter:wait(seconds)
  if not self.woken then
    waiting[self] = true
    self.own:wait(seconds)
    waiting[self] = nil
  end
  self.woken = false
end


function waiter:abandon()
  waiting[self] = nil
end


function waiter:wake()
  if not self.woken then
    self.woken = true
    self.own:wake()
  end
end


local function new_waiter(create)
  local own = create()
  if type(own) ~= "table" and type(own) ~= "userdata" then
    errors.misuse("host: waiter() must give an object with wait and wake, not a %s", type(own))
  end
  return setmetatable({ own = own, woken = false, call = nil, id = nil }, waiter)
end


--- Raises at the caller's line when the table is not what a host is made of.
---@param given table
function M.check(given)
  if given.yields ~= nil then -- one of this folder's
    return
  end
  check.check(given, M.options, "host")
end


--- The host that a user's table describes.
---@param given table
---@return table
function M.of(given)
  local host = made[given]
  if host then
    return host
  end
  M.check(given)
  local create, sleep, may_wait = given.waiter, given.sleep, given.check
  host = { name = given.name or "your own", yields = true }
  function host.waiter()
    return new_waiter(create)
  end
  if sleep then
    function host.sleep(_, seconds)
      sleep(seconds)
      return true
    end
  end
  if may_wait then
    function host.check()
      may_wait()
    end
  end
  made[given] = host
  return host
end


return M
