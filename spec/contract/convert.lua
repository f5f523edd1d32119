--- Makes a definition of an OpenAPI document, for services that are not shipped: what the document says of
--- types, ranges, lengths and absence becomes words of the format.

local M = {}


--- "getBatchStatus", "get-batch status": get_batch_status.
local function method_name(id)
  return (id:gsub("(%l)(%u)", "%1_%2"):gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", ""):lower())
end


local plain_types = { string = true, integer = true, number = true, boolean = true }

local convert


local function convert_object(resolve, schema, made)
  if not schema.properties then
    made.type = "map"
    made.max_pairs, made.min_pairs = schema.maxProperties, schema.minProperties
    made.key_max_length = schema.propertyNames and schema.propertyNames.maxLength
    if type(schema.additionalProperties) == "table" then
      made.values = convert(resolve, schema.additionalProperties)
    end
    return made
  end
  made.type, made.fields, made.closed = "object", {}, schema.additionalProperties == false or nil
  local required = {}
  for _, name in ipairs(schema.required or {}) do
    required[name] = true
  end
  for name, inner in pairs(schema.properties) do
    local field = convert(resolve, inner)
    field[1], field.required = name, required[name]
    made.fields[#made.fields + 1] = field
  end
  table.sort(made.fields, function(a, b)
    return a[1] < b[1]
  end)
  return made
end


--- A description of a schema. Enumerations become open lists: a service's list grows.
function convert(resolve, schema)
  local inner, nullable = resolve(schema)
  local made = { nullable = nullable or inner.nullable or nil }
  local kind = inner.type
  if inner.format == "binary" then
    made.type = "file"
  elseif kind == "object" or inner.properties then
    return convert_object(resolve, inner, made)
  elseif kind == "array" then
    made.type, made.min_items, made.max_items = "array", inner.minItems, inner.maxItems
    made.items = inner.items and convert(resolve, inner.items)
  elseif plain_types[kind] then
    made.type = kind
    if kind == "string" then
      made.min_length, made.max_length, made.known = inner.minLength, inner.maxLength, inner.enum
      if inner.format == "date" then
        made.pattern, made.pattern_help = "^%d%d%d%d%-%d%d%-%d%d$", "a date YYYY-MM-DD"
      end
    elseif kind ~= "boolean" then
      made.min, made.max = inner.minimum, inner.maximum
    end
  else
    made.type = "any"
  end
  return made
end


local contents = {
  ["application/json"] = "json", ["multipart/form-data"] = "multipart",
  ["application/x-www-form-urlencoded"] = "form",
}


local function convert_operation(resolve, operation)
  local made = {
    name = method_name(operation.id), method = operation.method, path = operation.path, parameters = {}, query = {},
  }
  for _, parameter in ipairs(operation.parameters) do
    local described = convert(resolve, parameter.schema or { type = "string" })
    described[1] = parameter.name
    if parameter["in"] == "path" then
      described.type = described.type == "integer" and "integer" or "string"
      made.parameters[#made.parameters + 1] = described
    elseif parameter["in"] == "query" then
      described.required = parameter.required
      described.list = described.type == "array" and (parameter.explode ~= false and "repeat" or "comma") or nil
      made.query[#made.query + 1] = described
    end
  end
  if operation.schema and contents[operation.media] then
    made.body, made.content = convert(resolve, operation.schema), contents[operation.media]
    made.body.required = true
  end
  return made
end


--- A definition of a document.
---@param operations table[] as openapi.operations gives them
---@param resolve fun(schema: table): table, boolean the schema behind references, and whether null may stand
---@return table
function M.definition(operations, resolve)
  local made = { name = "document", base_url = "http://127.0.0.1", auth = "none", operations = {} }
  for i, operation in ipairs(operations) do
    made.operations[i] = convert_operation(resolve, operation)
  end
  return made
end


return M
