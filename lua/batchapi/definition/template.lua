--- Templates: the tables of a definition's `run` section in which "$name" stands for a value that
--- is known only while a job runs.
---
--- "$name" is the value of that name, "$name.field" a field of it; "$$text" is the text "$text". A
--- field whose value is unknown is left out, and so is an inner table none of whose "$" fields is
--- known.

local paths = require("batchapi.util.path")

local M = {}


--- The name and the inner path of a reference, or nil for any other value.
local function reference(value)
  if type(value) ~= "string" or value:sub(1, 1) ~= "$" or value:sub(1, 2) == "$$" then
    return nil
  end
  local name, inner = value:match("^%$([%w_]+)%.?(.*)$")
  return name, inner
end


local fill_table


local function fill(value, known)
  if type(value) == "table" then
    return fill_table(value, known)
  end
  local name, inner = reference(value)
  if name then
    return paths.get(known[name], inner)
  elseif type(value) == "string" and value:sub(1, 2) == "$$" then
    return value:sub(2)
  end
  return value
end


--- Second result: whether it had references and none of them was known.
function fill_table(template, known)
  local filled, references, found = {}, 0, 0
  for key, value in pairs(template) do
    local content, empty = fill(value, known)
    if reference(value) or empty ~= nil then
      references = references + 1
      found = found + ((content ~= nil and not empty) and 1 or 0)
    end
    if content ~= nil and not empty then
      filled[key] = content
    end
  end
  if references == 0 then
    return filled
  end
  return filled, found == 0
end


--- A filled copy of a template.
---@param template any
---@param known table<string, any>
---@return any
function M.fill(template, known)
  local filled = fill(template, known)
  return filled
end


--- The arguments of an operation, filled one by one: nil stays in its place.
---@param list any[]
---@param known table<string, any>
---@return table arguments with the field n
function M.arguments(list, known)
  local arguments = { n = #list }
  for i, template in ipairs(list) do
    arguments[i] = M.fill(template, known)
  end
  return arguments
end


--- Adds every name that a template refers to to a set.
---@param template any
---@param names table<string, true>
---@return table<string, true>
function M.names(template, names)
  if type(template) == "table" then
    for _, value in pairs(template) do
      M.names(value, names)
    end
  else
    local name = reference(template)
    if name then
      names[name] = true
    end
  end
  return names
end


--- Is one of a template's values this text?
---@param template any
---@param text string
---@return boolean
function M.has(template, text)
  if type(template) ~= "table" then
    return template == text
  end
  for _, value in pairs(template) do
    if M.has(value, text) then
      return true
    end
  end
  return false
end


--- Sets the value at a dotted path, making tables on the way. The tables on the way are copied, so
--- that what they came from stays as it is.
---@param value table
---@param path string
---@param content any
---@return table changed
function M.put(value, path, content)
  local first, rest = path:match("^([^.]+)%.?(.*)$")
  local changed = {}
  for key, inner in pairs(value or {}) do
    changed[key] = inner
  end
  setmetatable(changed, getmetatable(value or {}))
  if rest == "" then
    changed[first] = content
  else
    changed[first] = M.put(type(changed[first]) == "table" and changed[first] or {}, rest, content)
  end
  return changed
end


return M
