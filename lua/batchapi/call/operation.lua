--- Turns an operation and its arguments into a request for the exchange layer.
---
--- Nothing here touches the network. A wrong kind of argument raises; a value the service is known
--- to refuse is the failure triple of kind "invalid".

local among = require("batchapi.util.among")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local multipart = require("batchapi.call.multipart")
local path = require("batchapi.util.path")
local suggest = require("batchapi.util.suggest")
local url = require("batchapi.util.url")
local values = require("batchapi.check.values")

local M = {}


--- "retrieve_batch(batch_id)": how an operation is called, for messages and lists.
---@param operation table
---@return string
function M.signature(operation)
  local parts = {}
  for i, parameter in ipairs(operation.parameters) do
    parts[i] = parameter.name
  end
  local function table_of(fields)
    local names = {}
    for i, field in ipairs(fields) do
      names[i] = field.required and field.name or "[" .. field.name .. "]"
    end
    return #names > 0 and "{ " .. table.concat(names, ", ") .. " }" or "{ … }"
  end
  if operation.body then
    parts[#parts + 1] = table_of(operation.body.fields or {})
  end
  local query = {}
  for i, field in ipairs(operation.query) do
    query[i] = field
  end
  if operation.answer ~= "json" then
    query[#query + 1] = { name = "to" }
  end
  if #query > 0 then
    parts[#parts + 1] = table_of(query)
  end
  return ("%s(%s)"):format(operation.name, table.concat(parts, ", "))
end


local function bad_argument(operation, position, message)
  errors.misuse("bad argument #%d to '%s' (%s); call it as %s",
    position, operation.name, message, M.signature(operation))
end


--- The last argument that is not nil.
local function count_of(arguments)
  local count = arguments.n
  while count > 0 and arguments[count] == nil do
    count = count - 1
  end
  return count
end


--- Sorts arguments into path segments, body and query; raises on a wrong number or Lua type.
---@param operation table
---@param arguments table packed, with n
---@return table segments, table|nil body, table|nil query
function M.arguments(operation, arguments)
  local names = #operation.parameters
  local most = names + (operation.body and 1 or 0) + 1
  local count = count_of(arguments)
  if count > most then
    errors.misuse("too many arguments to '%s' (%d); call it as %s",
      operation.name, count, M.signature(operation))
  end
  local segments = {}
  for i, parameter in ipairs(operation.parameters) do
    local value = arguments[i]
    if type(value) ~= "string" and not (parameter.type == "integer"
      and type(value) == "number") then
      bad_argument(operation, i, ("%s: a %s expected, got %s"):format(parameter.name,
        parameter.type,
        value == nil and "no value" or "a " .. type(value)))
    end
    segments[i] = value
  end
  local body, query
  if operation.body then
    body, query = arguments[names + 1], arguments[names + 2]
    local fits = type(body) == "table" or (operation.content == "bytes" and type(body) == "string")
    if not fits and (body ~= nil or operation.body.required) then
      bad_argument(operation, names + 1, "the body: a table expected, got "
        .. (body == nil and "no value" or "a " .. type(body)))
    end
  else
    query = arguments[names + 1]
  end
  if query ~= nil and type(query) ~= "table" then
    bad_argument(operation, operation.body and names + 2 or names + 1,
      "the query: a table expected, got a " .. type(query))
  end
  return segments, body, query
end


--- A segment that would leave its place, or a URL that is none, is refused.
local function segment_of(value, parameter)
  if parameter.place == "url" then
    if not value:find("^[Hh][Tt][Tt][Pp][Ss]?://[^%s%c]+$") then
      return nil, parameter.name .. " must be a URL"
    end
    return value
  end
  local steps = parameter.place == "path" and value:gmatch("[^/]+") or value:gmatch(".+")
  for step in steps do
    if step == "." or step == ".." then
      return nil, ("%s must not be '%s'"):format(parameter.name, step)
    end
  end
  return value
end


local function check_segments(operation, segments)
  local checked = {}
  for i, parameter in ipairs(operation.parameters) do
    local value, why = values.check(segments[i], parameter, parameter.name)
    if value == nil then
      return nil, why
    end
    checked[i], why = segment_of(url.scalar(value), parameter)
    if not checked[i] then
      return nil, why
    end
  end
  return checked
end


--- Checks a query against its description and appends it to the pairs. Raises on an unknown name.
local function check_query(operation, query, pairs_list)
  local key = values.unknown_key(query, operation.query)
  if key then
    local known = {}
    for i, parameter in ipairs(operation.query) do
      known[i] = parameter.name
    end
    errors.misuse("'%s' has no parameter '%s'%s; call it as %s",
      operation.name, key, suggest.hint(key, known), M.signature(operation))
  end
  for _, parameter in ipairs(operation.query) do
    local value = query[parameter.name]
    if value == nil then
      value = parameter.always
    end
    if value == nil and parameter.required then
      return nil, parameter.name .. " is required"
    elseif value ~= nil then
      local checked, why = values.check(value, parameter, parameter.name)
      if checked == nil then
        return nil, why
      end
      url.add(pairs_list, parameter.name, checked, parameter.list)
    end
  end
  return true
end


--- Whether every element's field is one of the words: Asana's "only reads are repeated".
local function every_is(body, rule)
  local list = path.get(body, rule.every)
  if type(list) ~= "table" then
    return false
  end
  for _, element in ipairs(list) do
    if not among(path.get(element, rule.field), rule.one_of) then
      return false
    end
  end
  return true
end


local function weight_of(weight, body)
  if weight.weight then
    return weight.weight
  end
  local count = 0
  for _, element in ipairs(path.get(body, weight.count) or {}) do
    local word = weight.field and path.get(element, weight.field)
    local counts = (not weight.one_of or among(word, weight.one_of))
      and (not weight.none_of or not among(word, weight.none_of))
    count = count + (counts and 1 or 0)
  end
  return count
end


--- What the call takes of the client's limits, or nil.
local function weights_of(operation, body)
  if not operation.weights then
    return nil
  end
  local weights = {}
  for _, weight in ipairs(operation.weights) do
    weights[weight.limit] = (weights[weight.limit] or 0) + weight_of(weight, body or {})
  end
  return weights
end


--- A file as it is: its path, or its content.
local function set_bytes(request, body)
  local file = type(body) == "string" and { path = body } or body
  request.body, request.body_file = file.content, file.path
  request.content_type = file.type or "application/octet-stream"
  return true
end


local function set_body(request, operation, body, codec)
  if operation.content == "bytes" then
    return set_bytes(request, body)
  end
  if operation.content == "multipart" then
    request.parts = multipart.parts(body, operation)
    return true
  elseif operation.content == "form" then
    request.body = multipart.form(body, operation)
    request.content_type = "application/x-www-form-urlencoded"
    return true
  end
  local text, message, err = codec.encode(body)
  if not text then
    return nil, message, err
  end
  request.body = text
  request.content_type = "application/json"
  return true
end


--- Takes `to` out of a query: it names the file that takes the answer, not a parameter of the
--- service.
local function take_to(request, operation, query)
  if operation.answer == "json" or query.to == nil then
    return query
  elseif type(query.to) ~= "string" or query.to == "" then
    bad_argument(operation, #operation.parameters + (operation.body and 2 or 1),
      "to: the path of a file expected")
  end
  request.to = query.to
  local rest = {}
  for name, value in pairs(query) do
    rest[name] = value
  end
  rest.to = nil
  return rest
end


--- Method, path and query of a call, and what belongs to the operation as such.
local function begin(operation, segments, query)
  local why
  segments, why = check_segments(operation, segments)
  if not segments then
    return errors.invalid(operation.name, why)
  end
  local request = {
    method = operation.method, path = url.fill(operation.path, segments), query = {},
    repeats = operation.repeats, unaccepted = operation.unaccepted,
    no_credential = operation.credential == false or nil, allow_redirects = operation.redirects
      or nil,
    raw = operation.answer ~= "json" or nil,
    takes_file = operation.takes_file, sends_file = operation.sends_file,
  }
  if operation.idempotency_key then
    request.idempotency = { [operation.idempotency_key] = core.random(16) }
  end
  query = take_to(request, operation, query or {})
  local ok
  ok, why = check_query(operation, query, request.query)
  if not ok then
    return errors.invalid(operation.name, why)
  end
  return request
end


--- Checks and writes the body, and what depends on it.
local function add_body(request, operation, body, codec)
  local checked, why = values.check_body(body, operation.body)
  if checked == nil then
    return errors.invalid(operation.name, why)
  end
  local ok, message, err = set_body(request, operation, checked, codec)
  if not ok then
    return errors.adopt(operation.name, err, message)
  end
  if operation.repeats_if and every_is(checked, operation.repeats_if) then
    request.repeats = operation.repeats_if.repeats
  end
  request.weights = weights_of(operation, checked)
  return request
end


--- Builds the request of a call: method, path with its query, body, how it may be repeated, what it
--- takes of the limits. request.lua adds address, headers and times.
---@param operation table as definition.load gives it
---@param arguments table packed, with n
---@param codec table as json/codec.lua gives it
---@return table|nil request, string|nil message, batchapi.Error|nil err
function M.build(operation, arguments, codec)
  local segments, body, query = M.arguments(operation, arguments)
  local request, message, err = begin(operation, segments, query)
  if request and body ~= nil then
    return add_body(request, operation, body, codec)
  elseif request then
    request.weights = weights_of(operation)
  end
  return request, message, err
end


--- The same for a caller that brings the body's bytes: the arguments are the path's parameters and
--- the query.
---@param operation table
---@param arguments table
---@return table|nil request, string|nil message, batchapi.Error|nil err
function M.build_without_body(operation, arguments)
  local bare = setmetatable({ body = false }, { __index = operation })
  local segments, _, query = M.arguments(bare, arguments)
  return begin(operation, segments, query)
end


return M
