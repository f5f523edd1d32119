-- cqueues: a list (behaviours, soak) in a coroutine of a controller.
local cqueues = require("cqueues")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

local controller = cqueues.new()
local over = false

controller:wrap(function()
  run{
    name = "cqueues", sleep = cqueues.sleep, generators = true, forks = true,
    spawn = function(f) controller:wrap(f) end,
    lacks = { closes = "a controller raises when one of its coroutines is dead" },
  }
  over = true
end)

while not over do
  assert(controller:step())
end
