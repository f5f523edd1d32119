--- The object that `each`, `pages` and `lines` give: callable, so that a `for` takes it, with
--- `next()`.
---
--- In a `for` a failure raises the error object itself, for a `for` has nowhere to put `nil, why,
--- err`;
--- `object:next()` gives the value, `nil` alone at the end, or `nil, why, err`.

local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = {}


local function call(object)
  loop.check_iterator(object._host)
  local value, _, err = object:next()
  if err then
    errors.tell(err)
    error(err, 0)
  end
  return value
end


-- A method that is called without a colon is told so.
local function guarded(mt, name, method)
  return function(object)
    if getmetatable(object) ~= mt then
      errors.misuse("bad self to '%s': call it with a colon, object:%s()", name, name)
    end
    local value, why, err = method(object)
    return value, why, err
  end
end


--- A metatable for iterator objects with these methods, all there are; `next` must be among them.
---@param methods table
---@param name string
---@return table
function M.metatable(methods, name)
  local mt
  mt = {
    __name = name,
    __index = methods,
    __call = call,
    __close = function(object) -- Lua 5.4: local lines <close> = client:lines(…)
      if methods.close then
        methods.close(object)
      end
    end,
    __tostring = function(object)
      return ("%s (%s)"):format(name, object._what)
    end,
  }
  for method, f in pairs(methods) do
    methods[method] = guarded(mt, method, f)
  end
  return mt
end


return M
