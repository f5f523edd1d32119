-- HAProxy: a list (behaviours, soak) in a task. It says that it has ended; HAProxy is told to stop then.
local haproxy = rawget(_G, "core")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

haproxy.register_task(function()
  run{
    name = "haproxy", generators = false, forks = true,
    spawn = haproxy.register_task,
    sleep = function(seconds) haproxy.msleep(math.max(1, math.ceil(seconds * 1000))) end,
    lacks = { closes = "this Lua has no coroutine.close", generators = "HAProxy runs only its own coroutines" },
  }
end)
