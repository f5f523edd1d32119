--- For a user who has no refresh token yet: the OAuth 2.0 authorization code grant with PKCE
--- (RFC 6749, 4.1; RFC 7636).
---
---   local url, state, code_verifier = batchapi.oauth.authorize_url{
---     service = "asana", client_id = id, redirect_uri = "https://me.example/callback" }
---   -- send the user's browser to `url`; it comes back to redirect_uri with ?code=…&state=…;
---   -- go on only if that state is this state
---   local tokens, why, err = batchapi.oauth.exchange{
---     service = "asana", client_id = id, client_secret = secret,
---     redirect_uri = "https://me.example/callback", code = code, code_verifier = code_verifier }
---   -- tokens.refresh_token is what batchapi.asana{ oauth = { … } } takes

local check = require("batchapi.check.options")
local clients = require("batchapi.client")
local core = require("batchapi.core")
local credentials = require("batchapi.client.credentials")
local definitions = require("batchapi.definition")
local errors = require("batchapi.util.errors")
local options = require("batchapi.client.options")

local M = {}

local service = { name = "service", kind = "string", empty = false, help = "whose endpoints: the name of its definition" }
local base_url = { name = "base_url", kind = "string", empty = false, help = "the service's other address" }
local client_id = { name = "client_id", kind = "string", empty = false, required = true,
  help = "the application's id at the service" }
local redirect_uri = { name = "redirect_uri", kind = "string", empty = false, required = true,
  help = "where the browser comes back to" }

--- What `authorize_url` takes.
M.authorize_options = check.list{
  service, base_url, client_id, redirect_uri,
  { name = "authorize_url", kind = "string", empty = false, help = "in the place of the service's" },
  { name = "scope", kind = "string", empty = false, help = "what is asked for, words with spaces between" },
  { name = "state", kind = "string", empty = false, help = "comes back with the code (a random one)" },
  { name = "extra", kind = "table", help = "further parameters of the URL" },
}

--- Given on to the client that sends the request.
local transport = { "timeout", "connect_timeout", "proxy", "ca_file", "user_agent", "host", "on_request",
  "unix_socket", "client_cert", "client_key" }

--- What `exchange` takes, and of a client's options those that say how the request is sent.
M.exchange_options = (function()
  local list = {
    service, base_url, client_id, redirect_uri,
    { name = "token_url", kind = "string", empty = false, help = "in the place of the service's" },
    { name = "client_secret", kind = "string", empty = false, help = "the application's secret, if it has one" },
    { name = "code", kind = "string", empty = false, required = true, help = "what the browser brought back" },
    { name = "code_verifier", kind = "string", empty = false, help = "the third value of authorize_url" },
    { name = "allow_insecure", kind = "boolean", help = "a token endpoint over plain http" },
  }
  for _, name in ipairs(transport) do
    list[#list + 1] = options.general[name]
  end
  return check.list(list)
end)()


--- What the definition of a service says about its OAuth endpoints.
local function endpoint(what, given, word)
  if given[word] then
    return given[word]
  elseif not given.service then
    errors.misuse("%s: give service or %s", what, word)
  end
  local definition = definitions.load(given.service)
  for _, way in ipairs(definition.auth) do
    if way[word] then
      local base = given.base_url or os.getenv(definition.environment or "") or definition.base_url
      return credentials.endpoint(way[word], base)
    end
  end
  errors.misuse("%s: the definition of %s has no %s", what, given.service, word)
end


local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end


--- Pairs { name, value } as a form; those without a value are left out.
local function form(pairs_of)
  local parts = {}
  for _, pair in ipairs(pairs_of) do
    if pair[2] then
      parts[#parts + 1] = escape(pair[1]) .. "=" .. escape(pair[2])
    end
  end
  return table.concat(parts, "&")
end


local function sorted_extra(extra)
  local list = {}
  for name, value in pairs(extra or {}) do
    if type(name) ~= "string" or type(value) ~= "string" then
      errors.misuse("authorize_url: extra must map strings to strings")
    end
    list[#list + 1] = { name, value }
  end
  table.sort(list, function(a, b)
    return a[1] < b[1]
  end)
  return list
end


---@class batchapi.AuthorizeOptions
---@field service string|nil a shipped service whose definition names the endpoint ("asana")
---@field authorize_url string|nil the endpoint itself
---@field base_url string|nil with `service`: another base URL than its own
---@field client_id string
---@field redirect_uri string
---@field scope string|nil space-separated
---@field state string|nil made when absent: 192 random bits
---@field extra table<string, string>|nil further parameters, such as prompt

--- The URL to send a user's browser to, with an S256 challenge.
---@param given batchapi.AuthorizeOptions
---@return string url
---@return string state must come back unchanged with the code
---@return string code_verifier keep it with the user's session, for `exchange`
function M.authorize_url(given)
  check.check(given, M.authorize_options, "authorize_url")
  local url = endpoint("authorize_url", given, "authorize_url")
  local verifier, challenge, state = core.pkce()
  if not verifier then
    error(challenge, 0)
  end
  state = given.state or state
  local list = {
    { "response_type", "code" }, { "client_id", given.client_id },
    { "redirect_uri", given.redirect_uri }, { "scope", given.scope }, { "state", state },
    { "code_challenge", challenge }, { "code_challenge_method", "S256" },
  }
  for _, pair in ipairs(sorted_extra(given.extra)) do
    list[#list + 1] = pair
  end
  return url .. (url:find("?", 1, true) and "&" or "?") .. form(list), state, verifier
end


--- The secrets of an exchange as credentials of the core: they refuse control characters and plain
--- http, and know how to black themselves out of what a server says.
local function guard(given, url)
  local guards = {}
  for _, name in ipairs{ "client_secret", "code", "code_verifier" } do
    if given[name] then
      local credential, message, err = core.credential{ kind = "bearer", token = given[name] }
      if not credential then
        return errors.adopt("exchange", err, (message:gsub("the token", name)))
      end
      local ok
      ok, message, err = credential:bind(url, given.allow_insecure or false)
      if not ok then
        return errors.adopt("exchange", err, message)
      end
      guards[#guards + 1] = credential
    end
  end
  return guards
end


local function redact(guards, value)
  if type(value) == "string" then
    for _, credential in ipairs(guards) do
      value = credential:redact(value)
    end
  elseif type(value) == "table" then
    for key, one in pairs(value) do
      value[key] = redact(guards, one)
    end
  end
  return value
end


--- A refusal of the token endpoint is a matter of credentials, whatever its status.
local function refused(guards, message, err)
  err.message, err.body = redact(guards, message), redact(guards, err.body)
  if err.status and err.status >= 400 and err.status < 500 and err.kind == "http" then
    err.kind = "auth"
  end
  return nil, err.message, err
end


local function sender(given, url)
  local made = { max_retries = 0 }
  for _, name in ipairs(transport) do
    made[name] = given[name]
  end
  return clients.new(definitions.load{
    name = "oauth", base_url = url:match("^%a+://[^/?#]+"), auth = {}, operations = {},
  }, made)
end


---@class batchapi.ExchangeOptions
---@field service string|nil a shipped service whose definition names the endpoint ("asana")
---@field token_url string|nil the endpoint itself
---@field base_url string|nil with `service`: another base URL than its own
---@field client_id string
---@field client_secret string|nil
---@field redirect_uri string the same as in authorize_url
---@field code string what came back to redirect_uri
---@field code_verifier string|nil what authorize_url gave
---@field allow_insecure boolean|nil plain http to another machine
---@field timeout number|nil seconds, and the other options of a client that concern transport

--- Exchanges an authorization code for tokens. A code works once: nothing is repeated.
---@async
---@param given batchapi.ExchangeOptions
---@return table|nil tokens the server's answer: access_token, expires_in, refresh_token, …
---@return string|nil message
---@return batchapi.Error|nil err kind "auth" with the server's error as code when it refused
function M.exchange(given)
  check.check(given, M.exchange_options, "exchange")
  local url = endpoint("exchange", given, "token_url")
  local guards, message, err = guard(given, url)
  if not guards then
    return nil, message, err
  end
  local client
  client, message, err = sender(given, url)
  if not client then
    return nil, message, err
  end
  local tokens
  tokens, message, err = client:request{
    method = "POST", path = url, repeats = "never_sent",
    headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded", Accept = "application/json",
    },
    body = form{
      { "grant_type", "authorization_code" }, { "client_id", given.client_id },
      { "client_secret", given.client_secret }, { "redirect_uri", given.redirect_uri },
      { "code", given.code }, { "code_verifier", given.code_verifier },
    },
  }
  client:close()
  if not tokens then
    return refused(guards, message, err)
  elseif type(tokens) ~= "table" or type(tokens.access_token) ~= "string" then
    return errors.fail(errors.new{ kind = "decode", operation = "exchange", sent = true,
      message = "the answer has no access_token" })
  end
  return tokens
end


return M
