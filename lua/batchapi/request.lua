--- From an operation's request (operation.lua) to what goes on the wire: address, headers, times,
--- caps.

local errors = require("batchapi.errors")
local operation = require("batchapi.operation")
local origin = require("batchapi.origin")
local suggest = require("batchapi.suggest")
local url = require("batchapi.url")

local M = {}


--- The value of the option a base URL names in braces.
local function placeholder(definition, settings, name)
  local value = settings.own[name]
  if value == nil then
    local variable
    for _, option in ipairs(definition.options) do
      variable = option.name == name and option.environment or variable
    end
    return nil, ("no address: give the option %s%s, or base_url"):format(name,
      variable and " or the variable " .. variable or "")
  end
  return (tostring(value):gsub("/+$", ""))
end


--- The base URL of a client: the option, the variable, or the definition's with its options filled
--- in.
---@param definition table
---@param settings table
---@return string|nil base_url without a slash at its end
function M.base_url(definition, settings)
  local given = settings.base_url
  local variable = definition.environment and os.getenv(definition.environment)
  if not given and variable and variable ~= "" then
    given = variable
    if not variable:match("^[Hh][Tt][Tt][Pp][Ss]?://[^/@%s]+[^?#%s]*$") then
      return errors.invalid(definition.name,
        ("the variable %s must be a URL that begins with https:// or "
        .. "http:// and holds no user, password or query"):format(definition.environment))
    end
  end
  if given then
    return (given:gsub("/+$", ""))
  end
  local why
  local filled = definition.base_url:gsub("{([%w_]+)}", function(name)
    local value, message = placeholder(definition, settings, name)
    why = why or message
    return value
  end)
  if why then
    return errors.invalid(definition.name, why)
  end
  return filled
end


--- Headers in order, a later one of the same name in an earlier one's place.
local function headers_of(...)
  local list, at = {}, {}
  for i = 1, select("#", ...) do
    local names = {}
    local headers = select(i, ...) or {}
    for name in pairs(headers) do
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      local place = at[name:lower()] or #list + 1
      list[place], at[name:lower()] = { name, headers[name] }, place
    end
  end
  return list
end


--- What the service's own options send.
local function own_headers(definition, settings)
  local headers = {}
  for _, option in ipairs(definition.options) do
    local value = settings.own[option.name]
    if option.header and value ~= nil then
      headers[option.header] = type(value) == "table" and table.concat(value, ",")
        or url.scalar(value)
    end
  end
  return headers
end


local function own_query(definition, settings, list)
  local names = {}
  for name in pairs(definition.query) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    url.add(list, name, definition.query[name])
  end
  for _, option in ipairs(definition.options) do
    local value = settings.own[option.name]
    if option.query and value ~= nil then
      url.add(list, option.query, value)
    end
  end
end


--- The address of a path with its query. A whole URL came from the service or the caller: the
--- definition's own query is not added to it.
local function address(client, path, query)
  local whole = path:find("^%a+://") ~= nil
  local list = {}
  if not whole then
    own_query(client._definition, client._settings, list)
  end
  for _, pair in ipairs(query) do
    list[#list + 1] = pair
  end
  local text = whole and path or client._base_url .. path
  if #list > 0 then
    text = text .. (text:find("?", 1, true) and "&" or "?") .. url.query(list)
  end
  return text
end


--- Whether a request leaves the client's origin. What the client's options say is not for others.
local function is_foreign(client, path)
  return path:find("^%a+://") ~= nil and origin.of(path) ~= client._origin
end


--- The headers of a request. What an operation always sends is put together once.
local function headers_for(client, built, one_headers, overrides, path)
  local definition, settings = client._definition, client._settings
  local content_type = overrides.content_type or built.content_type
  local fixed = { Accept = "application/json", ["Content-Type"] = content_type }
  if is_foreign(client, path) then
    return headers_of(fixed, one_headers, overrides.headers)
  end
  local plain = not built.idempotency and not overrides.headers and one_headers
  local kept = plain and client._headers[one_headers]
  local key = content_type or ""
  if kept and kept[key] then
    return kept[key]
  end
  local list = headers_of(fixed, built.idempotency, definition.headers, own_headers(definition, settings),
    one_headers, settings.headers, overrides.headers)
  if plain then
    kept = kept or {}
    kept[key], client._headers[one_headers] = list, kept
  end
  return list
end


--- Times and caps: the client's, a file transfer's (no deadline unless one was given), the
--- caller's.
local function add_limits(wire, client, transfer, overrides)
  local settings = client._settings
  wire.timeout = overrides.timeout or settings.timeout or (transfer and -1 or nil)
  wire.connect_timeout = settings.connect_timeout
  wire.stall_timeout = overrides.stall_timeout or settings.stall_timeout
  wire.max_retries = overrides.max_retries or settings.max_retries
  wire.max_body_bytes = settings.max_body_bytes
  wire.max_header_bytes = settings.max_header_bytes
  wire.record_attempts = settings.on_request and true or nil
end


local function add_error_words(wire, definition)
  local words = definition.errors
  if words.final and #words.final > 0 then
    wire.final_codes = words.final
    wire.code_paths = words.code or { "error.code", "code" }
  end
end


local function wire_of(client, built, headers, overrides)
  local path = overrides.url or built.path
  local wire = {
    method = built.method,
    url = address(client, path, overrides.url and {} or built.query),
    headers = headers_for(client, built, headers, overrides, path),
    body = overrides.body or built.body, body_producer = overrides.body_producer,
    body_file = overrides.body_file or not overrides.body_producer and built.body_file or nil,
    parts = overrides.parts or built.parts, to = overrides.to or built.to,
    repeats = overrides.repeats or built.repeats, unaccepted = built.unaccepted,
    weights = built.weights, no_credential = built.no_credential,
    allow_redirects = built.allow_redirects,
  }
  add_limits(wire, client, built.sends_file or built.takes_file or wire.to, overrides)
  add_error_words(wire, client._definition)
  return wire
end


--- The request of an operation.
---@param client batchapi.Client
---@param one table the operation
---@param arguments table packed
---@param overrides table see client.lua
---@return table|nil made { wire, answer, to }
---@return string|nil message, batchapi.Error|nil err
function M.for_operation(client, one, arguments, overrides)
  local built, message, err
  local bytes = overrides.body or overrides.body_producer or overrides.body_file
  if bytes or overrides.parts then
    built, message, err = operation.build_without_body(one, arguments)
  else
    built, message, err = operation.build(one, arguments, client._codec)
  end
  if not built then
    return nil, message, err
  end
  if bytes then
    built.content_type = built.content_type or "application/json"
  end
  local wire = wire_of(client, built, one.headers, overrides)
  return { wire = wire, answer = overrides.text and "bytes" or one.answer == "jsonl" and "bytes"
    or one.answer,
    to = wire.to }
end


local free_words = { "method", "path", "query", "body", "headers", "to", "repeats" }
local free_kinds = { method = "string", path = "string", query = "table", headers = "table",
  to = "string", repeats = "string" }
local methods_known = { GET = "safe", HEAD = "safe", PUT = "idempotent", DELETE = "idempotent",
  POST = "never_sent",
  PATCH = "never_sent" }


local function check_free(given)
  if type(given) ~= "table" then
    errors.misuse("request: a table { method, path, query, body } expected, got a " .. type(given))
  end
  for word, value in pairs(given) do
    local known = free_kinds[word] or word == "body"
    if not known then
      errors.misuse("request has no field '%s'%s",
        tostring(word), suggest.hint(tostring(word), free_words))
    elseif free_kinds[word] and type(value) ~= free_kinds[word] then
      errors.misuse("request: %s must be a %s, got a %s", word, free_kinds[word], type(value))
    end
  end
  if not given.path then
    errors.misuse("request: the field path is missing")
  elseif given.body ~= nil and type(given.body) ~= "table" and type(given.body) ~= "string" then
    errors.misuse("request: body must be a table or a string, got a " .. type(given.body))
  end
end


--- The request of a call that no operation describes.
---@param client batchapi.Client
---@param given table
---@return table|nil made, string|nil message, batchapi.Error|nil err
function M.free(client, given)
  check_free(given)
  local method = (given.method or "GET"):upper()
  if not methods_known[method] then
    errors.misuse("request: '%s' is no method that is known", given.method)
  elseif given.repeats and given.repeats ~= "safe" and given.repeats ~= "idempotent"
    and given.repeats ~= "never_sent" then
    errors.misuse("request: repeats must be safe, idempotent or never_sent")
  elseif not given.path:match("^/") and not given.path:match("^https?://") then
    errors.misuse("request: path must begin with '/', or be a URL")
  end
  local name = method .. " " .. (given.path:match("^[^?#]*") or "")
  local built = { method = method, path = given.path, query = {}, repeats = given.repeats
    or methods_known[method],
    to = given.to }
  local names = {}
  for key in pairs(given.query or {}) do
    names[#names + 1] = key
  end
  table.sort(names)
  for _, key in ipairs(names) do
    url.add(built.query, key, given.query[key])
  end
  if type(given.body) == "table" then
    local text, message, err = client._codec.encode(given.body)
    if not text then
      return errors.adopt(name, err, message)
    end
    built.body, built.content_type = text, "application/json"
  else
    built.body = given.body
  end
  local wire = wire_of(client, built, nil, { headers = given.headers or {} })
  return { name = name, wire = wire, answer = "text",
    to = given.to }
end


return M
