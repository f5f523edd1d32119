--- What an operation takes, from its definition, and what the verbs of every client take: for the
--- prompt.

local definition = require("batchapi.definition")
local errors = require("batchapi.util.errors")
local merge = require("batchapi.definition.extends")
local methods = require("batchapi.prompt.methods")
local operation = require("batchapi.call.operation")
local options = require("batchapi.client.options")
local suggest = require("batchapi.util.suggest")
local show = require("batchapi.prompt.show")

local M = {}


local function words(list)
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
    list[#list + 1] = "one of " .. words(spec.one_of)
  elseif spec.known then
    list[#list + 1] = "such as " .. words(spec.known)
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


local function general_options()
  local lines = { "options of every client" }
  for _, option in ipairs(options.general) do
    local kind = type(option.kind) == "table" and table.concat(option.kind, " or ") or option.kind
    local default = option.default ~= nil and (" (default %s)"):format(tostring(option.default))
      or ""
    local among = option.one_of and " one of " .. words(option.one_of) or ""
    lines[#lines + 1] = ("  %-18s %s%s%s"):format(option.name, kind, among, default)
    lines[#lines + 1] = ("  %-18s   %s"):format("", option.help)
  end
  return table.concat(lines, "\n")
end


local by_name = {}
for _, one in ipairs(methods) do
  by_name[one.name] = one
end


local function add_list(lines, title, list)
  if list and #list > 0 then
    lines[#lines + 1] = title
    for _, one in ipairs(list) do
      lines[#lines + 1] = ("  %-22s %s"):format(one[1], one[2])
      lines[#lines + 1] = ("  %-22s   %s"):format("", one[3])
    end
  end
end


--- The options of `run` that one service adds, as methods.lua has options.
local function own_options(service)
  local list = {}
  for name, rule in pairs(service.run and service.run.options or {}) do
    local default = type(rule.default) == "string" and (" (%s)"):format(rule.default) or ""
    list[#list + 1] = { name, (rule.type or "any") .. (rule.required and ", required" or ""),
      (rule.help or "") .. default }
  end
  table.sort(list, function(a, b)
    return a[1] < b[1]
  end)
  return list
end


--- The text for a verb of every client, or a function of the module; nil if it is none.
---@param name string
---@param service table|nil compiled: what `run` takes there stands in the text too
---@return string|nil
local function of_method(name, service)
  local one = by_name[name]
  if not one then
    return nil
  end
  local lines = { one.call, one.summary }
  add_list(lines, "parameters", one.parameters)
  add_list(lines, name == "request" and "fields" or "options", one.options)
  if name == "run" and service then
    add_list(lines, "options of " .. service.name, own_options(service))
  end
  lines[#lines + 1] = "returns"
  lines[#lines + 1] = "  " .. one.returns:gsub("\n", "\n  ")
  lines[#lines + 1] = "example"
  lines[#lines + 1] = "  " .. one.example:gsub("\n", "\n  ")
  return table.concat(lines, "\n")
end


local function overview()
  local lines = {
    "batchapi.help(name) explains a service, an operation, a verb, an option, or \"options\".",
  }
  local verbs, functions = {}, {}
  for _, one in ipairs(methods) do
    local into = one.module and functions or verbs
    into[#into + 1] = one.name
  end
  lines[#lines + 1] = ("%-10s %s"):format("a client", table.concat(verbs, " "))
  lines[#lines + 1] = ("%-10s %s"):format("batchapi", table.concat(functions, " "))
  for _, name in ipairs(merge.names) do
    local service = definition.load(name)
    local names = {}
    for i, one in ipairs(service.operations) do
      names[i] = one.name
    end
    lines[#lines + 1] = ("%-10s %s"):format(name, table.concat(names, " "))
  end
  return table.concat(lines, "\n")
end


local function option_help(name)
  for _, option in ipairs(options.general) do
    if option.name == name then
      local default = option.default ~= nil and (" (default %s)"):format(tostring(option.default))
        or ""
      return ("option %s%s: %s"):format(name, default, option.help)
    end
  end
  for _, option in ipairs(by_name.run.options) do
    if option[1] == name then
      return ("option %s of run: %s"):format(name, option[3])
    end
  end
end


--- The texts of every operation of this name; those that only inherit it from another service are
--- left out.
local function operations_named(name, service_name)
  local texts, known, seen = {}, {}, {}
  for _, candidate in ipairs(merge.names) do
    local service = (service_name or candidate) == candidate and definition.load(candidate)
    for _, one in ipairs(service and service.operations or {}) do
      known[#known + 1] = one.name
      local text = one.name == name and M.operation(service, one)
      local bare = text and text:gsub("^[^\n]*:", "")
      if text and not seen[bare] then
        seen[bare] = true
        texts[#texts + 1] = text
      end
    end
  end
  return texts, known
end


--- The text for a method: of a service that is shipped, of the module ("batchapi.map"), or of any
--- client. A client's verb has none at the module, nor the other way round.
local function method_text(service_name, name)
  local one = by_name[name]
  if not one or not service_name then
    return of_method(name)
  elseif service_name == "batchapi" then
    return one.module and of_method(name) or nil
  end
  for _, shipped in ipairs(merge.names) do
    if shipped == service_name and not one.module then
      return of_method(name, definition.load(shipped))
    end
  end
end


local function of_client(service, name)
  local one = name ~= nil and service.by_name[name]
  if one then
    return M.operation(service, one)
  elseif name == nil then
    return M.service(service)
  end
  local text = by_name[name] and not by_name[name].module and of_method(name, service)
  if text then
    return text
  end
  local known = {}
  for i, other in ipairs(service.operations) do
    known[i] = other.name
  end
  return ("%s has no operation '%s'%s"):format(service.name, tostring(name),
    suggest.hint(tostring(name), known))
end


--- Explains a service, an operation ("create_batch", "openai.create_batch"), a verb of every client
--- or a function of the module ("run", "map"), an option, or "options"; without a name, what there
--- is.
---@param name string|batchapi.Client|nil a client stands for its service
---@param operation_name string|nil with a client: one of its operations, or a verb
---@return string
function M.help(name, operation_name)
  if name == nil then
    return overview()
  elseif type(name) == "table" and name._definition then
    if operation_name ~= nil and type(operation_name) ~= "string" then
      errors.misuse("help: the name of an operation expected, got a " .. type(operation_name))
    end
    return of_client(name._definition, operation_name)
  elseif type(name) ~= "string" then
    errors.misuse("help: a name expected, got a " .. type(name))
  elseif name == "options" then
    return general_options()
  end
  for _, service in ipairs(merge.names) do
    if service == name then
      return M.service(definition.load(name))
    end
  end
  local service, one = name:match("^(%w+)[.:]([%w_]+)$")
  local texts, known = operations_named(one or name, service)
  if #texts > 0 then
    return table.concat(texts, "\n\n")
  end
  for _, method in ipairs(methods) do
    known[#known + 1] = method.name
  end
  return method_text(service, one or name) or option_help(name)
    or ("nothing is called '%s'%s"):format(name, suggest.hint(name, known))
end


return M
