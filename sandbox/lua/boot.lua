-- What nginx calls when it starts: once in the master, once in each worker.
local M = {}


function M.init(directory)
  M.directory = directory
  require("resty.core")
  collectgarbage("setpause", 120)
end


function M.worker()
  local handle = assert(io.open(M.directory .. "/up", "w"))
  handle:close()
  require("engine").start()
end


return M
