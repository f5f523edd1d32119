--- One request from its start to its end on the coroutine that asked for it.
---
--- The engine does the attempts, the retries and the waiting. What it needs Lua for in between is
--- done on the caller's coroutine, by hooks.lua.
---
--- context = {
---   core       core client (core.client)
---   host       "auto" (nil) or a host's name
---   on_request function(attempt): called after each attempt with its record, and with
---              { event = "warning", message = … } for what a credential has to say about itself
---   token      function() -> token [, lifetime in seconds] | nil, why   (a "function" credential)
---   grant      whom to tell that the server has renewed the refresh token (client/grants.lua)
---   refresh_token  function() -> refresh_token: asked again when the one it gave was refused
--- }
--- request: what client:start() of the core takes, and `body_producer`: a function that gives a
--- fresh iterator of strings, which the body is made of (in place of body_stream; it is asked
--- anew when an attempt is repeated; the iterator gives nil at the end, or nil and why it failed),
--- with `body_length` if the bytes are counted. The table is the exchange's from then on.
--- Or { prepared = what client:prepare() of the core gave }, which stays the caller's, with a URL
--- and a body beside it: bytes, or a table that is sent as JSON.

local attendant = require("batchapi.call.hooks")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = {}

local pairs, tostring = pairs, tostring

local context_fields = {
  core = true, host = true, on_request = true, token = true, grant = true,
  refresh_token = true,
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


-- ---- the course of a call -----------------------------------------------------------------------


-- Waits for news and does what they ask for; gives done and readable.
local function step(self)
  local done, readable, writable, again, attempted, ask_token, renewed =
    loop.await(self.call, self.host)
  if writable or again or attempted or ask_token or renewed then
    attendant.serve(self, writable, again, attempted, ask_token, renewed)
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
  return loop.enter(context.host)
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


local function begin(context, request, url, body)
  local host = enter(context)
  local producer = not request.prepared and prepare(context, request) or nil
  local call, why, err = start(context, request, url, body)
  if not call then
    return nil, not_begun(why, err)
  end
  local self = attendant.new(context, host, call, producer)
  if context.on_request then
    attendant.warn(self)
  end
  if producer then
    attendant.restart(self)
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
  local turn = loop.turn()
  local call, id, err = start(context, request, url, body)
  if not call then
    return nil, not_begun(id, err)
  end
  loop.wait(call, host, turn, id)
  local done, _, writable, again, attempted, ask_token, renewed = call:news()
  if done and not renewed then
    return call
  end
  local self = attendant.new(context, host, call)
  attendant.serve(self, writable, again, attempted, ask_token, renewed)
  return done and call or finish(self)
end


--- Runs a request to its end; the call says what it came to.
---@async
---@param context table
---@param request table
---@param url string|nil of a prepared one
---@param body string|table|nil of a prepared one
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
