-- copas: a list (behaviours, soak) in one of its threads.
local copas = require("copas")
local loop = require("batchapi.host")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

local over = false

copas.addthread(function()
  run{
    name = "copas", generators = false, forks = true,
    spawn = function(f) copas.addthread(f) end,
    sleep = function(seconds) loop.sleep(seconds) end, -- copas 1.1.7 has none of its own
    lacks = { closes = "this Lua has no coroutine.close", generators = "copas runs only its own threads" },
  }
  over = true
end)

while not over do
  copas.step()
end
