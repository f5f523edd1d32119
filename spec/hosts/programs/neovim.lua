-- Neovim: a list (behaviours, soak) in a coroutine of the editor's.
local vim = rawget(_G, "vim")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))


local function sleep(seconds)
  local co = coroutine.running()
  vim.defer_fn(function()
    assert(coroutine.resume(co))
  end, math.ceil(seconds * 1000))
  coroutine.yield()
end


coroutine.wrap(function()
  run{
    name = "neovim", sleep = sleep, generators = true, forks = true,
    spawn = function(f)
      vim.schedule(function() coroutine.wrap(f)() end)
    end,
    lacks = { closes = "this Lua has no coroutine.close" },
  }
  vim.cmd("qa!")
end)()
