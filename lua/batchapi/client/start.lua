--- Calls for programs without coroutines: `client:start(operation, …, callback)`.
---
--- The call runs in a coroutine of its own: the host's, or one that batchapi.pump() moves
--- (host/background.lua). The callback gets what the method would have returned.

local background = require("batchapi.host.background")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = {}


--- A call that was begun by client:start.
---@class batchapi.Started
local started = {}

local mt = {
  __name = "batchapi.started",
  __index = started,
  __tostring = function(self)
    return ("batchapi.started (%s, %s)"):format(self._name, self._over and "ended" or "runs")
  end,
}


--- Ends it: the callback gets nil, why, err with kind "cancelled". False when it has ended, or cannot be
--- cancelled any more.
---@return boolean
function started:cancel()
  if self._over then
    return false
  elseif not self._co then
    self._dropped = true
    return true
  end
  return loop.stop(self._co)
end


--- Has it ended?
---@return boolean
function started:ended()
  return self._over
end


local function dropped(name)
  return errors.fail(errors.new{ kind = "cancelled", operation = name, sent = false, message = "it was cancelled" })
end


local function finish(self, callback, ...)
  self._over, self._co = true, nil
  callback(...)
end


--- Begins an operation.
---@param client batchapi.Client
---@param name string
---@param arguments table packed, with `n`; the last one is the callback
---@return batchapi.Started|nil started, string|nil message
function M.start(client, name, arguments)
  local callback = arguments[arguments.n]
  if not loop.is_callable(callback) then
    errors.misuse("start: the last argument must be the callback, not %s",
      arguments.n == 0 and "missing" or "a " .. type(callback))
  end
  arguments[arguments.n] = nil
  arguments.n = arguments.n - 1
  client:_check(name, arguments) -- misuse is raised here; a refused value is the callback's to hear
  local self = setmetatable({ _name = name, _co = nil, _dropped = false, _over = false }, mt)
  local ok, why = background.spawn(function()
    if self._dropped then
      return finish(self, callback, dropped(name))
    end
    self._co = loop.coroutine()
    return finish(self, callback, client:_call(name, arguments))
  end, client._context.host)
  if not ok then
    return nil, why
  end
  return self
end


return M
