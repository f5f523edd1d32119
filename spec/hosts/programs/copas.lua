-- copas: a list (behaviours, soak) in one of its threads.
local copas = require("copas")
local ffi = require("ffi")
local loop = require("batchapi.host")
local run = require("hosts." .. os.getenv("HOSTS_LIST"))

local over = false

ffi.cdef("int fork(void); int waitpid(int, int *, int); void _exit(int);")


-- The child is one more program with the same coroutine, and nothing else: it ends at once.
local function fork(f)
  local pid = ffi.C.fork()
  if pid == 0 then
    local ok, value = pcall(f)
    ffi.C._exit(ok and value and 0 or 1)
  end
  local status = ffi.new("int[1]", 1)
  repeat
    loop.sleep(0.01)
  until ffi.C.waitpid(pid, status, 1) ~= 0
  return status[0] == 0
end


copas.addthread(function()
  run{
    name = "copas", generators = false, fork = fork,
    spawn = function(f) copas.addthread(f) end,
    sleep = function(seconds) loop.sleep(seconds) end, -- copas 1.1.7 has none of its own
    lacks = { closes = "this Lua has no coroutine.close", generators = "copas runs only its own threads" },
  }
  over = true
end)

while not over do
  copas.step()
end
