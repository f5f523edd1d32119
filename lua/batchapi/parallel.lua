--- Many calls at once, in coroutines: batchapi.parallel and batchapi.map.
---
--- The functions run in coroutines of the module's own; while one waits for its call, the others
--- go on. In a script that is all the concurrency there is to set up. Under an event loop the
--- coroutine that called waits as that host does.
---
--- When a function raises, or returns `nil, why, err`, the others are cancelled where they wait,
--- functions not yet begun are not begun, and the error is raised again, or those three returned.
--- A function must wait for nothing but batchapi: what it yields itself is an error.

local loop = require("batchapi.loop")
local scheduler = require("batchapi.loop.scheduler")

local M = {}

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local default_concurrency = 16


-- Runs `begin` until it has no more to begin and all that runs has ended. Returns nil, or the
-- failure as an array with `n`; raises what a function raised.
local function drive(concurrency, begin)
  local tasks = scheduler.new()
  local failure, raised
  local exhausted = false
  local function finish(store)
    return function(ok, value, why, err)
      if failure then
        return
      end
      if not ok then
        failure, raised = { value }, true
      elseif value == nil and why ~= nil then
        failure = { nil, why, err }
      else
        store(value)
        return
      end
      tasks.stopped = true
    end
  end
  repeat
    while not exhausted and tasks.count < concurrency do
      exhausted = not begin(tasks, finish)
    end
    tasks:step()
  until tasks.stopped or (exhausted and tasks.count == 0)
  if failure then
    tasks:abort()
    if raised then
      error(failure[1], 0)
    end
  end
  return failure
end


--- Runs the functions at the same time; gives the first value of each, in order.
---
---     local batch, files = batchapi.parallel(
---       function() return openai:retrieve_batch("batch_1") end,
---       function() return openai:list_files{ purpose = "batch" } end)
---@async
---@param ... function
---@return any ... nil, why, err when one of them failed
function M.parallel(...)
  local functions, count, at = { ... }, select("#", ...), 0
  for i = 1, count do
    if not loop.is_callable(functions[i]) then
      error("batchapi.parallel: argument " .. i .. " must be a function, not a "
        .. type(functions[i]), 2)
    end
  end
  local results = {}
  local failure = drive(math.max(count, 1), function(tasks, finish)
    at = at + 1
    if at > count then
      return false
    end
    local i = at
    tasks:spawn(finish(function(value)
      results[i] = value
    end), functions[i])
    return true
  end)
  if failure then
    return nil, failure[2], failure[3]
  end
  return unpack(results, 1, count)
end


-- Gives the next item, or nil at the end.
local function item_source(items)
  if type(items) == "table" and not loop.is_callable(items) then
    local at = 0
    return function()
      at = at + 1
      return items[at]
    end
  end
  if loop.is_callable(items) then
    return items
  end
  error("batchapi.map: the items must be an array or an iterator, not a " .. type(items), 3)
end


local function read_concurrency(options)
  if options ~= nil and type(options) ~= "table" then
    error("batchapi.map: the options must be a table, not a " .. type(options), 3)
  end
  for name in pairs(options or {}) do
    if name ~= "concurrency" then
      error("batchapi.map: unknown option '" .. tostring(name)
        .. "'; the only one is 'concurrency'", 3)
    end
  end
  local concurrency = options and options.concurrency or default_concurrency
  if type(concurrency) ~= "number" or concurrency < 1 or concurrency % 1 ~= 0 then
    error("batchapi.map: concurrency must be a whole number from 1 on", 3)
  end
  return concurrency
end


--- Calls `f(item, index)` for each item, at most `concurrency` (16) at the same time; gives an
--- array of what they returned, in the order of the items. A nil is kept as a hole.
---
---     local batches = batchapi.map(ids, function(id) return openai:retrieve_batch(id) end)
---@async
---@param items any[]|fun(): any an array, or an iterator that is asked as places become free
---@param f fun(item: any, index: integer): any
---@param options? { concurrency?: integer }
---@return any[]|nil results, string|nil why, table|nil err
function M.map(items, f, options)
  local next_item = item_source(items)
  if not loop.is_callable(f) then
    error("batchapi.map: the second argument must be a function, not a " .. type(f), 2)
  end
  local concurrency = read_concurrency(options)
  local results, index = {}, 0
  local failure = drive(concurrency, function(tasks, finish)
    local item = next_item()
    if item == nil then
      return false
    end
    index = index + 1
    local i = index
    tasks:spawn(finish(function(value)
      results[i] = value
    end), f, item, i)
    return true
  end)
  if failure then
    return nil, failure[2], failure[3]
  end
  return results
end


return M
