-- Tarantool: the list of behaviours in a fiber.
local fiber = require("fiber")
local run = require("hosts.behaviours")

run{
  name = "tarantool", stackful = true, spawn = fiber.new, sleep = fiber.sleep, generators = true,
  lacks = { closes = "this Lua has no coroutine.close" },
}
os.exit(0)
