--- Descriptions of parameters: from `{ name, type, facets }` to named words, checked. What each
--- word means stands in schema/service.lua; check/values.lua applies them.

local among = require("batchapi.util.among")
local schema = require("batchapi.definition.schema")

local M = {}

local refuse = schema.refuse

local facets = schema.sections.parameter.by_word


--- A list of parameters, each with a name of its own.
---@param raw table[]|nil
---@param place string where it stands, for messages
---@return table[]
function M.list(raw, place)
  local compiled, seen = {}, {}
  for i, parameter in ipairs(raw or {}) do
    local one = M.one(parameter, ("%s[%d]"):format(place, i))
    if not one.name then
      refuse(("%s[%d]"):format(place, i), "has no name: a parameter is { name, type, … }")
    elseif seen[one.name] then
      refuse(("%s[%d]"):format(place, i), ("'%s' stands twice"):format(one.name))
    end
    seen[one.name] = true
    compiled[i] = one
  end
  return compiled
end


local function check_facets(raw, kind, place)
  for word in pairs(raw) do
    local types = facets[word] and facets[word].types
    if types and not among(kind, types) then
      refuse(place, ("'%s' says nothing about a value of type %s"):format(tostring(word), kind))
    end
  end
end


--- `{ name, type, facets }`, or a type's name alone, to a description with named words.
---@param raw table|string
---@param place string
---@return table
function M.one(raw, place)
  if type(raw) == "string" then
    raw = { type = raw }
  end
  local kind = raw.type or raw[2] or (raw.fields and "object") or (raw.items and "array")
    or "string"
  schema.check_type(kind, place .. ".type")
  check_facets(raw, kind, place)
  local compiled = {}
  for word, content in pairs(raw) do
    compiled[word] = content
  end
  compiled[1], compiled[2], compiled.name, compiled.type = nil, nil, raw[1], kind
  if raw.closed and not raw.fields then
    refuse(place, "'closed' needs 'fields'")
  end
  compiled.fields = raw.fields and M.list(raw.fields, place .. ".fields")
  compiled.items = raw.items and M.one(raw.items, place .. ".items")
  compiled.values = raw.values and M.one(raw.values, place .. ".values")
  return compiled
end


return M
