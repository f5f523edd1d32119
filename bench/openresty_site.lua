-- The two nginx of bench/openresty: the upstream, and the application with one worker.

local serve = require("serve")

local M = {}

local PREAMBLE = [[
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
worker_processes 1;
worker_rlimit_nofile 16384;
pid $dir/$name.pid;
error_log $dir/$name.log warn;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path $dir/body;
  proxy_temp_path $dir/proxy;
  fastcgi_temp_path $dir/fastcgi;
  uwsgi_temp_path $dir/uwsgi;
  scgi_temp_path $dir/scgi;
]]

local UPSTREAM = PREAMBLE .. [[
  default_type application/json;
  ssl_certificate $dir/cert.pem;
  ssl_certificate_key $dir/key.pem;
  ssl_session_tickets off;
  ssl_session_cache off;
  init_by_lua_block {
    local file = io.open("$dir/answer.json")
    answer = file:read("*a")
    file:close()
    function send(seconds)
      if seconds then ngx.sleep(seconds) end
      ngx.header["Content-Length"] = #answer
      ngx.print(answer)
    end
  }
  server {
    listen 127.0.0.1:$plain backlog=4096;
    location = /now { content_by_lua_block { send() } }
    location = /20ms { content_by_lua_block { send(0.02) } }
    location = /2s { content_by_lua_block { send(2) } }
    location = /10s { content_by_lua_block { send(10) } }
  }
  server {
    listen 127.0.0.1:$tls ssl backlog=4096;
    keepalive_timeout 0;
    location = /now { content_by_lua_block { send() } }
  }
}
]]

local APPLICATION = PREAMBLE .. [=[
  lua_package_path "$here/lua/?.lua;$here/lua/?/init.lua;$here/bench/?.lua;;";
  lua_package_cpath "$here/build-luajit/lib/?.so;;";
  lua_socket_pool_size 512;
  lua_ssl_trusted_certificate $dir/cert.pem;
  init_by_lua_block {
    cjson = require("cjson")
    http = require("socket.http")
    local batchapi = require("batchapi")
    require("batchapi.host.driver.openresty").way = "$way"
    local function client(base_url)
      return assert(batchapi.client({
        name = "bench", base_url = base_url, auth = "none",
        operations = { { name = "ask", method = "GET", path = "/now" } },
      }, { ca_file = "$dir/cert.pem", max_connections = 512, http_version = "1.1" }))
    end
    local plain, tls = client("http://127.0.0.1:$plain"), client("https://127.0.0.1:$tls")
    local function through_batchapi(path)
      local answer, why
      if path == "tls" then
        answer, why = tls:request{ method = "GET", path = "/now" }
      else
        answer, why = plain:request{ method = "GET", path = "/" .. path }
      end
      return assert(answer, why).usage.total_tokens
    end
    local headers = "Host: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
    local function through_cosocket(path)
      local cosocket = require("cosocket_client")
      local options = { host = "127.0.0.1", port = $plain, path = "/" .. path, headers = headers }
      if path == "tls" then
        options.port, options.path, options.tls, options.verify, options.keep = $tls, "/now", "127.0.0.1", true, false
      end
      local response = assert(cosocket.request(options))
      return cjson.decode(response.body).usage.total_tokens
    end
    local function blocking(path)
      return cjson.decode((http.request("http://127.0.0.1:$plain/" .. path))).usage.total_tokens
    end
    ways = { batchapi = through_batchapi, socket = through_batchapi, cosocket = through_cosocket, blocking = blocking }
  }
  server {
    listen 127.0.0.1:$port backlog=4096;
    location = /plain { return 200 "plain"; }
    location = /collect { content_by_lua_block { collectgarbage() collectgarbage() ngx.print("ok") } }
    location ~ ^/(\w+)/(\w+)$ {
      content_by_lua_block { ngx.say(ways[ngx.var[1]](ngx.var[2])) }
    }
  }
}
]=]


local function read(path)
  local file = io.open(path, "r")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end


local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end


local function shell(command)
  local pipe = assert(io.popen(command))
  local line = pipe:read("l")
  pipe:close()
  return line
end


local function nginx(values, name, configuration)
  local path = values.dir .. "/" .. name .. ".conf"
  values.name = name
  write(path, (configuration:gsub("%$(%l+)", function(key)
    return values[key] and tostring(values[key])
  end)))
  return ("nginx -p %s -c %s -e %s/%s.log"):format(values.dir, path, values.dir, name)
end


-- user and system seconds of a /proc stat file
local function times(path)
  local fields = read(path):match("%) (.*)")
  local utime, stime = fields:match("^%S+" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  return (utime + stime) / 100
end


local function wakeups(pid)
  local sum = 0
  for task in io.popen("ls /proc/" .. pid .. "/task"):lines() do
    local status = read(("/proc/%s/task/%s/status"):format(pid, task))
    sum = sum + status:match("\nvoluntary_ctxt_switches:%s+(%d+)")
  end
  return sum
end


-- One application: its address, and what its worker costs.
local function application(directory, name, port)
  local worker = shell("pgrep -P " .. read(directory .. "/" .. name .. ".pid"))
  local main = ("/proc/%s/task/%s/stat"):format(worker, worker)
  return {
    port = port,
    base = "http://127.0.0.1:" .. port,
    cpu = function()
      return { all = times("/proc/" .. worker .. "/stat"), main = times(main) }
    end,
    quiet = function(seconds)
      local cpu, woken = times("/proc/" .. worker .. "/stat"), wakeups(worker)
      os.execute("sleep " .. seconds)
      return {
        cpu = (times("/proc/" .. worker .. "/stat") - cpu) / seconds,
        wakeups = (wakeups(worker) - woken) / seconds,
      }
    end,
  }
end


--- Starts the upstream and two applications, one for each of batchapi's ways of waiting.
-- @return table with upstream (address), event and socket (applications), log() and stop()
function M.start()
  local directory = shell("mktemp -d /tmp/batchapi-bench.XXXXXX")
  assert(os.execute("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1"
    .. " -addext subjectAltName=IP:127.0.0.1,DNS:127.0.0.1 -keyout " .. directory .. "/key.pem -out " .. directory
    .. "/cert.pem 2>/dev/null && chmod 755 " .. directory))
  write(directory .. "/answer.json", serve.ANSWER)
  math.randomseed(os.time(), tonumber(tostring({}):match("0x(%x+)"), 16))
  local values = { dir = directory, here = shell("pwd") }
  local stops = {}
  local function start(name, configuration, ports)
    for _ = 1, 50 do
      local first = math.random(20000, 30000)
      for i, port in ipairs(ports) do
        values[port] = first + i - 1
      end
      local command = nginx(values, name, configuration)
      if os.execute(command .. " 2>/dev/null") then
        stops[#stops + 1] = command .. " -s stop 2>/dev/null"
        return
      end
      if not read(directory .. "/" .. name .. ".log"):find("Address already in use", 1, true) then
        break
      end
    end
    for _, command in ipairs(stops) do
      os.execute(command)
    end
    error("nginx cannot be started: " .. read(directory .. "/" .. name .. ".log"):sub(1, 2000))
  end
  start("upstream", UPSTREAM, { "plain", "tls" })
  local site = { upstream = "http://127.0.0.1:" .. values.plain }
  for _, way in ipairs{ "event", "socket" } do
    values.way = way
    start(way, APPLICATION, { "port" })
    site[way] = application(directory, way, values.port)
  end
  site.log = function()
    return read(directory .. "/event.log") .. read(directory .. "/socket.log") .. read(directory .. "/upstream.log")
  end
  site.stop = function()
    for _, command in ipairs(stops) do
      os.execute(command)
    end
    os.execute("rm -rf " .. directory)
  end
  return site
end


return M
