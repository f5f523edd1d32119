-- says: 20 pages
-- An event loop of your own, on LuaSocket's select: it watches one descriptor, and says how one of its
-- coroutines is suspended and woken.
--
--   sandbox/run lua5.4 examples/hosts/select.lua

local batchapi = require("batchapi")
local socket = require("socket")

local ready, timers, running = {}, {}, 0          -- coroutines to be resumed; waiter -> when; how many there are

local host = { name = "select" }

function host.waiter()
  local waiter = {}
  function waiter:wait(seconds)
    self.co = coroutine.running()
    timers[self] = seconds and socket.gettime() + seconds
    coroutine.yield()
    timers[self] = nil
  end
  function waiter:wake()
    if self.co then
      ready[#ready + 1], self.co = self.co, nil
    end
  end
  return waiter
end

local function go(f)
  running = running + 1
  ready[#ready + 1] = coroutine.create(function() f() running = running - 1 end)
end

local reports = { getfd = function() return batchapi.fd() end, dirty = function() return false end }

local function loop()
  while running > 0 do
    local now, soonest = socket.gettime(), ready[1] and 0 or 1
    for waiter, at in pairs(timers) do
      if at <= now then waiter:wake() end
      soonest = math.min(soonest, math.max(0, at - now))
    end
    socket.select({ reports }, nil, ready[1] and 0 or soonest)   -- a real loop waits for its other descriptors here too
    batchapi.pump()
    local batch = ready
    ready = {}
    for _, co in ipairs(batch) do assert(coroutine.resume(co)) end
  end
end

local openai = assert(batchapi.openai{ host = host })   -- map and parallel take it, too
local pages = 0
for _ = 1, 20 do
  go(function()
    assert(openai:list_batches{ limit = 1 })
    pages = pages + 1
  end)
end
loop()
assert(pages == 20)
print(pages .. " pages")
