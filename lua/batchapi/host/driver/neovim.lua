--- Neovim: the coroutine waits, the editor goes on (host/driver/uv.lua). The poll's callback runs where
--- `vim.api` is refused (a "fast event"), so coroutines are resumed through vim.schedule.

local driver = require("batchapi.host.driver.uv")

local vim = rawget(_G, "vim")

return driver.host("neovim", vim.loop, {
  hint = ": coroutine.wrap(function() … end)()", direct = false, later = vim.schedule,
})
