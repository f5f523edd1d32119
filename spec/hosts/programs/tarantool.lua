-- Tarantool: a list (behaviours, soak) in a fiber.
local fiber = require("fiber")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

run{
  name = "tarantool", stackful = true, spawn = fiber.new, sleep = fiber.sleep, generators = true, forks = true,
  lacks = { closes = "this Lua has no coroutine.close" },
}
os.exit(0)
