--- luv: the coroutine waits, the loop goes on (host/driver/uv.lua).

local uv = require("luv")
local driver = require("batchapi.host.driver.uv")

local soon -- timer that resumes those who were woken outside of the loop's own callback

return driver.host("luv", uv, {
  hint = "", direct = true,
  later = function(turn)
    soon = soon or uv.new_timer()
    soon:start(0, 0, turn)
  end,
})
