--- Dotted paths into decoded answers: "error.code", "data.status", "outputs.1.id".
--- A step of digits counts from 1 in an array; the empty path is the value itself. JSON's null is
--- absent, also where another codec keeps it.

local core = require("batchapi.core")

local M = {}

local null = core.null

local steps_of = {} -- paths come from definitions: few and for ever


local function split(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do
    steps[#steps + 1] = step:match("^%d+$") and tonumber(step) or step
  end
  return steps
end


--- The value at a path, or nil where any step is absent or null.
---@param value any
---@param path string
---@return any
function M.get(value, path)
  local steps = steps_of[path]
  if not steps then
    steps = split(path)
    steps_of[path] = steps
  end
  for i = 1, #steps do
    if type(value) ~= "table" then
      return nil
    end
    local step = steps[i]
    local found = value[step]
    if found == nil and type(step) == "number" then
      found = value[tostring(step)]
    end
    value = found
  end
  if value == null then
    return nil
  end
  return value
end


--- The first of several paths at which something other than nil stands.
---@param value any
---@param paths string[]
---@return any
function M.first(value, paths)
  for _, path in ipairs(paths) do
    local found = M.get(value, path)
    if found ~= nil then
      return found
    end
  end
  return nil
end


return M
