--- The client: a definition, options and a credential, with a method for each operation.
---
--- For other layers (pages, wait, job): `client:_call(name, arguments, overrides)` runs one
--- operation and returns what its method returns. `arguments` is packed (`n` counts them);
--- `overrides` may hold timeout, stall_timeout, max_retries, repeats   in the place of the client's
--- and the operation's
---   to              path of a file that takes the answer
---   body            the body's bytes, ready made (JSON), in the place of the body argument
---   body_producer   a function that gives a fresh iterator of strings: the body, streamed
---   body_file       the path of a file that is the body, streamed
---   disk            the directory (core.disk) that holds what `to`, `body_file` and files of parts name
---   content_type    of such a body ("application/json")
---   parts           parts of a multipart body, as the core takes them
---   url             an absolute URL in the place of the operation's path
---   headers         { name = value }, added
---   text            true: give the answer's bytes as they are, undecoded
---   unpack          true: the answer is JSON; one that comes as gzip or UTF-16 unasked is unpacked
--- With a body of its own kind, `arguments` holds the path's parameters and the query only.
--- `client:_check(name, arguments)` checks arguments and sends nothing: true, or the failure
--- triple. `client:_open(name, arguments, overrides)` gives the stream of an answer instead (see
--- lines.lua).

local clients = require("batchapi.call.clients")
local base_url_of = require("batchapi.client.base_url")
local codec = require("batchapi.json.codec")
local errors = require("batchapi.util.errors")
local exchange = require("batchapi.call.send")
local failure = require("batchapi.call.failure")
local grants = require("batchapi.client.grants")
local operation = require("batchapi.call.operation")
local options = require("batchapi.client.options")
local origin = require("batchapi.util.origin")
local perform = require("batchapi.call")
local request = require("batchapi.call.request")
local response = require("batchapi.call.response")
local readable_stats = require("batchapi.client.stats")
local settings_of = require("batchapi.client.settings")
local suggest = require("batchapi.util.suggest")

---@class batchapi.Client
local methods = {}

local M = {}

local pack = rawget(table, "pack") or function(...)
  return { n = select("#", ...), ... }
end


local function describe(client)
  if client._core:closed() then
    return ("batchapi.client (%s, closed)"):format(client._definition.name)
  end
  local stats = client._core:stats()
  local inherits = client._definition.inherits
  return ("batchapi.client (%s, %s%s, %d in flight)"):format(client._definition.name,
    client._base_url, inherits and ", with the credentials of " .. inherits or "",
    stats.in_flight or 0)
end


--- The state in one line, and below it each operation with its parameters. Never a secret.
local function client_tostring(client)
  local lines = { describe(client) }
  for _, one in ipairs(client._definition.operations) do
    lines[#lines + 1] = "  " .. operation.signature(one)
  end
  return table.concat(lines, "\n")
end


local check_open = clients.check_open


---@param name string
---@return table
local function operation_of(client, name)
  local one = client._definition.by_name[name]
  if not one then
    local known = {}
    for i, other in ipairs(client._definition.operations) do
      known[i] = other.name
    end
    errors.misuse("%s has no operation '%s'%s",
      client._definition.name, tostring(name), suggest.hint(tostring(name), known))
  end
  return one
end


--- Runs an operation: see the head of this file.
function methods:_call(name, arguments, overrides)
  check_open(self, name)
  local one = operation_of(self, name)
  local wire, kind, url, body = request.for_operation(self, one, arguments, overrides)
  if not wire then
    return nil, kind, url
  end
  local value, message, extra = perform(self, name, kind, wire, url, body)
  return value, message, extra
end


--- Checks an operation's arguments; nothing is sent.
function methods:_check(name, arguments)
  local wire, message, err = request.for_operation(self, operation_of(self, name), arguments)
  if not wire then
    return nil, message, err
  end
  return true
end


--- Opens the answer of an operation as a stream of bytes (client/lines.lua reads it).
function methods:_open(name, arguments, overrides)
  check_open(self, name)
  local one = operation_of(self, name)
  local wire, message, err = request.for_operation(self, one, arguments, overrides or {})
  if not wire then
    return nil, message, err
  elseif wire.to then
    errors.misuse("lines: '%s' is read as it comes; leave 'to' out", name)
  end
  local stream, outcome, call = exchange.open(self._context, wire)
  if not stream then
    return failure.of_outcome(self, name, outcome, call)
  end
  return stream
end


--- A call the definition lacks: `client:request{ method, path, query, body, headers, to, repeats
--- }`.
---@param given batchapi.FreeRequest
---@return any answer decoded when it is JSON, else its text; `{ path, bytes }` with `to`
---@return string|nil message
---@return batchapi.Response|batchapi.Error
function methods:request(given)
  check_open(self, "request")
  local wire, url, body = request.free(self, given)
  if not wire then
    return nil, url, body
  end
  local value, message, extra = perform(self, nil, "text", wire, url, body, given.path)
  return value, message, extra
end


--- An operation of an iterator: misuse raises here already, a refused value is `next`'s to tell.
local function iterated(client, name, arguments)
  local one = operation_of(client, name)
  client:_check(name, arguments)
  return one, arguments
end


--- The answer of an operation as an iterator over its JSON lines: `for value in
--- client:lines("download_file", id) do`.
---@param name string an operation that answers with a file
---@param ... any its arguments
---@return batchapi.Lines
function methods:lines(name, ...)
  check_open(self, "lines")
  local iterator = require("batchapi.client.lines").new(self, iterated(self, name, pack(...)))
  return iterator
end


--- The items of a list, pages fetched as they are needed.
---@param name string a list operation
---@param ... any its arguments
---@return batchapi.Pages
function methods:each(name, ...)
  check_open(self, "each")
  local iterator = require("batchapi.client.pages").each(self, iterated(self, name, pack(...)))
  return iterator
end


--- The pages of a list, as the service answers them.
---@param name string a list operation
---@param ... any its arguments
---@return batchapi.Pages
function methods:pages(name, ...)
  check_open(self, "pages")
  local iterator = require("batchapi.client.pages").pages(self, iterated(self, name, pack(...)))
  return iterator
end


--- Polls a job until it ends: see wait.lua.
---@param id string
---@param given batchapi.WaitOptions|nil
---@return table|nil answer, string|nil message, batchapi.Response|batchapi.Error
function methods:wait(id, given)
  check_open(self, "wait")
  local answer, message, extra = require("batchapi.client.wait").wait(self, id, given)
  return answer, message, extra
end


--- Runs any number of requests as a job: see the job's own documentation.
---@param requests table|function|string
---@param given table|nil
---@return batchapi.Job|nil job, string|nil message, batchapi.Error|nil err
function methods:run(requests, given)
  check_open(self, "run")
  if not self._definition.run then
    errors.misuse("run: the definition of %s says nothing about it (it has no 'run')",
      self._definition.name)
  end
  local job, message, err = require("batchapi.job").run(self, requests, given)
  return job, message, err
end


--- Begins an operation and returns at once; `callback` gets what its method would have returned. For
--- programs without coroutines: it is called from batchapi.pump(), or, in an event loop that is known, from
--- a coroutine of the loop's.
---@param name string
---@param ... any the operation's arguments, and last the callback: fun(value, message, extra)
---@return batchapi.Started|nil started it has cancel() and ended()
---@return string|nil message
function methods:start(name, ...)
  check_open(self, "start")
  local started, message = require("batchapi.client.start").start(self, name, pack(...))
  return started, message
end


--- Counts since the client was made: requests, attempts, succeeded, failed, connections_opened,
--- connections_reused, bytes_sent, bytes_received, retries by reason, token_requests, in_flight,
--- queued.
---@return table
function methods:stats()
  if not clients.is(self) then
    check_open(self, "stats")
  end
  return setmetatable(self._core:stats(), readable_stats)
end


--- Ends the client: calls in flight end as "closed", later ones raise. May be called again.
function methods:close()
  if not clients.is(self) then
    check_open(self, "close")
  end
  clients.close(self)
  self._core:close()
end


--- A client that differs in these options only, and shares connections, limits and counts.
---@param changed table
---@return batchapi.Client|nil client, string|nil message, batchapi.Error|nil err
function methods:with(changed)
  check_open(self, "with")
  if type(changed) ~= "table" then
    errors.misuse("with: a table of options expected, got a " .. type(changed))
  end
  local client, message, err = M.new(self._definition, changed, self)
  return client, message, err
end


--- What a client lacks was meant as one of its methods; fields of our own begin with '_'.
local function unknown_method(definition, name)
  local known = {}
  for method in pairs(methods) do
    known[#known + 1] = method:find("^%a") and method or nil
  end
  for _, one in ipairs(definition.operations) do
    known[#known + 1] = one.name
  end
  table.sort(known)
  errors.misuse("%s has no operation '%s'%s", definition.name, name, suggest.hint(name, known))
end


--- Methods of a definition's clients: its operations over the common ones.
local classes = setmetatable({}, { __mode = "k" })

local function class_of(definition)
  local class = classes[definition]
  if class then
    return class
  end
  local own = setmetatable({}, { __index = function(_, name)
    if type(name) == "string" and name:find("^%a") then
      unknown_method(definition, name)
    end
  end })
  for name, method in pairs(methods) do
    own[name] = method
  end
  for _, one in ipairs(definition.operations) do
    local name = one.name
    if methods[name] then
      errors.misuse("definition, operations: '%s' is a method of every client; name it otherwise",
        name)
    end
    own[name] = function(self, ...)
      check_open(self, name)
      local value, message, extra = self:_call(name, pack(...))
      return value, message, extra
    end
  end
  class = { __name = "batchapi.client", __index = own, __tostring = client_tostring }
  classes[definition] = class
  return class
end


local function assemble(definition, settings, credential, handle, base_url)
  local client = setmetatable({
    _definition = definition, -- compiled
    _settings = settings,     -- options without secrets
    _credential = credential, -- userdata
    _core = handle,           -- userdata
    _base_url = base_url,
    _origin = origin.of(base_url), -- "https://host:port", lower case, no default port
    _codec = codec.new(settings),
    _fixed = false,            -- what all its requests have in common (call/request.lua)
    _context = nil,           -- for exchange
    _names = response.names(definition), -- of the headers that tell what a response holds
    _changes = false,         -- function(headers) that tells announced changes, or nil
    _told = nil,              -- flags that were told, shared with derived clients
  }, class_of(definition))
  client._context = {
    core = handle, host = settings.host or "auto", on_request = settings.on_request,
    token = type(settings.token) == "function" and settings.token or nil,
    grant = grants.join(credential, settings.on_token),
  }
  return client
end


--- A client of a definition.
---@param definition table compiled
---@param given table the options
---@param base batchapi.Client|nil the client it is derived from
---@return batchapi.Client|nil client, string|nil message, batchapi.Error|nil err
function M.new(definition, given, base)
  local changed = given
  if base then
    given = settings_of.inherited(definition, given, base)
  end
  local settings = options.resolve(definition, given)
  local base_url, message, err = base_url_of(definition, settings)
  if not base_url then
    return nil, message, err
  end
  local credential
  credential, message, err = settings_of.credential(definition, given, changed, base, base_url)
  if not credential then
    return nil, message, err
  end
  if base and credential == base._credential then
    settings.token = base._settings.token
  elseif type(settings.token) == "string" then
    settings.token = nil -- it is in the credential now, and nowhere else
  end
  local handle
  handle, message, err = settings_of.core(definition, settings, credential, base, base_url)
  if not handle then
    return errors.adopt(definition.name, err, message)
  end
  local client = assemble(definition, settings, credential, handle, base_url)
  if base and credential == base._credential then
    client._context.refresh_token = base._context.refresh_token
  elseif type(given.oauth) == "table" and type(given.oauth.refresh_token) == "function" then
    client._context.refresh_token = given.oauth.refresh_token
  end
  client._told = base and base._told or {}
  if settings.on_change then
    client._changes = require("batchapi.client.changes").teller(definition.changes, settings, client._told)
  end
  clients.add(client)
  return client
end


return M
