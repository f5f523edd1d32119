--- From an operation's request (operation.lua) to what goes on the wire: address, headers, times,
--- caps.

local check = require("batchapi.check.options")
local errors = require("batchapi.util.errors")
local operation = require("batchapi.call.operation")
local origin = require("batchapi.util.origin")
local url = require("batchapi.util.url")
local values = require("batchapi.check.values")
local wire_values = require("batchapi.check.wire_values")

local M = {}

local byte, next, pairs, type = string.byte, next, pairs, type

local NONE = {} -- stands for headers or overrides that are absent; never written to


--- Headers in order, a later one of the same name in an earlier one's place. What is absent comes as
--- NONE.
local function headers_of(...)
  local list, at = {}, {}
  for i = 1, select("#", ...) do
    local names = {}
    local headers = select(i, ...)
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


--- What is the same in all requests of a client, put together at the first: its options do not
--- change.
local function fixed_of(client)
  local fixed = client._fixed
  if fixed then
    return fixed
  end
  local definition = client._definition
  local list, words = {}, definition.errors
  own_query(definition, client._settings, list)
  fixed = { query = #list > 0 and url.query(list) or nil, headers = {}, prepared = {} }
  if words.final and #words.final > 0 then
    fixed.final_codes = words.final
    fixed.code_paths = words.code or { "error.code", "code" }
  end
  client._fixed = fixed
  return fixed
end


--- The address of a path with its query. A whole URL came from the service or the caller: the
--- definition's own query is not added to it.
local function compose(client, path, whole, query)
  local text, own = path, nil
  if not whole then
    text, own = client._base_url .. path, fixed_of(client).query
  end
  local asked = query and #query > 0 and url.query(query) or nil
  if own or asked then
    text = text .. (text:find("?", 1, true) and "&" or "?")
      .. (own and asked and own .. "&" .. asked or own or asked)
  end
  return text
end


--- The same of a path without a query of its own. Requests often go where the last one went.
local function address(client, fixed, path)
  if fixed.path ~= path then
    fixed.path, fixed.address = path, compose(client, path, false)
  end
  return fixed.address
end


--- The headers of a request; what is the same in each is put together once. A request that leaves
--- the client's origin gets none of what the client's options say.
local function headers_for(client, built, one_headers, overrides, foreign)
  local content_type = overrides.content_type or built.content_type
  local added, idempotency = overrides.headers or NONE, built.idempotency or NONE
  one_headers = one_headers or NONE
  local plain = not foreign and added == NONE and idempotency == NONE
  local key = content_type or ""
  local kept = fixed_of(client).headers[one_headers]
  if plain and kept and kept[key] then
    return kept[key]
  end
  local fixed = { Accept = "application/json", ["Content-Type"] = content_type }
  if foreign then
    return headers_of(fixed, one_headers, added)
  end
  local definition, settings = client._definition, client._settings
  local list = headers_of(fixed, idempotency, definition.headers or NONE,
    own_headers(definition, settings), one_headers, settings.headers or NONE, added)
  if plain then
    kept = kept or {}
    kept[key], client._fixed.headers[one_headers] = list, kept
  end
  return list
end


--- What is the same in all requests that are built alike.
local function common_of(client, built, headers)
  local settings, fixed = client._settings, fixed_of(client)
  return {
    method = built.method, headers = headers,
    repeats = built.repeats, unaccepted = built.unaccepted, no_credential = built.no_credential,
    allow_redirects = built.allow_redirects, raw = built.raw,
    timeout = settings.timeout, connect_timeout = settings.connect_timeout,
    stall_timeout = settings.stall_timeout, max_retries = settings.max_retries,
    max_body_bytes = settings.max_body_bytes, max_header_bytes = settings.max_header_bytes,
    record_attempts = settings.on_request and true or nil,
    final_codes = fixed.final_codes, code_paths = fixed.code_paths,
  }
end


--- Requests that differ in URL and body only share the rest, which the core reads once. It is kept
--- by who builds them (the operation, or a free request's method), class and content type.
---@return table|nil kept { prepared = the core's, method, repeats }; nil when there is none yet
local function kept_of(fixed, owner, repeats, content_type)
  local kept = fixed.prepared[owner]
  kept = kept and kept[repeats or ""]
  return kept and kept[content_type or ""]
end


---@return table|nil kept nil when the core refuses it: the call itself will say why
local function keep(client, built, owner, headers)
  local prepared = client._core:prepare(common_of(client, built,
    headers_for(client, built, headers, NONE, false)))
  if not prepared then
    return nil
  end
  local all, repeats, content_type = fixed_of(client).prepared, built.repeats or "",
    built.content_type or ""
  all[owner] = all[owner] or {}
  all[owner][repeats] = all[owner][repeats] or {}
  local kept = { prepared = prepared, method = built.method, repeats = built.repeats }
  all[owner][repeats][content_type] = kept
  return kept
end


--- What goes to the core when it is not prepared: the operation's own, the caller's in its place;
--- times are the caller's, the client's, a file transfer's (no deadline unless one was given).
local function wire_of(client, built, headers, overrides)
  local path, query = built.path, built.query
  if overrides.url then
    path, query = overrides.url, nil
  end
  local whole = path:byte(1) ~= 47 and path:find("^%a+://") ~= nil -- 47: a slash
  local foreign = whole and origin.of(path) ~= client._origin
  local wire = common_of(client, built, headers_for(client, built, headers, overrides, foreign))
  local to = overrides.to or built.to
  local transfer = built.sends_file or built.takes_file or to
  wire.url, wire.to = compose(client, path, whole, query), to
  wire.body, wire.body_producer = overrides.body or built.body, overrides.body_producer
  wire.body_file = overrides.body_file or not overrides.body_producer and built.body_file or nil
  wire.parts, wire.weights = overrides.parts or built.parts, built.weights
  wire.repeats = overrides.repeats or built.repeats
  wire.timeout = overrides.timeout or wire.timeout or (transfer and -1 or nil)
  wire.stall_timeout = overrides.stall_timeout or wire.stall_timeout
  wire.max_retries = overrides.max_retries or wire.max_retries
  wire.unpack, wire.disk = overrides.unpack, overrides.disk
  return wire
end


--- Does it differ from its like in URL and body only?
local function is_plain(built, overrides)
  return overrides == NONE and built.path:byte(1) == 47 and not (built.parts or built.body_file
    or built.to or built.weights or built.idempotency or built.sends_file or built.takes_file)
end


--- The request as exchange.run() takes it.
---@return table wire, string|nil url, string|nil body of one that is prepared
local function finish(client, built, owner, headers, overrides)
  local kept = is_plain(built, overrides)
    and (kept_of(fixed_of(client), owner, built.repeats, built.content_type)
    or keep(client, built, owner, headers))
  if kept then
    return kept, compose(client, built.path, false, built.query), built.body
  end
  return wire_of(client, built, headers, overrides)
end


--- The request of an operation.
---@param client batchapi.Client
---@param one table the operation
---@param arguments table packed
---@param overrides table|nil see client/init.lua
---@return table|nil wire as exchange.run() takes it
---@return string answer how the answer is read: "json", "text" or "bytes"; a message when it failed
---@return string|batchapi.Error|nil url of a request that is prepared; the error when it failed
---@return string|nil body then
function M.for_operation(client, one, arguments, overrides)
  local built, message, err
  overrides = overrides or NONE
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
  local answer = (overrides.text or one.answer == "jsonl") and "bytes" or one.answer
  local wire, address_of, text = finish(client, built, one, one.headers, overrides)
  return wire, answer, address_of, text
end


--- What `request` takes.
M.free_options = check.list{
  { name = "path", kind = "string", required = true,
    help = "from the base URL on and beginning with '/', or a whole URL" },
  { name = "method", kind = "string", default = "GET", help = "GET, HEAD, PUT, POST, PATCH or DELETE" },
  { name = "query", kind = "table", help = "parameters, percent-encoded for you" },
  { name = "body", kind = { "table", "string" }, help = "a table is sent as JSON, a string as it is" },
  { name = "headers", kind = "table", help = "added" },
  { name = "to", kind = "string", help = "path of a file for the answer" },
  { name = "repeats", kind = "string", one_of = { "safe", "idempotent", "never_sent" },
    help = "may a failed attempt be repeated? (by the method)" },
}
local free_words = { method = true, path = true, query = true, body = true, headers = true, to = true, repeats = true }
local methods_known = { GET = "safe", HEAD = "safe", PUT = "idempotent", DELETE = "idempotent",
  POST = "never_sent",
  PATCH = "never_sent" }


--- Checks a free request, the usual ones quickly; gives what its body is.
local function check_free(given)
  local quick = type(given) == "table" and methods_known[given.method] and given.query == nil and given.headers == nil
    and given.to == nil and given.repeats == nil and type(given.path) == "string"
  if quick then
    for word in next, given do
      quick = quick and free_words[word]
    end
  end
  local kind = quick and type(given.body)
  if not quick or kind ~= "nil" and kind ~= "table" and kind ~= "string" then
    check.check(given, M.free_options, "request")
    kind = type(given.body)
  end
  return kind
end


--- The method, the path and the class of a free request, checked; and is it a path from the base
--- URL on?
local function free_address(given)
  local method, path = given.method or "GET", given.path
  local rooted = byte(path, 1) == 47 -- a slash
  if not methods_known[method] then
    method = method:upper()
  end
  local class = methods_known[method]
  local repeats = given.repeats or class
  if not class then
    errors.misuse("request: '%s' is no method that is known", given.method)
  elseif not rooted and not path:match("^https?://") then
    errors.misuse("request: path must begin with '/', or be a URL")
  end
  return method, path, repeats, rooted
end


--- How messages call a request that no operation describes.
---@param method string
---@param path string as it was given
---@return string
function M.free_name(method, path)
  return method .. " " .. path:match("^[^?#]*"):gsub("^(%a+://)[^/]*@", "%1")
end


--- The request of a call that no operation describes.
---@param client batchapi.Client
---@param given table
---@return table|nil wire as exchange.run() takes it
---@return string|nil url of a request that is prepared; a message when it failed
---@return string|table|batchapi.Error|nil body then; the error when it failed
function M.free(client, given)
  if type(given) == "table" and getmetatable(given) ~= nil then
    given = values.as_encoded(given)
  end
  local kind = check_free(given)
  local method, path, repeats, rooted = free_address(given)
  local body, content_type = given.body, kind == "table" and "application/json" or nil
  local plain = rooted and not (given.to or given.headers or given.query)
  local fixed = fixed_of(client)
  local kept = plain and kept_of(fixed, method, repeats, content_type)
  if kept and (kind ~= "table" or client._codec.core) then
    return kept, address(client, fixed, path), body
  elseif kind == "table" then
    local message, err
    body, message, err = client._codec.encode(body)
    if not body then
      return errors.adopt(M.free_name(method, path), err, message)
    end
  end
  return finish(client, {
    method = method, path = path, query = given.query and wire_values.query(given.query), to = given.to,
    repeats = repeats, body = body, content_type = content_type,
  }, method, nil, given.headers and { headers = wire_values.headers(given.headers, "request: headers") } or NONE)
end


return M
