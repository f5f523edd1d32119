-- nginx: a list (behaviours, soak) in a timer of a worker.
local ngx = rawget(_G, "ngx")
local openresty = require("batchapi.host.driver.openresty")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

return function()
  run{
    name = "openresty", sleep = ngx.sleep, generators = true,
    spawn = function(f) openresty:spawn(f) end, -- nginx keeps light threads that nobody waits for
    lacks = {
      closes = "this Lua has no coroutine.close",
      forks = "a worker is a child of fork itself, and its own children have no event loop",
    },
  }
end
