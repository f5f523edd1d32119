--- A soak, run inside a host like the list of behaviours: for $SOAK_SECONDS, rounds of calls, maps, jobs and
--- aborts. Then memory and descriptors must be what they were after the first rounds.

local batchapi = require("batchapi")
local core = require("batchapi.core")

local FIRST_ROUNDS = 8 -- until every pool and cache has its size
local LEAST_ROUNDS = 24
-- What may come on top: KiB of Lua, at all and for each round (one of 60 coroutines that is kept is more), KiB
-- of the process, descriptors.
local MORE_LUA, MORE_IN_ROUND, MORE_MEMORY, MORE_DESCRIPTORS = 384, 10, 8192, 3
local MOST_SOCKETS = 120 -- idle connections are kept: twice as many as there are calls at once


local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end


-- Kibibytes of Lua and of the process, open descriptors but for sockets, and sockets.
local function measure()
  for _ = 1, 3 do
    collectgarbage()
  end
  local descriptors, sockets = 0, 0
  local pipe = assert(io.popen(("ls -l /proc/%d/fd"):format(core.pid())))
  for target in pipe:read("*a"):gmatch("%-> ([^\n]*)") do
    if target:find("^socket:") then
      sockets = sockets + 1
    else
      descriptors = descriptors + 1
    end
  end
  pipe:close()
  return { lua = math.floor(collectgarbage("count")), memory = tonumber(read("/proc/self/status"):match("VmRSS:%s+(%d+)")),
    descriptors = descriptors, sockets = sockets }
end


local function await(host, what, condition)
  local deadline = core.now() + 30
  while not condition() do
    if core.now() > deadline then
      error("it did not come to this: " .. what, 2)
    end
    host.sleep(0.005)
  end
end


local function calls(host, quick, slow)
  local ended, waiting = 0, {}
  for i = 1, 60 do
    host.spawn(function()
      local client = i % 4 == 0 and slow or quick
      waiting[i] = client == slow and coroutine.running() or nil
      client:list_batches()
      waiting[i] = nil
      ended = ended + 1
    end)
  end
  host.sleep(0.05)
  for _, co in pairs(waiting) do
    batchapi.cancel(co)
  end
  await(host, "the calls end", function() return ended == 60 end)
end


local function map_that_fails(quick, slow)
  pcall(batchapi.map, { 1, 2, 3, 4, 5, 6 }, function(n)
    if n == 6 then
      error("on purpose", 0)
    end
    return (n % 2 == 0 and slow or quick):list_batches()
  end)
end


local function close_while_waiting(host)
  local client = assert(batchapi.openai{ headers = { ["X-Sandbox-Fault"] = "stall seconds=30" } })
  local ended = 0
  for _ = 1, 5 do
    host.spawn(function()
      client:list_batches()
      ended = ended + 1
    end)
  end
  await(host, "the calls begin", function() return client:stats().in_flight == 5 end)
  client:close()
  await(host, "the calls end", function() return ended == 5 end)
end


local function job(client)
  local requests = {}
  for i = 1, 100 do
    requests[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } }
  end
  local run = assert(client:run(requests, { endpoint = "/v1/embeddings", max_requests_per_batch = 40, interval = 0.05 }))
  local count, results = 0, run:results()
  while results:next() do
    count = count + 1
  end
  assert(count == 100, count .. " results")
  run:close()
end


local function check(first, last, rounds)
  local function one(name, more)
    local grown = last[name] - first[name]
    assert(grown <= more, ("%s grew from %d to %d"):format(name, first[name], last[name]))
  end
  one("lua", MORE_LUA + MORE_IN_ROUND * rounds)
  one("memory", MORE_MEMORY)
  one("descriptors", MORE_DESCRIPTORS)
  assert(last.sockets <= MOST_SOCKETS, last.sockets .. " sockets")
end


local function soak(host, note)
  local quick = assert(batchapi.openai())
  local slow = assert(batchapi.openai{ headers = { ["X-Sandbox-Fault"] = "stall seconds=30" } })
  local stop_at = core.now() + tonumber(os.getenv("SOAK_SECONDS"))
  local rounds, first = 0, nil
  repeat
    calls(host, quick, slow)
    map_that_fails(quick, slow)
    close_while_waiting(host)
    job(quick)
    rounds = rounds + 1
    if rounds == FIRST_ROUNDS then
      first = measure()
    end
  until rounds >= LEAST_ROUNDS and core.now() >= stop_at
  await(host, "nothing is under way", function() return slow:stats().in_flight + slow:stats().queued == 0 end)
  local last = measure()
  note(("%d rounds; Lua %d to %d KiB, memory %d to %d KiB, descriptors %d to %d, sockets %d"):format(rounds,
    first.lua, last.lua, first.memory, last.memory, first.descriptors, last.descriptors, last.sockets))
  check(first, last, rounds - FIRST_ROUNDS)
end


--- Runs the soak in the coroutine that calls.
return function(host)
  local out = assert(io.open(os.getenv("CONTRACT_OUT"), "a"))
  local ok, why = pcall(soak, host, function(text)
    out:write("note\tsoak\t", text, "\n")
  end)
  out:write(ok and "ok" or "fail", "\tsoak\t", (tostring(why or ""):gsub("%s+", " ")), "\n")
  out:write("end\tthe soak\t\n")
  out:close()
end
