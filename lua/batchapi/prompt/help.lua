--- What an operation takes, from its definition, and what the verbs of every client take: for the
--- prompt.

local clients = require("batchapi.call.clients")
local definition = require("batchapi.definition")
local describe = require("batchapi.prompt.describe")
local errors = require("batchapi.util.errors")
local merge = require("batchapi.definition.extends")
local methods = require("batchapi.prompt.methods")
local options = require("batchapi.client.options")
local suggest = require("batchapi.util.suggest")
local topics = require("batchapi.prompt.topics")

local M = {}


local function general_options()
  local lines = { "options of every client" }
  for _, option in ipairs(options.general) do
    local kind = type(option.kind) == "table" and table.concat(option.kind, " or ") or option.kind
    local default = option.default ~= nil and (" (default %s)"):format(tostring(option.default))
      or ""
    local among = option.one_of and " one of " .. describe.words(option.one_of) or ""
    lines[#lines + 1] = ("  %-18s %s%s%s"):format(option.name, kind, among, default)
    lines[#lines + 1] = ("  %-18s   %s"):format("", option.help)
  end
  return table.concat(lines, "\n")
end


local by_name = {}
for _, one in ipairs(methods) do
  by_name[one.name] = one
end


--- The type of an option and what it does, each in a line.
local function option_lines(option)
  local kind = type(option.kind) == "table" and table.concat(option.kind, " or ") or option.kind
  local default = option.default ~= nil and (" (%s)"):format(tostring(option.default)) or ""
  return kind .. (option.required and ", required" or ""), (option.help or "") .. default
end


--- Parameters of a verb, { name, type, what it is }, as lists of options have them.
local function as_options(parameters)
  local list = {}
  for i, one in ipairs(parameters) do
    list[i] = { name = one[1], kind = one[2], help = one[3] }
  end
  return list
end


local function add_list(lines, title, list)
  if list and #list > 0 then
    lines[#lines + 1] = title
    for _, option in ipairs(list) do
      local kind, help = option_lines(option)
      lines[#lines + 1] = ("  %-22s %s"):format(option.name, kind)
      lines[#lines + 1] = ("  %-22s   %s"):format("", help)
    end
  end
end


--- The options of `run` that one service adds.
local function own_options(service)
  local list = {}
  for name, rule in pairs(service.run and service.run.options or {}) do
    list[#list + 1] = { name = name, kind = rule.type or "any", required = rule.required, help = rule.help,
      default = type(rule.default) == "string" and rule.default or nil }
  end
  table.sort(list, function(a, b)
    return a.name < b.name
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
  add_list(lines, "parameters", as_options(one.parameters))
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
    "batchapi.help(name) explains a service, an operation, a verb, an option, or a topic.",
  }
  local verbs, functions = {}, {}
  for _, one in ipairs(methods) do
    local into = one.module and functions or verbs
    into[#into + 1] = one.name
  end
  lines[#lines + 1] = ("%-10s %s"):format("a client", table.concat(verbs, " "))
  lines[#lines + 1] = ("%-10s %s"):format("batchapi", table.concat(functions, " "))
  local subjects = { "options" }
  for _, topic in ipairs(topics) do
    subjects[#subjects + 1] = topic.name
  end
  lines[#lines + 1] = ("%-10s %s"):format("topics", table.concat(subjects, " "))
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
    if option.name == name then
      return ("option %s of run: %s"):format(name, (select(2, option_lines(option))))
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
      local text = one.name == name and describe.operation(service, one)
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
    return describe.operation(service, one)
  elseif name == nil then
    return describe.service(service)
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
--- or a function of the module ("run", "map"), an option, or a topic ("errors"); without a name, what
--- there is.
---@param name string|batchapi.Client|nil a client stands for its service
---@param operation_name string|nil with a client: one of its operations, or a verb
---@return string
function M.help(name, operation_name)
  if name == nil then
    return overview()
  elseif clients.is(name) then
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
      return describe.service(definition.load(name))
    end
  end
  for _, topic in ipairs(topics) do
    if topic.name == name then
      return topic.text
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
  for _, topic in ipairs(topics) do
    known[#known + 1] = topic.name
  end
  return method_text(service, one or name) or option_help(name)
    or ("nothing is called '%s'%s"):format(name, suggest.hint(name, known))
end


return M
