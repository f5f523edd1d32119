-- nginx: the list of behaviours in a timer of a worker.
local ngx = rawget(_G, "ngx")
local run = require("hosts.behaviours")

return function()
  run{
    name = "openresty", sleep = ngx.sleep, generators = true,
    spawn = function(f) ngx.thread.spawn(f) end,
    lacks = { closes = "this Lua has no coroutine.close", fork = "a worker is a child of fork itself" },
  }
end
