--- One request from its start to its end on the coroutine that asked for it.
---
--- The engine does the attempts, the retries and the waiting. What it needs Lua for in between is
--- done here, on the caller's coroutine: the hook that sees each attempt, the user's token
--- function, renewed refresh tokens, and bodies that a function produces. An error in one of them
--- cancels the call and is raised at the caller.
---
--- context = {
---   core       core client (core.client)
---   host       "auto" (nil) or a host's name
---   on_request function(attempt): called after each attempt with its record, and with
---              { event = "warning", message = … } for what a credential has to say about itself
---   token      function() -> token [, lifetime in seconds] | nil, why   (a "function" credential)
---   on_token   function(refresh_token): the server has renewed it
---   closed     function() -> boolean: a call on a closed client raises
--- }
--- request: what client:start() of the core takes, and `body_producer`: a function that gives a
--- fresh iterator of strings, which the body is made of (in place of body_stream; it is asked
--- anew when an attempt is repeated; the iterator gives nil at the end, or nil and why it failed),
--- with `body_length` if the bytes are counted. The table is the exchange's from then on.
--- Or { prepared = what client:prepare() of the core gave }, which stays the caller's, with a URL
--- and a body beside it.

local errors = require("batchapi.errors")
local loop = require("batchapi.loop")

local M = {}

local pairs, pcall, tostring, type = pairs, pcall, tostring, type

local context_fields = {
  core = true, host = true, on_request = true, token = true, on_token = true, closed = true,
}
local known_contexts = setmetatable({}, { __mode = "k" }) -- whose fields were looked at


-- What a call that could not begin came to.
local function not_begun(message, err)
  return {
    ok = false, kind = err and err.kind or "io", code = err and err.code, message = message,
    status = 0, attempts = 0, elapsed = 0, reused = false, retryable = false, maybe_sent = false,
    file_bytes = 0, headers = {},
  }
end


-- ---- the user's functions -----------------------------------------------------------------------


local function checked(self, ok, ...)
  if ok then
    return ...
  end
  self.call:cancel()
  error((...), 0)
end


-- Calls a function of the user's. Where nothing can wait inside pcall (Lua 5.1 in a coroutine) the
-- call is cancelled only when its handle is collected.
local function ask(self, f, ...)
  if loop.yields_anywhere(self.host) then
    return checked(self, pcall(f, ...))
  end
  return f(...)
end


local function hand_on_attempts(self)
  local hook = self.context.on_request
  local attempt = self.call:next_attempt()
  while attempt do
    if hook then
      ask(self, hook, attempt)
    end
    attempt = self.call:next_attempt()
  end
end


local function hand_on_warnings(self)
  local core = self.context.core
  local warning = core:warning()
  while warning do
    ask(self, self.context.on_request, { event = "warning", message = warning })
    warning = core:warning()
  end
end


local function fetch_token(self)
  local call, source = self.call, self.context.token
  if not source then
    call:token_fail("there is no token function")
    return
  end
  local token, lifetime = ask(self, source)
  if type(token) == "string" then
    if lifetime ~= nil and type(lifetime) ~= "number" then
      call:cancel()
      errors.misuse("the token function must give the token's lifetime in seconds, not a %s",
        type(lifetime))
    end
    call:token_put(token, lifetime)
  elseif token == nil then
    call:token_fail(lifetime and tostring(lifetime) or "the token function gave nothing")
  else
    call:cancel()
    errors.misuse("the token function must give a string, not a %s", type(token))
  end
end


local function hand_on_token(self)
  local on_token = self.context.on_token
  local token = on_token and self.call:renewed_token()
  if token then
    ask(self, on_token, token)
  end
end


-- ---- bodies that are produced -------------------------------------------------------------------


-- The next bytes to send, nil at the end of the body or after a failure.
local function next_chunk(self)
  local chunk, why = ask(self, self.source)
  if type(chunk) == "string" then
    return chunk
  end
  self.source = nil
  if chunk ~= nil then
    self.call:cancel()
    errors.misuse("a body's producer must give strings, not a %s", type(chunk))
  end
  if why ~= nil then
    self.call:write_fail(tostring(why))
  else
    self.call:write_end()
  end
  return nil
end


-- Writes until the engine takes no more.
local function feed(self)
  local call = self.call
  while self.source do
    if not self.chunk then
      self.chunk, self.position = next_chunk(self), 1
      if not self.chunk then
        return
      end
    end
    local taken = call:write(self.chunk, self.position)
    self.position = self.position + taken
    if self.position > #self.chunk then
      self.chunk = nil
    elseif taken == 0 then
      return
    end
  end
end


local function restart(self)
  self.chunk = nil
  self.source = ask(self, self.producer)
  if not loop.is_callable(self.source) then
    self.call:cancel()
    errors.misuse("a body's producer must give an iterator, not a %s", type(self.source))
  end
end


-- ---- the course of a call -----------------------------------------------------------------------


local function serve(self, writable, again, attempted, ask_token, renewed)
  if attempted then
    hand_on_attempts(self)
  end
  if renewed then
    hand_on_token(self)
  end
  if ask_token then
    fetch_token(self)
  end
  if again and self.producer then
    restart(self)
  end
  if writable or again then
    feed(self)
  end
end


-- Waits for news and does what they ask for; gives done and readable.
local function step(self)
  local done, readable, writable, again, attempted, ask_token, renewed =
    loop.await(self.call, self.host)
  if writable or again or attempted or ask_token or renewed then
    serve(self, writable, again, attempted, ask_token, renewed)
  end
  return done, readable
end


local function prepare(context, request)
  local producer = request.body_producer
  if producer then
    request.body_stream = { length = request.body_length, restartable = true }
    request.body_producer, request.body_length = nil, nil
  end
  if context.on_request and request.record_attempts == nil then
    request.record_attempts = true
  end
  return producer
end


local function check_context(context)
  for name in pairs(context) do
    if not context_fields[name] then
      errors.misuse("exchange: unknown field '%s' in the context", tostring(name))
    end
  end
  known_contexts[context] = true
end


-- The host that the call will wait in; raises where nothing may.
local function enter(context)
  if not known_contexts[context] then
    check_context(context)
  end
  if context.closed and context.closed() then
    errors.misuse("the client is closed")
  end
  local host = loop.host(context.host)
  if host.check then
    host:check()
  end
  return host
end


local spares, spare_count, spares_at_most = {}, 0, 64


--- Gives back a call that nobody else has: what it holds is freed at once, since Lua's collector
--- cannot know how much that is, and its userdata serves another call.
---@param call batchapi.core.Call
function M.release(call)
  call:release()
  if spare_count < spares_at_most then
    spare_count = spare_count + 1
    spares[spare_count] = call
  end
end


local function start(context, request, url, body)
  local mailbox, why, err = loop.mailbox()
  if not mailbox then
    return nil, why, err
  end
  local spare
  if spare_count > 0 then
    spare, spares[spare_count] = spares[spare_count], nil
    spare_count = spare_count - 1
  end
  return context.core:start(mailbox, request.prepared or request, url, body, spare)
end


-- A call that has begun, for the functions above.
local function attend(context, host, call, producer)
  return {
    context = context, host = host, call = call,
    producer = producer, source = nil, chunk = nil, position = 1,
  }
end


local function begin(context, request, url, body)
  local host = enter(context)
  local producer = not request.prepared and prepare(context, request) or nil
  local call, why, err = start(context, request, url, body)
  if not call then
    return nil, not_begun(why, err)
  end
  local self = attend(context, host, call, producer)
  if context.on_request then
    hand_on_warnings(self)
  end
  if producer then
    restart(self)
  end
  return self
end


local function finish(self)
  local done
  repeat
    done = step(self)
  until done
  return self.call
end


-- A prepared request has nothing to be fed with, and without a hook nothing to tell: it is only
-- waited for, unless a token is asked for.
local function run_prepared(context, request, url, body)
  local host = enter(context)
  local call, why, err = start(context, request, url, body)
  if not call then
    return nil, not_begun(why, err)
  end
  loop.wait(call, host)
  local done, _, writable, again, attempted, ask_token, renewed = call:news()
  if done and not renewed then
    return call
  end
  local self = attend(context, host, call)
  serve(self, writable, again, attempted, ask_token, renewed)
  return done and call or finish(self)
end


--- Runs a request to its end; the call says what it came to.
---@async
---@param context table
---@param request table
---@param url string|nil of a prepared one
---@param body string|nil of a prepared one
---@return batchapi.core.Call|nil call nil when it could not begin
---@return table|nil outcome then, as call:outcome() gives it
function M.run(context, request, url, body)
  if request.prepared and not context.on_request then
    return run_prepared(context, request, url, body)
  end
  local self, outcome = begin(context, request, url, body)
  if not self then
    return nil, outcome
  end
  return finish(self)
end


--- Runs a request to its end.
---@async
---@param context table
---@param request table
---@return batchapi.core.Call|nil call nil when it could not begin
---@return table outcome as call:outcome() gives it
function M.perform(context, request)
  local call, outcome = M.run(context, request)
  return call, outcome or call:outcome()
end


-- ---- streams ------------------------------------------------------------------------------------


---@class batchapi.Stream
---@field call batchapi.core.Call
---@field final table|nil the outcome, once it has ended
local stream = {}
stream.__index = stream


-- Waits until bytes can be read; false once all were read and the call has ended.
local function await_bytes(self)
  while not self.final do
    local done, readable = step(self.exchange)
    if done then
      self.final = self.call:outcome()
    end
    if readable then
      return true
    end
  end
  return false
end


--- The next bytes; at the end nil and the outcome, which may be a failure.
---@async
---@return string|nil, table|nil
function stream:read()
  repeat
    local bytes = self.call:read()
    if bytes then
      return bytes
    end
  until not await_bytes(self)
  local bytes = self.call:read()
  if bytes then
    return bytes
  end
  return nil, self.final
end


--- Lets a splitter (core.lines) take what has come, waiting for it if need be: true, or nil and the
--- outcome at the end.
---@async
---@param lines batchapi.core.Lines
---@return boolean|nil, table|nil
function stream:read_into(lines)
  repeat
    if lines:take(self.call) then
      return true
    end
  until not await_bytes(self)
  if lines:take(self.call) then
    return true
  end
  return nil, self.final
end


--- Ends it; the rest of the answer is not received.
function stream:close()
  self.call:cancel()
end


--- Begins a request whose answer is read piece by piece, and waits for the first piece or the end.
---@async
---@param context table
---@param request table its `stream` is set here
---@return batchapi.Stream|nil stream nil when the call failed before a byte of the body came
---@return table|nil outcome then
---@return batchapi.core.Call|nil call then, for the body of an error answer
function M.open(context, request)
  request.stream = true
  local exchange, outcome = begin(context, request)
  if not exchange then
    return nil, outcome
  end
  local self = setmetatable({ exchange = exchange, call = exchange.call, final = nil }, stream)
  await_bytes(self)
  if self.final and not self.final.ok then
    return nil, self.final, self.call
  end
  return self
end


return M
