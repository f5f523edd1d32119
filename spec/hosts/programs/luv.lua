-- luv: a list (behaviours, soak) in a coroutine of its loop.
local uv = require("luv")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))


local function spawn(f)
  local timer = uv.new_timer()
  timer:start(0, 0, function()
    timer:close()
    coroutine.wrap(f)()
  end)
end


local function sleep(seconds)
  local co, timer = coroutine.running(), uv.new_timer()
  timer:start(math.ceil(seconds * 1000), 0, function()
    timer:close()
    assert(coroutine.resume(co))
  end)
  coroutine.yield()
end


coroutine.wrap(function()
  run{
    name = "luv", spawn = spawn, sleep = sleep, closes = rawget(coroutine, "close") and not rawget(_G, "jit"),
    generators = true, forks = true, lacks = { closes = "this Lua has no coroutine.close" },
  }
  uv.stop()
end)()
uv.run()
