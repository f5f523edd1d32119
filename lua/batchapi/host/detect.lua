--- Which host a coroutine waits in.
---
--- `host = "auto"` is resolved by these rules, the first that holds:
---   1. the coroutine was made by batchapi.parallel or batchapi.map, or is one of a job's
---   2. openresty   there is a global `ngx` with `get_phase`
---   3. haproxy     there is a global `core` with `register_task` and `msleep`, and the call is made
---                  inside a coroutine (a task, an action, a service)
---   4. tarantool   there are a global `box` and a global `_TARANTOOL`
---   5. prosody     there is a global `prosody` with `events`
---   6. neovim      there is a global `vim` with `schedule`, and the call is made inside a coroutine
---   7. cqueues     `cqueues` is loaded and `cqueues.running()` gives a controller
---   8. copas, luv  the module is loaded and the call is made inside a coroutine; if both are, luv
---                  when its loop runs (`uv.loop_mode()`), else copas
---   9. block       everywhere else
---
--- The first rule holds for named hosts too: a task of ours waits as its owner does.

local custom = require("batchapi.host.driver.custom")
local errors = require("batchapi.util.errors")

local M = {}

local running = coroutine.running
local global = _G

--- What `host` may name.
M.names = { "auto", "block", "openresty", "cqueues", "luv", "copas", "haproxy", "tarantool", "prosody", "neovim" }

--- The option `host`, of whoever may wait.
M.option = { name = "host", kind = { "string", "table" }, one_of = M.names, check = custom.check, where = "client",
  default = "auto", help = "how calls wait; a table is an event loop of your own" }

local known = {}
for _, name in ipairs(M.names) do
  known[name] = name ~= "auto"
end

local loaded_hosts = {} -- by name
local schedulers = setmetatable({}, { __mode = "kv" }) -- coroutine -> the scheduler that runs it


--- The coroutine that runs, nil in the main one.
---@return thread|nil
function M.coroutine()
  local co, main = running()
  if main then
    return nil
  end
  return co
end


--- Tells which scheduler runs a coroutine (batchapi.loop.scheduler).
---@param co thread
---@param scheduler table
function M.adopt(co, scheduler)
  schedulers[co] = scheduler
end


local function load(name)
  local host = loaded_hosts[name]
  if not host then
    host = require("batchapi.host.driver." .. name)
    loaded_hosts[name] = host
  end
  return host
end


-- ---- by what is there ---------------------------------------------------------------------------


local function has(name, field, other)
  local value = rawget(global, name)
  return type(value) == "table" and value[field] ~= nil and (not other or value[other] ~= nil)
end


-- The program that Lua runs in, which does not change: its name, and whether a call outside of any
-- coroutine is one of its too.
local program, everywhere
if has("core", "register_task", "msleep") then
  program = "haproxy"
elseif rawget(global, "box") ~= nil and rawget(global, "_TARANTOOL") ~= nil then
  program, everywhere = "tarantool", true
elseif has("prosody", "events") then
  program, everywhere = "prosody", true
elseif has("vim", "schedule") then
  program = "neovim"
end


local warned = false

-- A coroutine that none of the rules knows is often one of a loop that is about to be blocked.
local function warn_once()
  if warned then
    return
  end
  warned = true
  io.stderr:write("batchapi: this coroutine belongs to no event loop that is known, so its calls block the whole ",
    "process; give host = { waiter = … } (docs/hosts.md, \"Your own event loop\"), or host = \"block\" if that is meant\n")
end


local function recognise()
  local co, main = running()
  local scheduler = schedulers[co]
  if scheduler then
    return scheduler
  end
  local ngx = rawget(global, "ngx")
  if type(ngx) == "table" and ngx.get_phase then
    return load("openresty")
  end
  local inside = co and not main
  if program and (inside or everywhere) then
    return load(program)
  end
  local loaded = package.loaded
  if loaded.cqueues and loaded.cqueues.running() then
    return load("cqueues")
  end
  if not inside then
    return load("block")
  end
  if loaded.copas or loaded.luv then
    local in_luv = loaded.luv and (not loaded.copas or loaded.luv.loop_mode())
    return load(in_luv and "luv" or "copas")
  end
  warn_once()
  return load("block")
end


local function named(name)
  if not known[name] then
    errors.misuse("unknown host '%s': it is one of %s, or a table of your own", tostring(name),
      table.concat(M.names, ", "))
  end
  local ok, host = pcall(load, name) -- loading a module waits for nothing
  if not ok then
    errors.misuse("host '%s' cannot be used here: %s", name, tostring(host):match("^[^\n]*"))
  end
  return host
end


--- The host that this coroutine waits in.
---@param given string|table|nil "auto" (default), a host's name, a table of the user's own (see
---  batchapi.loop.custom), or a host already resolved
---@return table
function M.host(given)
  if given == nil or given == "auto" then
    return recognise()
  end
  local scheduler = schedulers[running()]
  if scheduler then
    return scheduler
  elseif type(given) ~= "table" then
    return named(given)
  elseif given.yields ~= nil then
    return given
  end
  return load("custom").of(given)
end


--- The host that runs what is begun beside the code that calls, in or outside of a coroutine: one whose
--- loop is there, though this code may not be able to wait in it.
---@param given string|table|nil as `host` takes it
---@return table
function M.around(given)
  local host = schedulers[running()]
  if host then
    while host.outer do
      host = host.outer
    end
    return host
  elseif given ~= nil and given ~= "auto" then
    return M.host(given)
  end
  local ngx, loaded = rawget(global, "ngx"), package.loaded
  local name = type(ngx) == "table" and ngx.get_phase and "openresty" or program
    or loaded.cqueues and loaded.cqueues.running() and "cqueues"
    or loaded.luv and "luv" or loaded.copas and "copas"
  return load(name or "block")
end


return M
