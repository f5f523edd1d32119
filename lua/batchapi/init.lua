--- batchapi: the world's batch APIs from Lua. `local batchapi = require("batchapi")`.

-- A module that was built for another Lua lacks a symbol of it, or says so itself.
local loaded, core = pcall(require, "batchapi.core")
if not loaded then
  local other = tostring(core):find("undefined symbol: lua", 1, true)
  error(other and ("batchapi: batchapi.core was built for another Lua than this %s; build it for this one (%s)"):format(
    _VERSION, tostring(core):match("from file '([^']*)'") or "unknown file") or core, 0)
end

local version = require("batchapi.version")
local versions = require("batchapi.util.versions")

if core._VERSION ~= version then
  error(("batchapi: the Lua files are %s, batchapi.core is %s; install both anew"):format(
    version, tostring(core._VERSION)), 0)
end

local background = require("batchapi.host.background")
local client = require("batchapi.client")
local definition = require("batchapi.definition")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local json = require("batchapi.json")
local merge = require("batchapi.definition.extends")

---@class batchapi
---@field _VERSION string the name and the version, as Lua writes its own
---@field null userdata JSON's null; equal to cjson.null and ngx.null
---@field oauth table authorize_url, exchange
---@field webhook table verify
local M = {
  _VERSION = "batchapi " .. version,
  null = core.null,
}


--- A client of a service described by a definition of your own, or by the name of one that is
--- shipped.
---@param described table|string
---@param given table|nil options
---@return batchapi.Client|nil client, string|nil message, batchapi.Error|nil err
function M.client(described, given)
  if given ~= nil and type(given) ~= "table" then
    errors.misuse("client: the options must be a table, got a " .. type(given))
  end
  local made, message, err = client.new(definition.load(described), given or {})
  return made, message, err
end


for _, name in ipairs(merge.names) do
  M[name] = function(given)
    if given == M then
      errors.misuse("%s: call it with a dot, batchapi.%s{ … }", name, name)
    elseif given ~= nil and type(given) ~= "table" then
      errors.misuse("%s: the options must be a table, got a %s", name, type(given))
    end
    local made, message, err = client.new(definition.load(name), given or {})
    return made, message, err
  end
end


--- Marks a table as a JSON array, so that it encodes as `[]` even when it is empty.
---@generic T: table
---@param list T|nil
---@return T
function M.array(list)
  return json.array(list)
end


--- An object whose keys go out in this order: `batchapi.object{ { "type", "text" }, { "text", … } }`.
--- It is a table with these fields; one that is added later follows the others. Other tables go out
--- with their keys sorted.
---@param list any[][] { key, value } each
---@return table
function M.object(list)
  return json.object(list)
end


--- What runs here and what it was built with: prints as text.
---@return batchapi.Versions
function M.version()
  return versions()
end


--- A readable text of any value, long ones shortened.
---@param value any
---@param given batchapi.ShowOptions|nil
---@return string
function M.show(value, given)
  local text = require("batchapi.show").show(value, given)
  return text
end


--- Explains a service, an operation, an option, or a topic ("errors", "results", "jobs"); without a name, what
--- there is.
---@param name string|batchapi.Client|nil a client stands for its service
---@param operation string|nil with a client: one of its operations
---@return string
function M.help(name, operation)
  local value = require("batchapi.prompt.help").help(name, operation)
  return value
end


--- Goes on with a job whose journal is in `dir`: see the job's own documentation.
---@param dir string
---@param given table|nil
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function M.resume(dir, given)
  local value, message, err = require("batchapi.job").resume(dir, given)
  return errors.given(value, message, err)
end


--- Looks for damage in the directory of a job; changes nothing.
---@param dir string
---@param given { group: boolean|nil }|nil
---@return batchapi.Verification|nil found { ok, damage, … }, prints as text
---@return string|nil message, batchapi.Error|nil err
function M.verify(dir, given)
  local value, message, err = require("batchapi.job").verify(dir, given)
  return errors.given(value, message, err)
end


--- How far the job in a directory is, also one that another process drives: needs neither key nor
--- lock. See job/output/listing.lua.
---@param dir string
---@return batchapi.JobStatus|nil status, string|nil message, batchapi.Error|nil err
function M.status(dir)
  local value, message, err = require("batchapi.job").status(dir)
  return errors.given(value, message, err)
end


--- The jobs in the directories below one: { dir, id, service, state, requests, parts, at } each.
---@param dir string
---@return batchapi.JobSummary[]|nil jobs, string|nil message, batchapi.Error|nil err
function M.jobs(dir)
  local value, message, err = require("batchapi.job").list(dir)
  return errors.given(value, message, err)
end


--- An `on_update` that draws how far a job is.
---@param ... any what job/output/progress.lua takes
---@return fun(status: table)
function M.progress(...)
  local value = require("batchapi.job").progress(...)
  return value
end


--- Runs functions at once, in coroutines: see host/parallel.lua.
---@async
---@param ... function
---@return any ... the first value of each; nil, why, err when one of them failed
function M.parallel(...)
  return require("batchapi.host.parallel").parallel(...)
end


--- Calls a function for each item, many at once, results in order: see host/parallel.lua.
---@async
---@param items any[]|fun(): any
---@param f fun(item: any, index: integer): any
---@param given? batchapi.MapOptions
---@return any[]|nil results, string|nil why, batchapi.Error|nil err
function M.map(items, f, given)
  local results, why, err = require("batchapi.host.parallel").map(items, f, given)
  return results, why, err
end


--- A descriptor that is readable when something of ours has happened: a loop of your own watches it and
--- calls batchapi.pump(). It is the same as long as the process lives; a child of fork has another.
---@return integer|nil fd, string|nil message, table|nil err
function M.fd()
  local mailbox, why, err = loop.mailbox()
  if not mailbox then
    return errors.adopt("fd", err, why)
  end
  return mailbox:fd()
end


--- Takes what has happened, wakes who waits for it, and lets what client:start and batchapi.defer
--- began go on; never waits. Callbacks run in here; what one raises is raised here.
---@return integer count how many of those still run
function M.pump()
  return background.pump()
end


--- Seconds until batchapi.pump() has something to do even if the descriptor says nothing: 0 when it has
--- now, nil when it has not.
---@return number|nil
function M.next_timeout()
  return background.next_timeout()
end


--- Runs a function soon where it may wait, also from where nothing can: in nginx in a timer
--- (`init_worker`, `log` and filter phases), in an event loop in a coroutine of its own, elsewhere when
--- batchapi.pump() is called.
---@param f fun()
---@return true|nil ok, string|nil message
function M.defer(f)
  if not loop.is_callable(f) then
    errors.misuse("defer: a function expected, got a %s", type(f))
  end
  return background.defer(f)
end


--- Cancels what a coroutine waits for, from another one: its call ends there as `nil, why, err` with
--- `err.kind == "cancelled"`; of a map or a parallel every call does. Also takes what client:start gave.
---@param what thread|batchapi.Started
---@return boolean cancelled false when it waits for nothing that can be cancelled
function M.cancel(what)
  if type(what) == "thread" then
    return loop.stop(what)
  elseif type(what) == "table" and type(what.cancel) == "function" then
    return what:cancel()
  end
  errors.misuse("cancel: a coroutine, or what client:start gave, expected, got a %s", type(what))
end


require("batchapi.everything")

require("batchapi.job").make_client = function(service)
  local made, message, err = M[service]{}
  return made, message, err
end

M.oauth = require("batchapi.oauth")
M.webhook = require("batchapi.webhook")

return M
