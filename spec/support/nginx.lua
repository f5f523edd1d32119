--- Starts an nginx for a spec: in a directory of its own, on unix sockets, so that no port is taken.
---
---     local server = nginx.start{ http = "server { listen unix:SOCKET; … }", workers = 1 }
---     … server.socket, server.directory …
---     server:stop()
---
--- SOCKET and DIRECTORY in the configuration stand for the server's own. It listens when start()
--- returns. stop() ends it and gives its error log, but for what is only told (notice, info).

local M = {}
M.__index = M


local function run(command)
  local status = os.execute(command)
  return status == true or status == 0
end


local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end


local function read(path)
  local file = io.open(path, "r")
  if not file then
    return ""
  end
  local text = file:read("*a")
  file:close()
  return text
end


local template = [[
%s
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon on;
worker_processes %d;
pid DIRECTORY/pid;
error_log DIRECTORY/error.log notice;
env LUA_PATH;
env LUA_CPATH;
env BATCHAPI_RUNTIME_DIR;
%s
events { worker_connections 2048; }
http {
  access_log off;
  client_body_temp_path DIRECTORY/body;
  proxy_temp_path DIRECTORY/proxy;
  fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi;
  scgi_temp_path DIRECTORY/scgi;
  client_max_body_size 1g;
  keepalive_requests 1000000;
%s
}
]]


---@param options { http?: string, workers?: integer, main?: string, conf?: string, env?: string, stop?: string }
---  conf: a whole configuration in place of http, workers and main; env: assignments for the shell;
---  stop: the signal that ends it unless stop() names another ("QUIT", which finishes requests)
function M.start(options)
  local directory = os.tmpname()
  os.remove(directory)
  assert(run("mkdir -m 700 " .. directory))
  local user = run("test $(id -u) = 0") and "user root;" or ""
  local self = setmetatable({
    directory = directory, socket = directory .. "/sock", stop_signal = options.stop or "QUIT",
  }, M)
  local text = options.conf and user .. "\n" .. options.conf
    or template:format(user, options.workers or 1, options.main or "", options.http)
  text = text:gsub("DIRECTORY", directory):gsub("SOCKET", self.socket)
  write(directory .. "/nginx.conf", text)
  local command = (options.env or "") .. " nginx -p " .. directory .. " -c " .. directory .. "/nginx.conf -e " .. directory
    .. "/error.log 2>" .. directory .. "/start.log"
  if not run(command) then
    error("nginx did not start: " .. read(directory .. "/start.log") .. self:log())
  end
  return self
end


function M:pid()
  return read(self.directory .. "/pid"):match("%d+")
end


function M:signal(name)
  return run("kill -" .. name .. " " .. self:pid() .. " 2>/dev/null")
end


--- Lines of the error log of level warn and above; with "notice", all.
function M:log(level)
  local lines = {}
  for line in read(self.directory .. "/error.log"):gmatch("[^\n]+") do
    if level == "notice" or not line:find("[notice]", 1, true) and not line:find("[info]", 1, true) then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end


--- Waits, at most `seconds`, until the process and its workers are gone; true if they are. One that has
--- ended counts as gone also while nobody has asked for its status: in a container that can take seconds.
function M.gone(_, pid, seconds)
  return run(("timeout %g sh -c 'while grep -q \"^State:.[^Z]\" /proc/%s/status 2>/dev/null; do sleep 0.02; done'")
    :format(seconds, pid))
end


---@param signal? string "QUIT" or "TERM"; default as start() was told
---@return string log
function M:stop(signal)
  signal = signal or self.stop_signal
  local pid = self:pid()
  if pid and self:signal(signal) and not self:gone(pid, 10) then
    run("pkill -KILL -P " .. pid)
    run("kill -KILL " .. pid)
    error("nginx did not stop on " .. signal)
  end
  local log = self:log()
  run("rm -rf " .. self.directory)
  return log
end


return M
