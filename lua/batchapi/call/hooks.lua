--- What a running call asks of the coroutine that waits for it: the hook that sees each attempt,
--- the user's token function, refresh tokens that were renewed, and bodies that a function
--- produces. An error in one of them cancels the call and is raised at the caller. send.lua says
--- what a context is.

local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")

local M = {}

local pcall, tostring, type = pcall, tostring, type


--- Who attends to a call that has begun.
---@param context table
---@param host table
---@param call batchapi.core.Call
---@param producer function|nil gives a fresh iterator of the body's bytes
---@return table
function M.new(context, host, call, producer)
  return {
    context = context, host = host, call = call,
    producer = producer, source = nil, chunk = nil, position = 1,
  }
end


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


--- Tells the hook what the credential has to say about itself.
function M.warn(self)
  local core = self.context.core
  local warning = core:warning()
  while warning do
    ask(self, self.context.on_request, { event = "warning", message = warning })
    warning = core:warning()
  end
end


-- The refresh token was refused: another process may have renewed it, and its source knows.
local function fetch_refresh_token(self, source)
  local call = self.call
  local token, why = ask(self, source)
  if type(token) == "string" and token ~= "" then
    call:refresh_put(token)
  elseif token == nil or token == "" then
    call:token_fail(why and tostring(why) or "the function of the refresh token gave nothing")
  else
    call:cancel()
    errors.misuse("the function of the refresh token must give a string, not a %s", type(token))
  end
end


local function fetch_token(self)
  local call, source = self.call, self.context.token
  if not source and self.context.refresh_token then
    fetch_refresh_token(self, self.context.refresh_token)
    return
  elseif not source then
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
  local token = self.call:renewed_token()
  if not token then
    return
  end
  local list = {} -- another client may join while one of them waits
  for on_token in pairs(self.context.grant and self.context.grant.listeners or list) do
    list[#list + 1] = on_token
  end
  for _, on_token in ipairs(list) do
    ask(self, on_token, token)
  end
  self.call:token_kept(token) -- it is where it is kept: now the access token may be used
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


--- Begins the body, or begins it anew.
function M.restart(self)
  self.chunk = nil
  self.source = ask(self, self.producer)
  if not loop.is_callable(self.source) then
    self.call:cancel()
    errors.misuse("a body's producer must give an iterator, not a %s", type(self.source))
  end
end


-- ---- news ---------------------------------------------------------------------------------------


--- Does what the news of the call ask for.
function M.serve(self, writable, again, attempted, ask_token, renewed)
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
    M.restart(self)
  end
  if writable or again then
    feed(self)
  end
end


return M
