--- A service and its operations as texts for people, from the service's definition.

local operation = require("batchapi.call.operation")
local show = require("batchapi.show")

local M = {}


--- Words in quotes, with commas between.
---@param list any[]
---@return string
function M.words(list)
  local quoted = {}
  for i, word in ipairs(list) do
    quoted[i] = '"' .. tostring(word) .. '"'
  end
  return table.concat(quoted, ", ")
end


local function range(low, high, unit)
  if low and high then
    return ("%s to %s%s"):format(low, high, unit)
  elseif low then
    return ("at least %s%s"):format(low, unit)
  elseif high then
    return ("at most %s%s"):format(high, unit)
  end
end


--- The limits of a parameter in words, or an empty list.
local function limits(spec)
  local list = {}
  list[#list + 1] = range(spec.min, spec.max, "")
  list[#list + 1] = range((spec.min_length or 0) > 1 and spec.min_length or nil, spec.max_length,
    " characters")
  list[#list + 1] = range(spec.min_items, spec.max_items, " items")
  list[#list + 1] = range(spec.min_pairs, spec.max_pairs, " pairs")
  if spec.key_max_length then
    list[#list + 1] = ("keys at most %d characters"):format(spec.key_max_length)
  end
  if spec.values and spec.values.max_length then
    list[#list + 1] = ("values at most %d characters"):format(spec.values.max_length)
  end
  if spec.pattern_help then
    list[#list + 1] = spec.pattern_help
  end
  if spec.one_of then
    list[#list + 1] = "one of " .. M.words(spec.one_of)
  elseif spec.known then
    list[#list + 1] = "such as " .. M.words(spec.known)
  end
  if spec.default ~= nil then
    list[#list + 1] = "default " .. show.show(spec.default)
  end
  return list
end


local function type_name(spec)
  if spec.type == "array" and spec.items then
    return "array of " .. spec.items.type
  elseif spec.type == "map" and spec.values then
    return "map of " .. spec.values.type
  end
  return spec.type
end


local function describe(lines, spec, indent)
  local parts = { type_name(spec) }
  if spec.required then
    parts[#parts + 1] = "required"
  end
  for _, limit in ipairs(limits(spec)) do
    parts[#parts + 1] = limit
  end
  local line = ("%s%-22s %s"):format(indent, spec.name, table.concat(parts, ", "))
  lines[#lines + 1] = line
  if spec.help then
    lines[#lines + 1] = ("%s%-22s   %s"):format(indent, "", spec.help)
  end
  local inner = spec.fields or (spec.items and spec.items.fields) or {}
  for _, field in ipairs(inner) do
    describe(lines, field, indent .. "  ")
  end
end


local function section(lines, title, specs)
  if #specs > 0 then
    lines[#lines + 1] = title
    for _, spec in ipairs(specs) do
      describe(lines, spec, "  ")
    end
  end
end


local function all_of(list)
  local marked = {}
  for i, spec in ipairs(list) do
    marked[i] = setmetatable({ required = true }, { __index = spec })
  end
  return marked
end


local repeats = {
  safe = "a failed attempt is repeated",
  idempotent = "a failed attempt is repeated",
  never_sent = "a failed attempt is repeated only if the service cannot have acted on it",
}


--- The text for one operation.
---@param service table compiled
---@param one table
---@return string
function M.operation(service, one)
  local lines = { ("%s:%s"):format(service.name, operation.signature(one)) }
  lines[#lines + 1] = one.summary
  lines[#lines + 1] = ("%s %s; %s"):format(one.method, one.path, repeats[one.repeats])
  section(lines, "path", all_of(one.parameters))
  if one.body then
    section(lines, "body (" .. (one.content == "json" and "JSON" or one.content) .. ")",
      one.body.fields or {})
  end
  section(lines, "query", one.query)
  if one.answer ~= "json" then
    section(lines, "answer", { { name = "to", type = "string",
      help = "path of a file for the answer; else it is a string" } })
  end
  if one.page then
    local form = "goes on over pages: for item in %s:each(%q) do … end"
    lines[#lines + 1] = form:format(service.name, one.name)
  end
  if one.example then
    lines[#lines + 1] = "example"
    lines[#lines + 1] = "  " .. one.example
  end
  return table.concat(lines, "\n")
end


--- The text for a service: its operations and the options of its client.
---@param service table compiled
---@return string
function M.service(service)
  local lines = { service.title }
  lines[#lines + 1] = service.documentation
  lines[#lines + 1] = "operations"
  for _, one in ipairs(service.operations) do
    lines[#lines + 1] = ("  %s"):format(operation.signature(one))
    if one.summary then
      lines[#lines + 1] = "      " .. one.summary
    end
  end
  lines[#lines + 1] = "options of batchapi." .. service.name .. "{ … }"
  for _, way in ipairs(service.auth) do
    for _, pair in ipairs{ { way.user_option, way.user_environment }, { way.option,
      way.environment } } do
      if pair[1] then
        lines[#lines + 1] = ("  %-20s %s"):format(pair[1], pair[2] and "or the variable "
          .. pair[2] or way.help or "")
      end
    end
  end
  for _, option in ipairs(service.options) do
    lines[#lines + 1] = ("  %-20s %s"):format(option.name, option.help or "")
  end
  lines[#lines + 1] = "  and those of every client: batchapi.help(\"options\")"
  return table.concat(lines, "\n")
end


return M
