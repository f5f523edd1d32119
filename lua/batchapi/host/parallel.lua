--- Many calls at once, in coroutines: batchapi.parallel and batchapi.map.
---
--- The functions run in coroutines of the module's own; while one waits for its call, the others
--- go on. In a script that is all the concurrency there is to set up. Under an event loop the
--- coroutine that called waits as that host does.
---
--- When a function raises, or returns `nil, why, err`, the others are cancelled where they wait,
--- functions not yet begun are not begun, and the error is raised again, or those three returned.
--- What was done by then is not lost: `err.outcomes` has the outcome of each function that was begun,
--- `{ ok = true, value }` or `{ ok = false, error }`. So that it can, what is raised and is no table
--- is put into one (`err.cause`; its tostring is the same text).
---
--- With `outcomes = true` nothing is cancelled: all run to their end, and each outcome is given.
--- A function must wait for nothing but batchapi: what it yields itself is an error.

local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local check = require("batchapi.check.options")
local scheduler = require("batchapi.host.scheduler")

local M = {}

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local default_concurrency = 16


-- An error that can carry outcomes: what was raised or returned, if it is a table.
local function carrier(value, why, co)
  if type(value) == "table" then
    return value
  end
  local message = type(why) == "string" and why or tostring(why)
  return errors.new{ kind = "raised", message = message, cause = value, traceback = co and debug.traceback(co) }
end


-- What a run has come to, by the functions' numbers.
local function new_run(concurrency, given)
  return {
    tasks = scheduler.new(given.host), concurrency = concurrency, all = given.outcomes or false,
    begun = 0, values = {}, ended = {}, -- ended[i]: true, or what failed
    failure = nil, -- the first: { err, why, raised }
  }
end


local function cancelled()
  return errors.new{ kind = "cancelled", sent = true, message = "another function of the same map or parallel failed" }
end


-- The outcome of each function that was begun.
local function outcomes_of(run)
  local outcomes, others = {}, nil
  for i = 1, run.begun do
    local ended = run.ended[i]
    if ended == true then
      outcomes[i] = { ok = true, value = run.values[i] }
    else
      others = others or cancelled()
      outcomes[i] = { ok = false, error = ended or others }
    end
  end
  return outcomes
end


-- Begins a function as the next one.
local function begin(run, f, ...)
  local i = run.begun + 1
  run.begun = i
  run.tasks:spawn(function(ok, value, why, err)
    if ok and not (value == nil and why ~= nil) then
      run.values[i], run.ended[i] = value, true
      return
    elseif ok then
      err = carrier(err, why)
    else
      err, why = carrier(value, value, why), value -- why is the coroutine that failed
    end
    run.ended[i] = err
    if not run.all and not run.failure then
      run.failure = { err, why, not ok }
      run.tasks.stopped = true
    end
  end, f, ...)
end


-- Ends what still runs; what was answered by then is not lost.
local function finish(run, err)
  run.tasks:finish_ready()
  run.tasks:abort()
  rawset(err, "outcomes", outcomes_of(run))
end


local function raise(run, err)
  finish(run, err)
  errors.tell(err)
  error(err, 0)
end


-- Asks for the next function while a place is free. False when there is none left, and nil, why, err
-- when it cannot be told. What the iterator raises must not leave the others running; on Lua 5.1 it
-- might wait, which nothing can inside pcall: there they end when they are collected.
local function feed(run, next_one)
  if not loop.yields_anywhere(run.tasks.outer) then
    return next_one(run)
  end
  local ok, more, why, err = pcall(next_one, run)
  if not ok then
    raise(run, carrier(more, more))
  end
  return more, why, err
end


-- Runs until `next_one` has no more to begin and all that runs has ended: true, or the failure triple.
-- Raises what a function raised.
local function drive(run, next_one)
  local tasks, exhausted = run.tasks, false
  repeat
    while not exhausted and tasks.count < run.concurrency and not tasks.stopped do
      local more, why, err = feed(run, next_one)
      if more == nil and why ~= nil then
        run.failure = { carrier(err, why), why, false }
        tasks.stopped = true
      end
      exhausted = not more
      tasks:run_ready() -- it begins at once, for the next item may be waited for
    end
    if not tasks.stopped then
      tasks:step()
    end
  until tasks.stopped or (exhausted and tasks.count == 0)
  local failure = run.failure
  if not failure then
    return true
  elseif failure[3] then
    raise(run, failure[1])
  end
  finish(run, failure[1])
  return nil, failure[2], failure[1]
end


local outcomes_option = { name = "outcomes", kind = "boolean", default = false,
  help = "give what became of each, also when some failed" }

M.parallel_options = check.list{ outcomes_option, loop.option }
M.map_options = check.list{
  { name = "concurrency", kind = "integer", min = 1, default = 16, help = "calls of f at once" },
  outcomes_option, loop.option,
}


--- Runs the functions at the same time; gives the first value of each, in order.
---
---     local batch, files = batchapi.parallel(
---       function() return openai:retrieve_batch("batch_1") end,
---       function() return openai:list_files{ purpose = "batch" } end)
---
--- Options may come before them: `batchapi.parallel({ outcomes = true, host = … }, f, g)`.
---@async
---@param ... function
---@return any ... nil, why, err when one of them failed; with `outcomes`, the outcome of each
function M.parallel(...)
  local functions, count, first = { ... }, select("#", ...), 1
  local given = {}
  if type(functions[1]) == "table" and not loop.is_callable(functions[1]) then
    given, first = functions[1], 2
    check.check(given, M.parallel_options, "batchapi.parallel")
  end
  for i = first, count do
    if not loop.is_callable(functions[i]) then
      errors.misuse("batchapi.parallel: argument %d must be a function, not a %s", i, type(functions[i]))
    end
  end
  local run = new_run(math.max(count, 1), given)
  local ok, why, err = drive(run, function()
    local f = functions[first + run.begun]
    if f ~= nil then
      begin(run, f)
    end
    return f ~= nil
  end)
  if not ok then
    return nil, why, err
  end
  return unpack(given.outcomes and outcomes_of(run) or run.values, 1, count - first + 1)
end


-- Gives the next item, or nil at the end, or nil, why, err.
local function item_source(items)
  if loop.is_callable(items) then
    return items
  elseif type(items) ~= "table" then
    errors.misuse("batchapi.map: the items must be an array or an iterator, not a %s", type(items))
  end
  local at = 0
  return function()
    at = at + 1
    return items[at]
  end
end


--- Calls `f(item, index)` for each item, at most `concurrency` (16) at the same time; gives an
--- array of what they returned, in the order of the items. A nil is kept as a hole.
---
---     local batches = batchapi.map(ids, function(id) return openai:retrieve_batch(id) end)
---@async
---@param items any[]|fun(): any an array, or an iterator that is asked as places become free
---@param f fun(item: any, index: integer): any
---@param given? batchapi.MapOptions
---@return any[]|nil results, string|nil why, table|nil err
function M.map(items, f, given)
  local next_item = item_source(items)
  if not loop.is_callable(f) then
    errors.misuse("batchapi.map: the second argument must be a function, not a %s", type(f))
  elseif given ~= nil and type(given) ~= "table" then
    errors.misuse("batchapi.map: the options must be a table, not a %s", type(given))
  end
  given = given or {}
  check.check(given, M.map_options, "batchapi.map")
  local run = new_run(given.concurrency or default_concurrency, given)
  local ok, why, err = drive(run, function()
    local item, reason, failure = next_item()
    if item == nil then
      return nil, reason, failure
    end
    begin(run, f, item, run.begun + 1)
    return true
  end)
  if not ok then
    return nil, why, err
  end
  return given.outcomes and outcomes_of(run) or run.values
end


return M
