--- Begins the hosts of spec/hosts/programs and reads what they report: for the contract and the soak.
---
---   for _, host in ipairs(hosts.list(lua)) do … end      the hosts that this interpreter is to begin
---   hosts.missing(host)                                  why it cannot be begun, nil when it can
---   hosts.run(host, { list, patience, environment })     runs a list in it: { failures, skipped, notes,
---                                                        count, whole }, and what the process said

local core = require("batchapi.core")
local nginx = require("support.nginx")

local here = assert(io.popen("pwd")):read("*l")
local M = {}

local EXIT_PATIENCE = 10 -- seconds


local function shell(command, ...)
  local status = os.execute(command:format(...))
  return status == true or status == 0
end


local function read(path)
  local file = io.open(path, "r")
  local text = file and file:read("*a") or ""
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


-- The environment of a host's process: our Lua files, those of the specs, and the module of its build.
local function environment(host, options, out)
  return ("env %s HOSTS_LIST=%s CONTRACT_OUT=%s LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/spec/?.lua;;' "
    .. "LUA_CPATH='%s/%s/lib/?.so;;'"):format(options.environment or "", options.list, out, here, here, here, here,
    host.build)
end


local haproxy_conf = [[
global
  stats timeout 10s
  lua-load HERE/spec/hosts/programs/haproxy.lua
defaults
  timeout client 10s
  timeout server 10s
  timeout connect 10s
  mode http
frontend unused
  bind unix@DIRECTORY/sock
]]

local prosody_conf = [[
daemonize = false
run_as_root = true
pidfile = "DIRECTORY/prosody.pid"
data_path = "DIRECTORY"
plugin_paths = { "DIRECTORY" }
modules_enabled = { "contract" }
modules_disabled = { "s2s", "c2s", "http", "posix", "offline", "presence", "message", "iq" }
c2s_ports, s2s_ports, c2s_direct_tls_ports, s2s_direct_tls_ports = {}, {}, {}, {}
http_ports, https_ports = {}, {}
log = { { levels = { min = "error" }, to = "console" } }
gc = { mode = "incremental", threshold = 200, speed = 100 } -- as docs/hosts.md says
VirtualHost "localhost"
]]

local nginx_http = [[
  lua_package_path "HERE/lua/?.lua;HERE/lua/?/init.lua;HERE/spec/?.lua;;";
  lua_package_cpath "HERE/build-luajit/lib/?.so;;";
  lua_max_running_timers 1024;
  init_by_lua_block { batchapi = require("batchapi") }
  init_worker_by_lua_block {
    assert(batchapi.defer(function() require("hosts.programs.openresty")() end))
  }
  server { listen unix:SOCKET; location / { return 200; } }
]]


-- What is needed, and how a host is begun: a shell command that runs it, and how it is told to end (by
-- itself, if nothing is said).
local known = {
  { name = "luv", module = "luv" },
  { name = "cqueues", module = "cqueues" },
  { name = "copas", jit = true, module = "copas" },
  { name = "openresty", jit = true, program = "nginx", file = "/usr/lib/nginx/modules/ngx_http_lua_module.so" },
  { name = "tarantool", jit = true, program = "tarantool", command = "tarantool HERE/spec/hosts/programs/tarantool.lua" },
  { name = "neovim", jit = true, program = "nvim",
    command = "nvim --headless -u NONE -i NONE -n -c 'luafile HERE/spec/hosts/programs/neovim.lua'" },
  { name = "haproxy", jit = false, program = "haproxy", build = "build-5.3", conf = haproxy_conf,
    command = "haproxy -db -f DIRECTORY/conf.lua", signal = "TERM" },
  { name = "prosody", jit = false, program = "prosody", build = "build", conf = prosody_conf,
    module_file = "prosody.lua", command = "prosody --config DIRECTORY/conf.lua" },
}


--- The hosts that an interpreter begins: its own modules, and the programs of its kind.
---@param lua string "lua5.4" or "luajit"
---@return table[]
function M.list(lua)
  local on_jit, list = lua == "luajit", {}
  for _, host in ipairs(known) do
    if host.jit == nil or host.jit == on_jit then
      local one = { lua = lua, build = on_jit and "build-luajit" or "build" }
      for name, value in pairs(host) do
        one[name] = value
      end
      list[#list + 1] = one
    end
  end
  return list
end


--- Why a host cannot be begun here; nil when it can.
---@param host table
---@return string|nil
function M.missing(host)
  if host.program and not shell("PATH=$PATH:/usr/sbin command -v %s >/dev/null", host.program)
    or host.file and not shell("test -e %s", host.file) then
    return host.program .. " is not installed (tools/install-deps test)"
  elseif host.module and not shell("%s -e 'require(\"%s\")' 2>/dev/null", host.lua, host.module) then
    return ("%s has no module %s (tools/install-deps test)"):format(host.lua, host.module)
  elseif not shell("test -e %s/lib/batchapi/core.so", host.build) then
    return host.build .. " is missing (tools/build)"
  end
  return nil
end


local function prepare(host, directory)
  local function fill(text)
    return (text:gsub("HERE", here):gsub("DIRECTORY", directory))
  end
  if host.conf then
    write(directory .. "/conf.lua", fill(host.conf))
  end
  if host.module_file then
    assert(shell("cp %s/spec/hosts/programs/%s %s/mod_contract.lua", here, host.module_file, directory))
  end
  return fill(host.command or ("%s HERE/spec/hosts/programs/%s.lua"):format(host.lua, host.name))
end


local function new_directory()
  local directory = os.tmpname()
  os.remove(directory)
  assert(shell("mkdir -m 700 %s && mkfifo %s/out", directory, directory))
  return directory
end


-- The list as it is written into the pipe: failures, what was skipped, how many; the lines end with
-- "ends with calls in flight".
local function read_list(lines)
  local list = { failures = {}, skipped = {}, notes = {}, count = 0, whole = false }
  for line in lines do
    local status, name, why = line:match("^(%a+)\t([^\t]*)\t(.*)$")
    list.count = list.count + (status and 1 or 0)
    if status == "fail" then
      list.failures[#list.failures + 1] = name .. ": " .. why
    elseif status == "skip" then
      list.skipped[#list.skipped + 1] = ("%s (%s)"):format(name, why)
    elseif status == "note" then
      list.notes[#list.notes + 1] = name .. ": " .. why
    end
    list.pid = list.pid or line:match("^pid (%d+)$")
    list.status = list.status or line:match("^status (%d+)$")
    if status == "end" then
      list.whole = true
      break
    elseif list.status then
      break
    end
  end
  return list
end


-- Runs a host: its process number, the list and at last its status come through one pipe. When it ends
-- before it opens the list's pipe, that is opened and closed in its place.
local script = [[
(ENVIRONMENT PATH=$PATH:/usr/sbin timeout -k 5 PATIENCE sh -c 'echo "pid $$" >&3; exec COMMAND' \
  3>&1 >DIRECTORY/said 2>&1 </dev/null
echo "status $?"; : 1<>DIRECTORY/out) &
exec cat DIRECTORY/out
]]


local function start(host, options, directory)
  local text = script:gsub("%u%u%u%u+", {
    ENVIRONMENT = environment(host, options, directory .. "/out"),
    COMMAND = prepare(host, directory):gsub("'", "'\\''"), PATIENCE = options.patience, DIRECTORY = directory,
  })
  write(directory .. "/run", text)
  return assert(io.popen("sh " .. directory .. "/run"))
end


local function run_process(host, options, directory)
  local pipe = start(host, options, directory)
  local list = read_list(pipe:lines())
  if list.whole and host.signal then
    shell("kill -%s %s", host.signal, list.pid)
  end
  if list.whole and not shell("timeout %d tail --pid=%s -f /dev/null", EXIT_PATIENCE, list.pid) then
    shell("kill -KILL %s", list.pid)
    list.failures[#list.failures + 1] = "it did not end with calls in flight"
  end
  local status = list.status or pipe:read("*a"):match("status (%d+)")
  pipe:close()
  if list.whole and status ~= "0" and not (host.signal and (status == "143" or status == "124")) then
    list.failures[#list.failures + 1] = "it ended with status " .. tostring(status)
  end
  return list, read(directory .. "/said")
end


local function run_nginx(options, directory)
  local server = nginx.start{
    http = (nginx_http:gsub("HERE", here)), main = "env OPENAI_API_KEY;\nenv OPENAI_BASE_URL;\nenv CONTRACT_OUT;\n"
      .. "env HOSTS_LIST;\nenv SOAK_SECONDS;\nenv GAPS_REQUESTS;",
    env = ("CONTRACT_OUT=%s/out HOSTS_LIST=%s %s"):format(directory, options.list, options.environment or ""),
  }
  local pipe = assert(io.popen(("timeout %d cat %s/out"):format(options.patience, directory)))
  local list = read_list(pipe:lines())
  pipe:close()
  local began = core.now()
  local said = server:stop("TERM")
  if core.now() - began > EXIT_PATIENCE then
    list.failures[#list.failures + 1] = "it did not end with calls in flight"
  elseif said ~= "" then
    list.failures[#list.failures + 1] = "it has logged errors"
  end
  return list, said
end


--- Runs a list (a module of spec/hosts) in a host, and ends it.
---@param host table
---@param options { list: string, patience: number, environment: string|nil }
---@return table list
---@return string said
function M.run(host, options)
  local directory = new_directory()
  local list, said
  if host.name == "openresty" then
    list, said = run_nginx(options, directory)
  else
    list, said = run_process(host, options, directory)
  end
  if not list.whole then
    list.failures[#list.failures + 1] = "the list was not done"
  end
  shell("rm -rf %s", directory)
  return list, said
end


return M
