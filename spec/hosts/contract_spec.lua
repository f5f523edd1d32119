-- runs on: lua5.4 luajit
-- Every host keeps the same contract: the list of behaviours (hosts/behaviours.lua) is run inside each
-- that is installed. What a host cannot do is skipped by name.

local core = require("batchapi.core")
local nginx = require("support.nginx")

local here = assert(io.popen("pwd")):read("*l")
local lua = os.getenv("BATCHAPI_LUA") or "lua5.4"
local on_jit = lua == "luajit"

local PATIENCE, EXIT_PATIENCE = 150, 10 -- seconds


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
local function environment(build, out)
  return ("env CONTRACT_OUT=%s LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/spec/?.lua;;' LUA_CPATH='%s/%s/lib/?.so;;'")
    :format(out, here, here, here, here, build)
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
local hosts = {
  { name = "luv", module = "luv" },
  { name = "cqueues", module = "cqueues" },
  { name = "copas", jit = true, module = "copas" },
  { name = "tarantool", jit = true, program = "tarantool", command = "tarantool HERE/spec/hosts/programs/tarantool.lua" },
  { name = "neovim", jit = true, program = "nvim",
    command = "nvim --headless -u NONE -i NONE -n -c 'luafile HERE/spec/hosts/programs/neovim.lua'" },
  { name = "haproxy", jit = false, program = "haproxy", build = "build-5.3", conf = haproxy_conf,
    command = "haproxy -db -f DIRECTORY/conf.lua", signal = "TERM" },
  { name = "prosody", jit = false, program = "prosody", build = "build", conf = prosody_conf,
    module_file = "prosody.lua", command = "prosody --config DIRECTORY/conf.lua" },
}


local function missing(host)
  local build = host.build or on_jit and "build-luajit" or "build"
  if host.program and not shell("PATH=$PATH:/usr/sbin command -v %s >/dev/null", host.program) then
    return host.program .. " is not installed (tools/install-deps test)"
  elseif host.module and not shell("%s -e 'require(\"%s\")' 2>/dev/null", lua, host.module) then
    return ("%s has no module %s (tools/install-deps test)"):format(lua, host.module)
  elseif not shell("test -e %s/lib/batchapi/core.so", build) then
    return build .. " is missing (tools/build)"
  end
  return nil, build
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
  return fill(host.command or ("%s HERE/spec/hosts/programs/%s.lua"):format(lua, host.name))
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
  local list = { failures = {}, skipped = {}, count = 0, whole = false }
  for line in lines do
    local status, name, why = line:match("^(%a+)\t([^\t]*)\t(.*)$")
    list.count = list.count + (status and 1 or 0)
    if status == "fail" then
      list.failures[#list.failures + 1] = name .. ": " .. why
    elseif status == "skip" then
      list.skipped[#list.skipped + 1] = ("%s (%s)"):format(name, why)
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


local function start(host, build, directory)
  local text = script:gsub("%u%u%u%u+", {
    ENVIRONMENT = environment(build, directory .. "/out"), COMMAND = prepare(host, directory):gsub("'", "'\\''"),
    PATIENCE = PATIENCE, DIRECTORY = directory,
  })
  write(directory .. "/run", text)
  return assert(io.popen("sh " .. directory .. "/run"))
end


-- Runs the list in a host: the list, and what the process said.
local function run(host, build)
  local directory = new_directory()
  local pipe = start(host, build, directory)
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
  if not list.whole then
    list.failures[#list.failures + 1] = "the list was not done"
  elseif status ~= "0" and not (host.signal and (status == "143" or status == "124")) then
    list.failures[#list.failures + 1] = "it ended with status " .. tostring(status)
  end
  local said = read(directory .. "/said")
  shell("rm -rf %s", directory)
  return list, said
end


describe("the contract of hosts:", function()
  for _, host in ipairs(hosts) do
    if host.jit == nil or host.jit == on_jit then
      it(host.name .. " keeps it", function()
        local reason, build = missing(host)
        if reason then
          return pending(reason)
        end
        local list, said = run(host, build)
        print(("%s (%s): skipped: %s"):format(host.name, lua, table.concat(list.skipped, "; ")))
        assert.equal("", table.concat(list.failures, "\n") .. (#list.failures > 0 and "\n" .. said or ""))
        assert.is_true(list.count > 15, said)
      end)
    end
  end

  if on_jit then
    it("openresty keeps it", function()
      local directory = new_directory()
      local server = nginx.start{
        http = (nginx_http:gsub("HERE", here)), env = "CONTRACT_OUT=" .. directory .. "/out",
        main = "env CONTRACT_OUT;\nenv OPENAI_API_KEY;\nenv OPENAI_BASE_URL;", stop = "QUIT",
      }
      local pipe = assert(io.popen(("timeout %d cat %s/out"):format(PATIENCE, directory)))
      local list = read_list(pipe:lines())
      pipe:close()
      print("openresty (luajit): skipped: " .. table.concat(list.skipped, "; "))
      local began = core.now()
      local log = server:stop("TERM")
      assert.is_true(core.now() - began < EXIT_PATIENCE)
      assert.equal("", table.concat(list.failures, "\n"))
      assert.equal("", log)
      assert.is_true(list.whole and list.count > 15)
      shell("rm -rf %s", directory)
    end)
  end
end)
