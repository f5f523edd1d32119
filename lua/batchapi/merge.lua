--- What `extends` means: a definition that says only what differs from another one.

local errors = require("batchapi.errors")
local suggest = require("batchapi.suggest")

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


--- The definition with what it extends filled in.
---@param definition table
---@return table
function M.extended(definition)
  local base = definition.extends
  if base == nil then
    return definition
  end
  base = M.extended(type(base) == "string" and M.shipped(base) or base)
  local result = over(base, definition)
  result.extends = nil
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
  return result
end


return M
