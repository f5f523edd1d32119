--- What `extends` means: a definition that says only what differs from another one.

local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")

local M = {}

--- The definitions that are shipped, as modules batchapi.services.<name>.
M.names = {
  "openai", "asana", "factset", "robotoff", "azure", "groq", "anthropic", "mistral", "msgraph",
}


--- A definition that is shipped, by its name.
---@param name string
---@return table
function M.shipped(name)
  for _, known in ipairs(M.names) do
    if known == name then
      return require("batchapi.services." .. name)
    end
  end
  errors.misuse("no definition '%s' is shipped%s", name, suggest.hint(name, M.names))
end


local function copy(original)
  local result = {}
  for key, value in pairs(original or {}) do
    result[key] = value
  end
  return result
end


--- One table over another, word by word.
local function over(base, change)
  local result = copy(base)
  for key, value in pairs(change or {}) do
    result[key] = value
  end
  return result
end


--- Two lists of named entries: those of the same name are merged word by word, new ones follow.
local function by_name(base, change, name_of)
  local result, place = {}, {}
  for i, entry in ipairs(base or {}) do
    result[i], place[name_of(entry)] = entry, i
  end
  for _, entry in ipairs(change or {}) do
    local at = place[name_of(entry)] or #result + 1
    result[at] = over(result[at], entry)
    place[name_of(entry)] = at
  end
  local kept = {}
  for _, entry in ipairs(result) do
    if not entry.remove then
      kept[#kept + 1] = entry
    end
  end
  return kept
end


local word_by_word = { headers = true, query = true, errors = true, response = true, run = true }


--- What the base says and the change takes away with `false`.
local function without_false(words)
  local kept = {}
  for word, content in pairs(words) do
    kept[word] = content or nil
  end
  return kept
end


local function without(entries, ...)
  if type(entries) ~= "table" then
    return entries
  end
  local kept = {}
  for i, entry in ipairs(entries) do
    kept[i] = copy(entry)
    for _, word in ipairs{ ... } do
      kept[i][word] = nil
    end
  end
  return kept
end


--- The base of a definition that has an address of its own: what the environment holds for the one
--- service is not for another to have.
local function without_environment(base)
  local result = copy(base)
  result.environment = nil
  result.auth = without(base.auth, "environment", "user_environment")
  result.options = without(base.options, "environment")
  return result
end


--- The definition with what it extends filled in.
---@param definition table
---@return table merged
---@return string|nil inherits the name of the service whose credentials it uses at its own address
function M.extended(definition)
  local base = definition.extends
  if definition.credentials ~= nil and definition.credentials ~= "inherit" then
    errors.misuse("definition, credentials: must be 'inherit'")
  elseif definition.credentials and base == nil then
    errors.misuse("definition, credentials: 'inherit' needs 'extends'")
  elseif base == nil then
    return definition
  end
  local inherits
  base, inherits = M.extended(type(base) == "string" and M.shipped(base) or base)
  if definition.base_url and definition.credentials ~= "inherit" then
    base = without_environment(base)
  end
  local result = over(base, definition)
  result.extends, result.credentials = nil, nil
  if definition.base_url then
    result.base_path = definition.base_path
  end
  if definition.base_url then
    inherits = definition.credentials and (inherits or base.name) or nil
  end
  for word in pairs(word_by_word) do
    if type(base[word]) == "table" and type(definition[word]) == "table" then
      result[word] = without_false(over(base[word], definition[word]))
    end
  end
  if type(definition.options) == "table" then
    result.options = by_name(base.options, definition.options, function(option)
      return option[1]
    end)
  end
  if type(definition.operations) == "table" then
    result.operations = by_name(base.operations, definition.operations, function(operation)
      return operation.name
    end)
  end
  return result, inherits
end


return M
