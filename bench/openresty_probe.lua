-- Asks a path of the application at a steady rate over one kept connection, and prints the median
-- and the 99th percentile of the latency in milliseconds, counted from when each request was due,
-- and the longest. It ends after so many seconds, or as soon as the file is there.
--
--   openresty_probe.lua PORT SECONDS RATE PATH [FILE]
local socket = require("socket")

local port, seconds, rate, path, stop = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3]), arg[4], arg[5]
local connection = assert(socket.connect("127.0.0.1", port))
connection:setoption("tcp-nodelay", true)
local request = "GET " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


local function answer()
  local length = 0
  repeat
    local line = assert(connection:receive("*l"))
    length = tonumber(line:lower():match("^content%-length: (%d+)")) or length
  until line == ""
  assert(connection:receive(length))
end


local function is_over(i)
  local file = stop and i % 100 == 0 and io.open(stop)
  return file and file:close()
end


local latencies = {}
local begin = socket.gettime()
for i = 1, math.floor(seconds * rate) do
  local due = begin + i / rate
  local early = due - socket.gettime()
  if early > 0 then
    socket.sleep(early)
    due = socket.gettime() -- the sleep's own lateness is not the server's
  end
  connection:send(request)
  answer()
  latencies[i] = (socket.gettime() - due) * 1000
  if is_over(i) then
    break
  end
end
table.sort(latencies)
local count = #latencies
print(("%.3f %.3f %.3f"):format(latencies[math.ceil(count * 0.5)], latencies[math.ceil(count * 0.99)], latencies[count]))
