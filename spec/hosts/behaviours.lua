--- What every host owes a user: one list of behaviours, run inside each of them.
---
--- A host (spec/hosts/programs/NAME.lua) runs the list in one of its coroutines: `run(host)` with
---   name        as loop.host() names it
---   spawn(f)    runs a function in a coroutine of the host's own, soon
---   sleep(s)    the host's own way to sleep
---   stackful    it can yield within a C call
---   and what only some have; `lacks` says why another has it not:
---   closes      coroutine.close
---   generators  a coroutine within one of the host's may wait
---   forks       a child of fork may run Lua, and then make calls with host = "block" (its loop is its parent's)
---
--- It writes a line for each into the file $CONTRACT_OUT: ok, fail or skip, a tab, its name, a tab, why.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local processes = require("processes")
local loop = require("batchapi.host")

local list = {}

local function it(name, f, needs)
  list[#list + 1] = { name = name, f = f, needs = needs }
end


-- ---- helpers ------------------------------------------------------------------------------------


-- A client whose calls meet a fault of the sandbox's ("stall seconds=1").
local function client_of(fault, options)
  options = options or {}
  options.headers = fault and { ["X-Sandbox-Fault"] = fault } or nil
  options.max_connections = options.max_connections or 300
  return assert(batchapi.openai(options))
end


local function await(host, what, condition)
  local deadline = core.now() + 20
  while not condition() do
    if core.now() > deadline then
      error("it did not come to this: " .. what, 2)
    end
    host.sleep(0.005)
  end
end


-- Runs a function in another coroutine of the host; the record tells how it ended.
local function begin(host, f)
  local record = { over = false }
  host.spawn(function()
    record.co = coroutine.running()
    record.ok, record.value, record.why, record.err = pcall(f)
    record.over = true
  end)
  return record
end


local function under_way(client)
  local stats = client:stats()
  return stats.in_flight + stats.queued
end


local function is_idle(client)
  return function() return under_way(client) == 0 end
end


-- Runs a function in a child of fork, which is one more program with the same coroutine and ends at once:
-- true when it returned true.
local function in_child(host, f)
  local pid, pipe = processes.fork()
  if pid == 0 then
    local ok, value = pcall(f)
    if not ok then
      io.stderr:write(tostring(value), "\n")
    end
    processes.leave(pipe, tostring(ok and value == true))
  end
  local told
  local ended, why = pcall(await, host, "the child ends", function()
    told = processes.told(pid, pipe)
    return told ~= nil
  end)
  if not ended then
    processes.kill(pid)
    error(why, 0)
  end
  assert(told == "true", "the child failed: " .. told)
end


-- The next call works: nothing that went before holds the host up.
local function still_works(host)
  local client = client_of()
  local record = begin(host, function() return client:list_batches() end)
  await(host, "a later call ends", function() return record.over end)
  assert(record.ok and record.value, tostring(record.ok and record.why or record.value))
  assert(client:list_batches())
  client:close()
end


local function requests(count)
  local made = {}
  for i = 1, count do
    made[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } }
  end
  return made
end


-- ---- the list -----------------------------------------------------------------------------------


it("is recognised", function(host)
  assert(loop.host().name == host.name, "taken for " .. loop.host().name)
end)


it("makes one call after the other", function()
  local client = client_of()
  for _ = 1, 20 do
    assert(client:list_batches())
  end
  client:close()
end)


it("makes 200 calls at once", function(host)
  local client = client_of("stall seconds=0.3")
  local began, ended, failure = core.now(), 0, nil
  for _ = 1, 200 do
    host.spawn(function()
      local page, why = client:list_batches()
      failure = failure or (not page and why)
      ended = ended + 1
    end)
  end
  host.sleep(0.1)
  collectgarbage() -- nobody but the host keeps these coroutines
  collectgarbage()
  await(host, "all 200 end", function() return ended == 200 end)
  assert(not failure, failure)
  assert(core.now() - began < 10, "they did not run at the same time")
  client:close()
end)


it("goes on with its own work while a call waits", function(host)
  local client = client_of("stall seconds=0.5")
  local ticks, calls = 0, 0
  for _ = 1, 10 do
    begin(host, function()
      client:list_batches()
      calls = calls + 1
    end)
  end
  await(host, "the calls end", function()
    ticks = ticks + 1
    return calls == 10
  end)
  assert(ticks >= 10, ticks .. " turns")
  client:close()
end)


it("runs map and parallel", function()
  local client = client_of()
  local pages = assert(batchapi.map({ 1, 2, 3, 4, 5, 6 }, function(n)
    loop.sleep(0.01)
    return client:list_batches{ limit = n }
  end, { concurrency = 3 }))
  assert(#pages == 6)
  local a, b = batchapi.parallel(
    function() return client:list_batches() end,
    function() return batchapi.map({ 1, 2 }, function() return client:list_files() end) end)
  assert(a.data and #b == 2)
  client:close()
end)


it("sleeps", function()
  local began = core.now()
  assert(loop.sleep(0.05) == true)
  assert(core.now() - began >= 0.045)
end)


it("raises at the call what a hook raises, and goes on", function(host)
  local client = client_of(nil, { on_request = function() error("from the hook", 0) end })
  for _ = 1, 3 do
    local record = begin(host, function() return client:list_batches() end)
    await(host, "the call ends", function() return record.over end)
    assert(not record.ok and tostring(record.value):find("from the hook", 1, true), tostring(record.value))
  end
  await(host, "nothing is under way", is_idle(client))
  client:close()
  still_works(host)
end)


it("refuses a call that could not be waited for, before anything is sent", function(host)
  local client = client_of()
  local ok, why = pcall(string.gsub, "x", "x", function()
    assert(client:list_batches())
    return "called"
  end)
  if host.stackful then
    assert(ok and why == "called", tostring(why))
  else
    assert(not ok and tostring(why):find("nothing can wait here, so nothing was sent", 1, true), tostring(why))
    assert(tostring(why):find("behaviours.lua:%d+: "), tostring(why))
    assert(client:stats().requests == 0)
  end
  assert(client:list_batches())
  client:close()
  still_works(host)
end)


it("cancels another coroutine's call", function(host)
  local client = client_of("stall seconds=30")
  local record = begin(host, function() return client:list_batches() end)
  await(host, "the call is under way", function() return under_way(client) == 1 end)
  assert(batchapi.cancel(record.co))
  await(host, "the call ends", function() return record.over end)
  assert(record.ok and record.value == nil and record.err.kind == "cancelled", tostring(record.why))
  await(host, "nothing is under way", is_idle(client))
  client:close()
end)


it("cancels another coroutine's map", function(host)
  local client = client_of("stall seconds=30")
  local record = begin(host, function()
    return batchapi.map({ 1, 2, 3, 4 }, function() return client:list_batches() end)
  end)
  await(host, "the calls are under way", function() return under_way(client) == 4 end)
  assert(batchapi.cancel(record.co))
  await(host, "the map ends", function() return record.over end)
  assert(record.ok and record.err.kind == "cancelled" and #record.err.outcomes == 4)
  await(host, "nothing is under way", is_idle(client))
  client:close()
end)


it("ends the others when a function of a map raises, and tells what was done", function(host)
  local slow, quick = client_of("stall seconds=30"), client_of()
  local record = begin(host, function()
    return batchapi.map({ 1, 2, 3 }, function(n)
      if n == 1 then
        return quick:list_batches()
      elseif n == 2 then
        return slow:list_batches()
      end
      loop.sleep(0.2)
      error("from the function", 0)
    end)
  end)
  await(host, "the map ends", function() return record.over end)
  local err = record.value
  assert(not record.ok and tostring(err) == "from the function", tostring(err))
  assert(err.outcomes[1].ok and err.outcomes[1].value.data and not err.outcomes[2].ok)
  await(host, "nothing is under way", is_idle(slow))
  slow:close()
  quick:close()
  still_works(host)
end)


it("ends what waits when the client is closed", function(host)
  local client = client_of("stall seconds=30")
  local record = begin(host, function() return client:list_batches() end)
  await(host, "the call is under way", function() return under_way(client) == 1 end)
  client:close()
  await(host, "the call ends", function() return record.over end)
  assert(record.ok and record.value == nil and record.err.kind == "closed", tostring(record.why))
  still_works(host)
end)


it("lets go of the call of a coroutine that is closed while it waits", function(host)
  local client = client_of("stall seconds=30")
  local waiting, mapping
  waiting = coroutine.create(function() client:list_batches() end)
  mapping = coroutine.create(function()
    batchapi.map({ 1, 2 }, function() return client:list_batches() end)
  end)
  coroutine.resume(waiting)
  coroutine.resume(mapping)
  await(host, "the calls are under way", function() return under_way(client) == 3 end)
  assert(coroutine.close(waiting)) -- luacheck: ignore 143
  assert(coroutine.close(mapping)) -- luacheck: ignore 143
  await(host, "nothing is under way", is_idle(client))
  client:close()
  still_works(host)
end, "closes")


it("is not held up by a generator that was left suspended", function(host)
  local client = client_of("stall seconds=0.2")
  local generator = coroutine.wrap(function()
    client:list_batches()
    coroutine.yield(1)
  end)
  generator()
  still_works(host)
  await(host, "nothing is under way", is_idle(client))
  client:close()
end, "generators")


it("runs a job", function()
  local client = client_of()
  local job = assert(client:run(requests(120), {
    endpoint = "/v1/embeddings", max_requests_per_batch = 50, interval = 0.05,
  }))
  local count, results = 0, job:results()
  local result, why = results:next()
  while result do
    assert(result.ok, result.custom_id)
    count = count + 1
    result, why = results:next()
  end
  assert(count == 120, tostring(why or count))
  client:close()
end)


it("wakes who waits for a job that another coroutine closes", function(host)
  local client = client_of()
  local job = assert(client:run(requests(20), { endpoint = "/v1/embeddings", interval = 30 }))
  local record = begin(host, function() return job:wait() end)
  host.sleep(0.05)
  job:close()
  await(host, "the waiter comes back", function() return record.over end)
  assert(record.ok and record.value == nil and record.err.kind == "closed", tostring(record.why or record.value))
  client:close()
  still_works(host)
end)


it("gives each result once when a job is closed by another coroutine and run again", function(host)
  local client = client_of()
  local dir = os.tmpname()
  os.remove(dir)
  local options = { endpoint = "/v1/embeddings", dir = dir, interval = 0.05 }
  local job = assert(client:run(requests(600), options))
  local record = begin(host, function() return job:wait() end)
  host.sleep(0.2)
  job:close()
  local seen, count, results = {}, 0, assert(client:run(requests(600), options)):results()
  local result, why = results:next()
  while result do
    assert(not seen[result.custom_id], "twice: " .. result.custom_id)
    seen[result.custom_id] = true
    count = count + 1
    result, why = results:next()
  end
  assert(count == 600, tostring(why or count))
  await(host, "the waiter comes back", function() return record.over end)
  client:close()
  os.execute("rm -rf " .. dir)
end)


it("closes a job where nothing can yield, and lets go of its directory", function(host)
  local client = client_of()
  local dir = os.tmpname()
  os.remove(dir)
  local job = assert(client:run(requests(200), { endpoint = "/v1/embeddings", dir = dir, interval = 0.05 }))
  local results = job:results()
  assert(results:next())
  string.gsub("x", "x", function() job:close() end)
  local _, _, err = job:wait()
  assert(err.kind == "closed", err.kind)
  local count, again = 0, assert(batchapi.resume(dir, { client = client, interval = 0.05 })):results()
  while again:next() do
    count = count + 1
  end
  assert(count == 200, count .. " results")
  client:close()
  os.execute("rm -rf " .. dir)
  still_works(host)
end)


it("starts a call with a callback, and defers a function", function(host)
  local client = client_of()
  local page, seen
  assert(client:start("list_batches", function(value) page = value end))
  assert(batchapi.defer(function() seen = client:list_batches() end))
  await(host, "both are done", function() return page and seen end)
  client:close()
end)


it("makes calls in a child of fork while its own are in flight", function(host)
  local client = client_of("stall seconds=0.5")
  local record = begin(host, function() return client:list_batches() end)
  await(host, "the call is under way", function() return under_way(client) == 1 end)
  in_child(host, function()
    local own, inherited = client_of(nil, { host = "block" }), assert(client:with{ host = "block" })
    assert(own:list_batches())
    assert(inherited:list_batches()) -- the parent's connections and places are not its
    local a, b = batchapi.parallel({ host = "block" },
      function() return own:list_batches() end, function() return own:list_files() end)
    return a ~= nil and b ~= nil
  end)
  await(host, "the parent's call ends", function() return record.over end)
  assert(record.ok and record.value, tostring(record.why))
  client:close()
  still_works(host)
end, "forks")


it("keeps its job when a child of fork ends", function(host)
  local client = client_of()
  local dir = os.tmpname()
  os.remove(dir)
  local job = assert(client:run(requests(30), { endpoint = "/v1/embeddings", dir = dir, interval = 0.05 }))
  in_child(host, function()
    local own = client_of(nil, { host = "block" })
    local _, _, err = own:run(requests(30), { endpoint = "/v1/embeddings", dir = dir })
    assert(err.kind == "locked", err.message)
    job:close() -- the child's copy lets go of nothing of its parent's
    _, _, err = own:run(requests(30), { endpoint = "/v1/embeddings", dir = dir })
    assert(err.kind == "locked", err.message)
    return true
  end)
  local count, results = 0, job:results()
  while results:next() do
    count = count + 1
  end
  assert(count == 30, count .. " results")
  client:close()
  os.execute("rm -rf " .. dir)
end, "forks")


-- ---- running it ---------------------------------------------------------------------------------


local function report(out, status, name, why)
  out:write(status, "\t", name, "\t", (tostring(why or ""):gsub("%s+", " ")), "\n")
  out:flush()
end


--- Runs the list in the coroutine that calls, then leaves calls in flight and says that the process
--- ends now: it has to, and well.
return function(host)
  local out = assert(io.open(os.getenv("CONTRACT_OUT"), "a"))
  for _, one in ipairs(list) do
    if one.needs and not host[one.needs] then
      report(out, "skip", one.name, (host.lacks or {})[one.needs] or "the host has no " .. one.needs)
    else
      local ok, why = pcall(one.f, host)
      report(out, ok and "ok" or "fail", one.name, why)
    end
  end
  local client = client_of("stall seconds=30")
  for _ = 1, 5 do
    host.spawn(function() client:list_batches() end)
  end
  local ok, why = pcall(await, host, "the calls are under way", function() return under_way(client) == 5 end)
  report(out, ok and "end" or "fail", "ends with calls in flight", why)
  out:close()
end
