-- Prosody: a list (behaviours, soak) in a runner, begun by a module of its own (mod_contract.lua is this file).
local async = require("util.async")
local prosody = rawget(_G, "prosody")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))
local timer = require("util.timer")


local function spawn(f)
  timer.add_task(0, function()
    async.runner(function() f() end):run(true)
  end)
end


spawn(function()
  run{
    name = "prosody", spawn = spawn, sleep = async.sleep, closes = false, generators = false, forks = true,
    lacks = {
      closes = "a runner's coroutine is Prosody's own",
      generators = "a runner waits only in its own coroutine",
    },
  }
  timer.add_task(0, function() prosody.shutdown("the list is done") end)
end)
