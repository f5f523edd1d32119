--- The options of a client: one list from which checking, messages and help all come.

local among = require("batchapi.util.among")
local check = require("batchapi.check.options")
local errors = require("batchapi.util.errors")
local host = require("batchapi.host")
local url = require("batchapi.util.url")
local values = require("batchapi.check.values")
local wire_values = require("batchapi.check.wire_values")

local M = {}

--- The general options, in the order help shows them. `kind` is a Lua type or a list of them;
--- `above` is an exclusive lower bound; `where` says who obeys it: "core" (settings of the
--- transport), "call" (each request), "client" (this layer).
M.general = {
  { name = "base_url", kind = "string", where = "client",
    help = "where the service's paths begin" },
  { name = "timeout", kind = "number", above = 0, where = "call", default = 600,
    help = "seconds for a whole call: connecting, sending, receiving and every retry between; file "
      .. "transfers have none unless it is given" },
  { name = "connect_timeout", kind = "number", above = 0, where = "call", default = 5,
    help = "seconds to connect, each attempt" },
  { name = "stall_timeout", kind = "number", above = 0, where = "call", default = 60,
    help = "seconds without a byte in either direction; not while the server thinks: from the last byte "
      .. "sent to the answer's first only timeout counts (600 s in file transfers, unless it is given)" },
  { name = "max_retries", kind = "number", integer = true, min = 0, max = 1000, where = "call",
    default = 2,
    help = "attempts after the first" },
  { name = "max_connections", kind = "number", integer = true, min = 1, max = 100000,
    where = "core",
    default = 64, help = "calls in flight at once; further ones wait" },
  { name = "proxy", kind = "string", where = "core",
    help = "URL of a proxy; \"\" for none; else the environment's" },
  { name = "ca_file", kind = "string", where = "core",
    help = "PEM file of the authorities to trust, in the system's place" },
  { name = "client_cert", kind = "string", where = "core",
    help = "PEM file of a client certificate" },
  { name = "client_key", kind = "string", where = "core", help = "PEM file of its key" },
  { name = "unix_socket", kind = "string", where = "core",
    help = "path of a socket to connect to in the host's place" },
  { name = "http_version", kind = "string", one_of = { "1.1", "2" }, where = "core",
    help = "else the best both sides know; \"2\" is a wish, which a server that has only 1.1 does not fulfil" },
  { name = "user_agent", kind = "string", where = "core", help = "the User-Agent header" },
  { name = "headers", kind = "table", where = "client", help = "headers sent with every request" },
  { name = "on_request", kind = "function", where = "client",
    help = "function(attempt), called after each attempt; secrets are removed" },
  { name = "max_header_bytes", kind = "number", integer = true, min = 1, max = 307200,
    where = "call", default = 262144,
    help = "cap on an answer's headers; libcurl takes no more than 307200" },
  { name = "max_body_bytes", kind = "number", integer = true, min = 1, where = "call",
    default = 67108864,
    help = "cap on an answer kept in memory, after decompression" },
  { name = "max_line_bytes", kind = "number", integer = true, min = 1, where = "client",
    default = 67108864,
    help = "cap on one line of a JSONL answer" },
  { name = "max_json_depth", kind = "number", integer = true, min = 1, max = 1000,
    where = "client", default = 512,
    help = "cap on nesting in an answer" },
  { name = "max_json_values", kind = "number", integer = true, min = 1, where = "client",
    default = 8000000,
    help = "cap on the values of an answer that are decoded; an array or object counts as 8" },
  { name = "big_integers", kind = "string", one_of = { "float", "text", "cdata" }, where = "client",
    help = "what an integer in an answer becomes that this Lua's numbers do not hold (2^53 on 5.1, 5.2 and "
      .. "LuaJIT, else 64 bits): \"float\" (its nearest number, the default), \"text\" (its digits), or "
      .. "on LuaJIT \"cdata\"" },
  { name = "allow_insecure", kind = "boolean", where = "client",
    help = "send credentials over plain http to another machine" },
  { name = "token", kind = { "function", "string" }, where = "client",
    help = "a bearer token, or a function that returns one and its lifetime in seconds" },
  { name = "on_token", kind = "function", where = "client",
    help = "function(refresh_token), called when the server has renewed it, to be stored" },
  { name = "api_key_file", kind = "string", where = "client",
    help = "file that holds the key; read by the core" },
  host.option,
  { name = "json", kind = "table", where = "client",
    help = "a codec in the built-in one's place: encode and decode as lua-cjson has them" },
  { name = "on_change", kind = "function", where = "client",
    help = "function(change), called once for each change the service announces" },
}

check.list(M.general)


--- The options that carry a definition's credentials.
local function credential_names(definition)
  local names = {}
  for _, way in ipairs(definition.auth) do
    names[#names + 1] = way.option
    names[#names + 1] = way.user_option
  end
  return names
end


--- Every option name a client of this definition takes, in order and without repeats.
---@param definition table
---@return string[]
function M.names(definition)
  local names, seen = {}, {}
  local function add(name)
    if name and not seen[name] then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(credential_names(definition)) do
    add(name)
  end
  for _, option in ipairs(definition.options) do
    add(option.name)
  end
  for _, option in ipairs(M.general) do
    add(option.name)
  end
  return names
end


local function check_headers(headers)
  headers = wire_values.headers(headers, "option headers")
  for name in pairs(headers) do
    if name:lower() == "authorization" or name:lower() == "proxy-authorization" then
      errors.misuse("option headers: give credentials as options, not as the header %s",
        name)
    end
  end
  return headers
end


local function check_general(given, definition)
  if given.headers then
    given.headers = check_headers(given.headers)
  end
  local fault = given.base_url and url.base_fault(given.base_url)
  if fault then
    errors.misuse("option base_url %s", fault)
  end
  if given.client_key and not given.client_cert then
    errors.misuse("option client_key needs client_cert")
  elseif given.on_change and not definition.changes then
    errors.misuse("option on_change: %s announces no changes", definition.name)
  elseif given.json and (type(given.json.encode) ~= "function"
    or type(given.json.decode) ~= "function") then
    errors.misuse("option json must have the functions encode and decode")
  elseif given.json and given.max_json_depth ~= M.general.max_json_depth.default then
    errors.misuse("option max_json_depth is for the built-in codec, and json puts another in its place")
  elseif given.json and given.big_integers then
    errors.misuse("option big_integers is for the built-in codec, and json puts another in its place")
  elseif given.big_integers == "cdata" and not rawget(_G, "jit") then
    errors.misuse("option big_integers: \"cdata\" is for LuaJIT")
  end
end


--- The value of a service's own option: given, from the environment, or its default.
local function own_value(option, given)
  local value, origin = given[option.name], "option " .. option.name
  if value == nil and option.environment then
    local text = os.getenv(option.environment)
    if text and text ~= "" then
      value, origin = text, option.environment
      if option.type == "integer" or option.type == "number" then
        value = tonumber(text) or text
      elseif option.type == "array" then
        value = { text }
      end
    end
  end
  if value == nil then
    return option.default
  end
  local checked, why = values.check(value, option, origin)
  if checked == nil then
    errors.misuse(why)
  end
  return checked
end


local function copy(original)
  local made = {}
  for name, value in pairs(original) do
    made[name] = value
  end
  return made
end


--- Checks a client's options and gives a table of them all; the user's own table is not kept.
--- Raises on an unknown name or a value that does not fit. Credentials are left out:
--- credentials.lua reads them.
---@param definition table as definition.load gives it
---@param given table
---@return table
function M.resolve(definition, given)
  local names = M.names(definition)
  local known, own = {}, {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  for name in pairs(given) do
    if not known[name] then
      check.unknown(name, names, definition.name)
    end
  end
  local settings = {}
  for _, option in ipairs(M.general) do
    local value = given[option.name]
    if value ~= nil then
      check.check_one(option.name, value, option)
      settings[option.name] = value
    elseif option.where == "client" and type(option.default) == "number" then
      settings[option.name] = option.default -- those of a call have theirs in the core
    end
  end
  check_general(settings, definition)
  settings.headers = settings.headers and copy(settings.headers)
  for _, option in ipairs(definition.options) do
    own[option.name] = own_value(option, given)
  end
  settings.own = own
  return settings
end


--- Whether an option is one of those that carry credentials.
---@param definition table
---@param name string
---@return boolean
function M.is_credential(definition, name)
  return name == "token" or name == "api_key_file" or among(name, credential_names(definition))
end


return M
