--- Definitions: a service as data.
---
--- A definition is a table without functions. `definition.load` checks its every word and gives the
--- form that the client works from; a word that does not fit raises, with its place.
--- The words and what each says stand in schema/.

local errors = require("batchapi.util.errors")
local runs = require("batchapi.definition.run")
local schema = require("batchapi.definition.schema")
local suggest = require("batchapi.util.suggest")
local merge = require("batchapi.definition.extends")
local parameters = require("batchapi.definition.parameters")
local url = require("batchapi.util.url")

local M = {}

local refuse = schema.refuse

local function find(list, name)
  for _, entry in ipairs(list) do
    if entry.name == name then
      return entry
    end
  end
end


--- The path's parameters in their order, each described.
local function compile_path(raw, place)
  if not raw.path:find("^/") and not raw.path:find("^{%+[%w_]+}$") then
    refuse(place .. ".path", ("must begin with '/', or be '{+name}', got '%s'"):format(raw.path))
  end
  local described = parameters.list(raw.parameters, place .. ".parameters")
  local ordered = {}
  for at, reserved, name in raw.path:gmatch("(){(%+?)([%w_]+)}") do
    local parameter = find(described, name) or { name = name, type = "string" }
    parameter.place = reserved == "" and "segment" or at == 1 and "url" or "path"
    if parameter.type ~= "string" and parameter.type ~= "integer" then
      refuse(place .. ".parameters",
        ("'%s' stands in the path: its type must be string or integer"):format(name))
    end
    if parameter.type == "string" then
      parameter.min_length = parameter.min_length or 1
    end
    ordered[#ordered + 1] = parameter
  end
  for _, parameter in ipairs(described) do
    if not find(ordered, parameter.name) then
      refuse(place .. ".parameters",
        ("'{%s}' does not stand in the path %s"):format(parameter.name, raw.path))
    end
  end
  return ordered
end


local default_repeats = {
  GET = "safe", HEAD = "safe", PUT = "idempotent", DELETE = "idempotent",
  POST = "never_sent", PATCH = "never_sent",
}


local function check_page(page, operation, place)
  if page.from ~= "link" and not find(operation.query, page.query) then
    refuse(place .. ".query", ("the operation has no query parameter '%s'"):format(page.query))
  elseif page.size and not find(operation.query, page.size) then
    refuse(place .. ".size", ("the operation has no query parameter '%s'"):format(page.size))
  elseif (page.from == "last_item" or page.from == "answer" or page.from == "link")
    and not page.field then
    refuse(place, ("from = '%s' needs 'field'"):format(page.from))
  end
end


local function check_weights(weights, limits, place)
  for i, weight in ipairs(weights or {}) do
    local here = ("%s[%d]"):format(place, i)
    if not find(limits, weight.limit) then
      refuse(here .. ".limit", ("the service has no limit '%s'"):format(weight.limit))
    elseif (weight.weight == nil) == (weight.count == nil) then
      refuse(here, "needs either 'weight' or 'count'")
    elseif (weight.one_of or weight.none_of) and not weight.field then
      refuse(here, "'one_of' and 'none_of' need 'field'")
    end
  end
end


local function check_body(raw, body, place)
  if raw.content and not body then
    refuse(place .. ".content", "stands without a body")
  elseif raw.nesting and raw.content ~= "multipart" and raw.content ~= "form" then
    refuse(place .. ".nesting", "is for content = 'multipart' or 'form'")
  elseif raw.content == "bytes" then
    if body.type ~= "file" then
      refuse(place .. ".body.type", "must be 'file' for content = 'bytes'")
    end
  elseif body and raw.content and raw.content ~= "json" and not body.fields then
    refuse(place .. ".body", "needs 'fields' to be written as a form")
  elseif body and body.type == "file" then
    refuse(place .. ".content", "must be 'bytes' where the body is a file")
  end
  for i, field in ipairs(body and body.fields or {}) do
    if field.type == "file" and raw.content ~= "multipart" then
      refuse(("%s.body.fields[%d]"):format(place, i), "a file needs content = 'multipart'")
    end
  end
end


local function compile_operation(raw, limits, place)
  local operation = {
    name = raw.name, method = raw.method, path = raw.path, summary = raw.summary,
      example = raw.example,
    parameters = compile_path(raw, place),
    query = parameters.list(raw.query, place .. ".query"),
    body = raw.body and parameters.one(raw.body, place .. ".body"),
    content = raw.body and (raw.content or "json"),
    nesting = raw.nesting or "bracket",
    answer = raw.answer or "json",
    headers = raw.headers or {},
    idempotency_key = raw.idempotency_key,
    repeats = raw.repeats or raw.idempotency_key and "idempotent" or default_repeats[raw.method],
    repeats_if = raw.repeats_if, unaccepted = raw.unaccepted, weights = raw.weights,
    page = raw.page, credential = raw.credential, redirects = raw.redirects,
  }
  check_body(raw, operation.body, place)
  check_weights(raw.weights, limits, place .. ".weights")
  if raw.page then
    check_page(raw.page, operation, place .. ".page")
  end
  operation.takes_file = operation.answer ~= "json"
  operation.sends_file = operation.content == "bytes"
  for _, field in ipairs(operation.body and operation.body.fields or {}) do
    operation.sends_file = operation.sends_file or field.type == "file"
  end
  return operation
end


local function check_ways(auth)
  local needs = { basic = "user_option", header = "header", oauth_refresh = "token_url" }
  for i, way in ipairs(auth) do
    local word = needs[way.kind]
    if word and not way[word] then
      refuse(("auth[%d]"):format(i), ("kind = '%s' needs '%s'"):format(way.kind, word))
    end
  end
end


--- An option's value must go somewhere: what is accepted and ignored helps nobody.
local function compile_options(raw)
  local options = {}
  local silencing = {}
  for i, option in ipairs(raw.options or {}) do
    local place = ("options[%d]"):format(i)
    local sinks = option.header or option.query or raw.base_url:find("{" .. option[1] .. "}", 1,
      true)
    for _, limit in ipairs(raw.limits or {}) do
      sinks = sinks or limit.per_minute_option == option[1]
    end
    if not sinks then
      refuse(place,
        ("'%s' goes nowhere: give it 'header' or 'query', or use it in base_url"):format(option[1]))
    end
    local facet = {}
    for word, content in pairs(option) do
      if word ~= "environment" and word ~= "header" and word ~= "query" then
        facet[word] = content
      end
    end
    local compiled = parameters.one(facet, place)
    compiled.environment, compiled.header, compiled.query = option.environment, option.header,
      option.query
    options[i], silencing[option[1]] = compiled, true
  end
  for i, name in ipairs(raw.changes and raw.changes.silenced_by or {}) do
    if not silencing[name] then
      refuse(("changes.silenced_by[%d]"):format(i), ("there is no option '%s'"):format(name))
    end
  end
  return options
end


local function check_wait(wait, by_name)
  local operation = by_name[wait.operation]
  if not operation then
    local names = {}
    for name in pairs(by_name) do
      names[#names + 1] = name
    end
    refuse("wait.operation", ("there is no operation '%s'%s"):format(wait.operation,
      suggest.hint(wait.operation, names)))
  elseif #operation.parameters == 0 then
    refuse("wait.operation", ("'%s' has no path parameter to name a job by"):format(wait.operation))
  end
end


local function compile_operations(raw, compiled)
  for i, operation in ipairs(raw.operations) do
    local place = ("operations[%d]"):format(i)
    if not operation.name:match("^[%a_][%w_]*$") then
      refuse(place .. ".name", ("'%s' is no name for a method"):format(operation.name))
    elseif compiled.by_name[operation.name] then
      refuse(place .. ".name", ("'%s' stands twice"):format(operation.name))
    end
    local one = compile_operation(operation, compiled.limits, place)
    compiled.operations[i], compiled.by_name[operation.name] = one, one
  end
end


--- With each option in braces standing for a host, a part of one, or a whole URL.
local function check_base_url(text)
  local filled = text:gsub("^{[%w_]+}", "https://host"):gsub("{[%w_]+}", "x")
  local fault = url.base_fault(filled)
  if fault then
    refuse("base_url", fault)
  end
end


local function compile(raw)
  check_base_url(raw.base_url)
  if raw.limits and #raw.limits > 4 then
    refuse("limits", "at most four limits")
  end
  local compiled = {
    name = raw.name, title = raw.title or raw.name, documentation = raw.documentation,
    base_url = raw.base_url:gsub("/+$", ""), environment = raw.environment,
    base_path = raw.base_path,
    headers = raw.headers or {}, query = raw.query or {},
    auth = type(raw.auth) == "table" and raw.auth or {},
    errors = raw.errors or {}, response = raw.response or {}, limits = raw.limits or {},
    changes = raw.changes, wait = raw.wait, run = raw.run,
    operations = {}, by_name = {},
  }
  check_ways(compiled.auth)
  compiled.options = compile_options(raw)
  compile_operations(raw, compiled)
  if raw.wait then
    check_wait(raw.wait, compiled.by_name)
  end
  if raw.run then
    runs.check(raw.run, compiled)
  end
  return compiled
end

-- Compiled once for each table; a definition that is dropped takes its compiled form along.
local loaded = setmetatable({}, { __mode = "k" })


--- Checks a definition and gives the form the client works from. Raises where a word does not fit.
---@param definition table|string a definition, or the name of one that is shipped
---@return table
function M.load(definition)
  if type(definition) == "string" then
    definition = merge.shipped(definition)
  elseif type(definition) ~= "table" then
    errors.misuse("a definition is a table, got a %s", type(definition))
  end
  local compiled = loaded[definition]
  if not compiled then
    local merged, inherits = merge.extended(definition)
    schema.check(merged, "definition", "")
    compiled = compile(merged)
    compiled.inherits = inherits -- the name of the service whose credentials these are
    loaded[definition] = compiled
  end
  return compiled
end

return M
