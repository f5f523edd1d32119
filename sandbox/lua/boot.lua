-- What nginx calls when it starts: once in the master, once in each worker.
local M = {}


function M.init(directory)
  M.directory = directory
  require("resty.core")
  collectgarbage("setpause", 120)
end


-- The port of one of the listeners named in listen.pl.
function M.port(name)
  for line in io.lines(M.directory .. "/ports") do
    local port = line:match("^" .. name .. " (%d+)$")
    if port then
      return port
    end
  end
end


function M.worker()
  local handle = assert(io.open(M.directory .. "/up", "w"))
  handle:close()
  require("engine").start()
end


return M
