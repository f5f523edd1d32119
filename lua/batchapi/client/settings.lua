--- What a client's options become: the core's client behind it, and the options of a derived one.

local core = require("batchapi.core")
local credentials = require("batchapi.client.credentials")
local errors = require("batchapi.util.errors")
local options = require("batchapi.client.options")
local origin = require("batchapi.util.origin")

local M = {}

local jit = rawget(_G, "jit")
local user_agent = ("batchapi/%s (%s)"):format(core._VERSION, jit and jit.version or _VERSION)

local core_settings = {
  "max_connections", "proxy", "ca_file", "client_cert", "client_key", "unix_socket",
    "http_version", "user_agent",
}


local function core_limits(definition, settings)
  local limits = {}
  for i, limit in ipairs(definition.limits) do
    limits[i] = {
      name = limit.name, capacity = limit.in_flight,
      per_minute = limit.per_minute_option and settings.own[limit.per_minute_option]
        or limit.per_minute,
    }
  end
  return limits
end


local secret_words = { "authorization", "cookie", "key", "token", "secret", "password",
  "signature" }

local function is_secret(name)
  for _, word in ipairs(secret_words) do
    if name:lower():find(word, 1, true) then
      return true
    end
  end
  return false
end


local MOST_SECRETS = 16 -- with the two of a proxy half of what a credential keeps for its clients

--- Has the credential hide the client's other secrets, too: values of headers and of the query whose
--- names say that they are some.
local function guard(definition, settings, credential)
  local values = {}
  local function add(name, value)
    if name and type(value) == "string" and is_secret(name) then
      values[#values + 1] = value
    end
  end
  for _, named in ipairs{ definition.headers, definition.query, settings.headers or {} } do
    for name, value in pairs(named) do
      add(name, value)
    end
  end
  for _, option in ipairs(definition.options) do
    add(option.header or option.query, settings.own[option.name])
  end
  if #values > MOST_SECRETS then
    return errors.invalid(definition.name,
      ("a client has at most %d headers and parameters that are secret, not %d"):format(
        MOST_SECRETS, #values))
  end
  for _, value in ipairs(values) do
    local ok, message, err = credential:guard(value)
    if not ok then
      return nil, message, err
    end
  end
  return true
end


--- The core's client: the transport's settings, the credential, the limits.
---@param definition table
---@param settings table
---@param credential userdata
---@param base batchapi.Client|nil the client whose connections and limits it shares
---@param base_url string
---@return userdata|nil, string|nil, table|nil
function M.core(definition, settings, credential, base, base_url)
  local ok, message, err = guard(definition, settings, credential)
  if not ok then
    return nil, message, err
  end
  local wanted = { credential = credential, home = base_url }
  for _, name in ipairs(core_settings) do
    wanted[name] = settings[name]
  end
  wanted.user_agent = wanted.user_agent or user_agent
  if base then
    return base._core:derive(wanted)
  end
  wanted.limits = core_limits(definition, settings)
  return core.client(wanted)
end


--- The options of a derived client: those of its base, with the changed ones over them.
---@param definition table
---@param changed table
---@param base batchapi.Client
---@return table
function M.inherited(definition, changed, base)
  local given = {}
  for name, value in pairs(base._settings) do
    given[name] = name ~= "own" and value or nil
  end
  for name, value in pairs(base._settings.own) do
    given[name] = value
  end
  given.token, given.api_key_file = nil, nil
  for name, value in pairs(changed) do
    given[name] = value
  end
  for _, limit in ipairs(definition.limits) do
    if limit.per_minute_option and changed[limit.per_minute_option] ~= nil then
      errors.misuse("with: %s belongs to limits that are shared; make a client of its own for it",
        limit.per_minute_option)
    end
  end
  return given
end


--- The credential: the base's while neither it nor the origin changes, else found anew.
---@return userdata|nil, string|nil, batchapi.Error|nil
function M.credential(definition, given, changed, base, base_url)
  local fresh = not base or origin.of(base_url) ~= base._origin
  for name in pairs(changed) do
    fresh = fresh or options.is_credential(definition, name)
  end
  if fresh then
    return credentials.find(definition, given, base_url)
  end
  local ok, message, err = base._credential:bind(base_url, given.allow_insecure or false)
  if not ok then
    return errors.adopt(definition.name, err, message)
  end
  return base._credential
end



return M
