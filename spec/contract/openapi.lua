--- Reads an OpenAPI document: its operations, values that fit their schemas, and values that do not.

local core = require("batchapi.core")

local M = {}

local null_schema = { type = "null" }


--- The schema behind a reference, the one that counts among alternatives (null apart), and whether null is
--- one of these.
local function resolve(document, schema)
  local nullable = false
  while schema and schema["$ref"] do
    local at = document
    for step in schema["$ref"]:gsub("^#/", ""):gmatch("[^/]+") do
      at = at[step:gsub("~1", "/"):gsub("~0", "~")]
    end
    schema = at
  end
  for _, word in ipairs{ "anyOf", "oneOf", "allOf" } do
    if schema and schema[word] then
      for _, alternative in ipairs(schema[word]) do
        nullable = nullable or alternative.type == "null"
      end
      for _, alternative in ipairs(schema[word]) do
        local inner = resolve(document, alternative)
        if inner and inner.type ~= "null" then
          return inner, nullable
        end
      end
    end
  end
  return schema or null_schema, nullable
end

M.resolve = resolve


--- A string for a schema. Patterns are met by what the schemas at hand give as examples.
local function text_for(schema, name)
  local pattern = schema.pattern
  if type(schema.example) == "string" then
    return schema.example
  elseif schema.enum then
    return schema.enum[1]
  elseif schema.format == "date" then
    return "2025-06-30"
  elseif schema.format == "binary" then
    return { content = "{}\n", filename = "sample.jsonl" }
  elseif pattern and pattern:find("csv", 1, true) then
    return "base.csv"
  elseif pattern and pattern:find("^%^/") then
    return "/sample/1"
  end
  return (name or "sample") .. "-1"
end


--- A value that fits: with `whole` every optional field too. Fields in `left_out` (by name) never.
function M.sample(document, schema, name, whole, left_out)
  schema = resolve(document, schema)
  local kind = schema.type
  if kind == "object" or schema.properties then
    if not schema.properties then
      return { sample = "value" }
    end
    local required = {}
    for _, field in ipairs(schema.required or {}) do
      required[field] = true
    end
    local made = {}
    for field, inner in pairs(schema.properties) do
      if not left_out[field] and (whole or required[field] or not schema.required) then
        made[field] = M.sample(document, inner, field, whole, left_out)
      end
    end
    return made
  elseif kind == "array" then
    return { M.sample(document, schema.items, name, whole, left_out) }
  elseif kind == "integer" or kind == "number" then
    return schema.minimum or schema.default or 1
  elseif kind == "boolean" then
    return true
  end
  return text_for(schema, name)
end


local function repeated(count)
  return ("x"):rep(count)
end


--- Values that a schema forbids by type, range or length: a list of { what, value }.
local function faults_of(schema)
  local kind, list = schema.type, {}
  local function add(what, value)
    list[#list + 1] = { what = what, value = value }
  end
  if kind == "string" and schema.format ~= "binary" then
    add("a number for a string", 5)
    if schema.maxLength then
      add("too long", repeated(schema.maxLength + 1))
    end
    if (schema.minLength or 0) > 0 then
      add("too short", "")
    end
    if schema.format == "date" then
      add("no date", "30.06.2025")
    elseif schema.pattern then
      add("not of the pattern", "a?b")
    end
  elseif kind == "integer" or kind == "number" then
    add("a string for a number", "abc")
    if schema.minimum then
      add("below the minimum", schema.minimum - 1)
    end
    if schema.maximum then
      add("above the maximum", schema.maximum + 1)
    end
    if kind == "integer" then
      add("a fraction", (schema.minimum or 1) + 0.5)
    end
  elseif kind == "boolean" then
    add("a string for a boolean", "yes")
  elseif kind == "array" then
    add("a string for an array", "abc")
    if (schema.minItems or 0) > 0 then
      add("too few items", setmetatable({}, core.array_mt))
    end
  elseif kind == "object" or schema.properties then
    add("an array for an object", setmetatable({ "x" }, core.array_mt))
  end
  return list
end


local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local made = {}
  for key, inner in pairs(value) do
    made[key] = copy(inner)
  end
  return setmetatable(made, getmetatable(value))
end


--- A copy of `whole` with another value at a place.
local function changed(whole, place, value)
  if #place == 0 then
    return value
  end
  local made = copy(whole)
  local at = made
  for i = 1, #place - 1 do
    at = at[place[i]]
  end
  at[place[#place]] = value
  return made
end


local function extended(place, step)
  local longer = copy(place)
  longer[#longer + 1] = step
  return longer
end


local visit


local function visit_map(document, schema, whole, place, found)
  local function add(what, value)
    found[#found + 1] = { what = what, place = place, body = changed(whole, place, value) }
  end
  local inner = type(schema.additionalProperties) == "table" and resolve(document, schema.additionalProperties)
  if inner and inner.type == "string" then
    add("a number for a value", { sample = 5 })
    if inner.maxLength then
      add("a value too long", { sample = repeated(inner.maxLength + 1) })
    end
  end
  if schema.propertyNames and schema.propertyNames.maxLength then
    add("a key too long", { [repeated(schema.propertyNames.maxLength + 1)] = "x" })
  end
  if schema.maxProperties then
    local many = {}
    for i = 1, schema.maxProperties + 1 do
      many["k" .. i] = "x"
    end
    add("too many pairs", many)
  end
end


local function visit_array(document, schema, value, whole, place, found, left_out)
  if schema.maxItems then
    local many = {}
    for i = 1, schema.maxItems + 1 do
      many[i] = copy(value[1])
    end
    found[#found + 1] = { what = "too many items", place = place, body = changed(whole, place, many) }
  end
  visit(document, schema.items, value[1], whole, extended(place, 1), found, left_out)
end


function visit(document, schema, value, whole, place, found, left_out)
  schema = resolve(document, schema)
  for _, fault in ipairs(faults_of(schema)) do
    found[#found + 1] = { what = fault.what, place = place, body = changed(whole, place, fault.value) }
  end
  if schema.properties then
    for _, field in ipairs(schema.required or {}) do
      local without = changed(whole, extended(place, field), nil)
      found[#found + 1] = { what = "missing", place = extended(place, field), body = without }
    end
    for field, inner in pairs(schema.properties) do
      if not left_out[field] and value[field] ~= nil then
        visit(document, inner, value[field], whole, extended(place, field), found, left_out)
      end
    end
  elseif schema.type == "object" then
    visit_map(document, schema, whole, place, found)
  elseif schema.type == "array" then
    visit_array(document, schema, value, whole, place, found, left_out)
  end
end


--- Bodies that a schema forbids: each { what, place (names down to the field), body }.
function M.wrong_bodies(document, schema, whole, left_out)
  local found = {}
  visit(document, schema, whole, whole, {}, found, left_out)
  local inner = {}
  for _, wrong in ipairs(found) do
    if #wrong.place > 0 then -- a body that is no table at all is misuse, and raises
      inner[#inner + 1] = wrong
    end
  end
  return inner
end


--- Values that a parameter's schema forbids.
function M.wrong_values(document, schema)
  return faults_of(resolve(document, schema))
end


local verbs = { get = true, put = true, post = true, delete = true, patch = true, head = true }


--- The operations of a document, in the order of their paths.
function M.operations(document)
  local list = {}
  for path, item in pairs(document.paths) do
    for verb, operation in pairs(item) do
      if verbs[verb] then
        local parameters = {}
        for _, parameter in ipairs(item.parameters or {}) do
          parameters[#parameters + 1] = resolve(document, parameter)
        end
        for _, parameter in ipairs(operation.parameters or {}) do
          parameters[#parameters + 1] = resolve(document, parameter)
        end
        local media, content = next(operation.requestBody and operation.requestBody.content or {})
        list[#list + 1] = {
          id = operation.operationId or verb .. path, method = verb:upper(), path = path, parameters = parameters,
          media = media, schema = content and content.schema,
        }
      end
    end
  end
  table.sort(list, function(a, b)
    return a.path .. a.method < b.path .. b.method
  end)
  return list
end


return M
