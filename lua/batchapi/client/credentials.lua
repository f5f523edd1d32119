--- Finds a client's credential among its options and the environment, and makes the core's object
--- of it.
--- No secret is kept on this side: what is read here goes into the core and is forgotten.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local grants = require("batchapi.client.grants")

local M = {}


local function environment(name)
  local value = name and os.getenv(name)
  return value ~= "" and value or nil
end


--- What a way needs: pairs of option and variable.
local function needs(way)
  local list = { { option = way.option, environment = way.environment } }
  if way.user_option then
    table.insert(list, 1, { option = way.user_option, environment = way.user_environment })
  end
  return list
end


local function given_any(way, given)
  for _, need in ipairs(needs(way)) do
    if given[need.option] ~= nil then
      return true
    end
  end
  return false
end


--- The values a way needs by option name, and the first need that nothing meets.
local function collect(way, given)
  local found, missing = {}, nil
  for _, need in ipairs(needs(way)) do
    local value = given[need.option]
    if value == nil then
      value = environment(need.environment)
    end
    if value == nil and need.option == way.option and given.api_key_file then
      value = false -- the file holds it
    end
    if value == nil then
      missing = missing or need
    end
    found[need.option] = value
  end
  return found, missing
end


local function named(need)
  return need.environment and ("the option %s or the variable %s"):format(need.option,
    need.environment)
    or ("the option " .. need.option)
end


local function absent(definition, message)
  return errors.fail(errors.new{
    kind = "auth", operation = definition.name, message = message,
  })
end


local function check_text(way, found)
  for _, need in ipairs(needs(way)) do
    local value = found[need.option]
    if value and type(value) ~= "string" then
      errors.misuse("option %s must be a string, got a %s", need.option, type(value))
    elseif value == "" then
      errors.misuse("option %s is empty", need.option)
    end
  end
end


local oauth_words = { client_id = true, client_secret = true, refresh_token = true,
  redirect_uri = false }


local function check_oauth(value)
  if type(value) ~= "table" then
    errors.misuse("option oauth must be a table { client_id, client_secret, refresh_token }")
  end
  for word, content in pairs(value) do
    if oauth_words[word] == nil then
      errors.misuse("option oauth has no field '%s'", tostring(word))
    end
    local source = word == "refresh_token" and type(content) == "function" -- it is asked for the token
    if not source and (type(content) ~= "string" or content == "") then
      errors.misuse("option oauth.%s must be a string that is not empty", word)
    end
  end
  for word, required in pairs(oauth_words) do
    if required and value[word] == nil then
      errors.misuse("option oauth.%s is missing", word)
    end
  end
end


--- An endpoint of a way: a URL, or a path at the origin of the base URL, so that secrets never go
--- to the service itself while a client is pointed elsewhere.
---@param endpoint string
---@param base_url string
---@return string
function M.endpoint(endpoint, base_url)
  return endpoint:sub(1, 1) == "/" and base_url:match("^%a+://[^/?#]+") .. endpoint or endpoint
end


--- Descriptions for core.credential, by kind of way.
local builders = {
  bearer = function(way, found, file)
    check_text(way, found)
    return { kind = "bearer", token = found[way.option] or nil, file = file }
  end,
  basic = function(way, found, file)
    check_text(way, found)
    return { kind = "basic", user = found[way.user_option], password = found[way.option] or nil,
      file = file }
  end,
  header = function(way, found, file)
    check_text(way, found)
    local value = found[way.option]
    return { kind = "header", name = way.header, value = value and (way.prefix or "") .. value
      or nil, file = file }
  end,
  oauth_client = function(way, found)
    local value = found[way.option]
    if type(value) ~= "string" and type(value) ~= "table" then
      errors.misuse("option %s must be a path or a table, got a %s", way.option, type(value))
    end
    return { kind = "oauth_client", app_config = value }
  end,
  oauth_refresh = function(way, found, _, base_url)
    local value = found[way.option]
    check_oauth(value)
    local refresh_token, why = value.refresh_token
    if type(refresh_token) == "function" then
      refresh_token, why = refresh_token()
      if type(refresh_token) ~= "string" or refresh_token == "" then
        return nil, why and tostring(why) or "the function of the refresh token gave nothing"
      end
    end
    return {
      kind = "oauth_refresh", sourced = refresh_token ~= value.refresh_token,
      token_url = M.endpoint(way.token_url, base_url),
      client_id = value.client_id,
      client_secret = value.client_secret, refresh_token = refresh_token,
      redirect_uri = value.redirect_uri,
    }
  end,
}


--- The way to take: the one whose options are given, else the first that the environment completes.
local function choose(definition, given)
  local chosen
  for _, way in ipairs(definition.auth) do
    if given_any(way, given) then
      if chosen then
        errors.misuse("%s takes either %s or %s, not both",
          definition.name, chosen.option, way.option)
      end
      chosen = way
    end
  end
  if chosen then
    return chosen
  end
  for _, way in ipairs(definition.auth) do
    local file_fits = not given.api_key_file or builders[way.kind] ~= builders.oauth_client
      and builders[way.kind] ~= builders.oauth_refresh
    local _, missing = collect(way, given)
    if not missing and file_fits then
      return way
    end
  end
end


local function none_found(definition)
  local ways = {}
  for _, way in ipairs(definition.auth) do
    local parts = {}
    for _, need in ipairs(needs(way)) do
      parts[#parts + 1] = named(need)
    end
    ways[#ways + 1] = table.concat(parts, " with ")
  end
  return absent(definition, "no credentials: give " .. table.concat(ways, ", or "))
end


local function from_token(given)
  if type(given.token) == "function" then
    return core.credential{ kind = "function" }
  elseif given.token == "" then
    errors.misuse("option token is empty")
  end
  return core.credential{ kind = "bearer", token = given.token }
end


local function check_file(way, given)
  if way.kind == "oauth_client" or way.kind == "oauth_refresh" or way.prefix then
    errors.misuse("option api_key_file does not go with %s", way.option)
  elseif given[way.option] ~= nil then
    errors.misuse("give either %s or api_key_file, not both", way.option)
  end
end


local function make(definition, given, base_url)
  if given.token ~= nil then
    return from_token(given)
  elseif #definition.auth == 0 then
    return core.credential{ kind = "none" }
  end
  local way = choose(definition, given)
  if not way then
    return none_found(definition)
  end
  local found, missing = collect(way, given)
  if missing then
    return absent(definition, ("%s is missing: give %s"):format(missing.option, named(missing)))
  end
  if given.api_key_file then
    check_file(way, given)
    found[way.option] = nil -- the file goes before the environment
  end
  local description, why = builders[way.kind](way, found, given.api_key_file, base_url)
  if not description then
    return absent(definition, why)
  elseif description.kind == "oauth_refresh" then
    return grants.credential(description, base_url)
  end
  return core.credential(description)
end


--- The credential of a client: an object of the core, bound to the origin of `base_url`.
---@param definition table as definition.load gives it
---@param given table the options as the user gave them
---@param base_url string
---@return userdata|nil credential, string|nil message, batchapi.Error|nil err
function M.find(definition, given, base_url)
  if given.on_token and not given.oauth then
    errors.misuse("option on_token needs oauth = { client_id, client_secret, refresh_token }")
  end
  local credential, message, err = make(definition, given, base_url)
  if credential then
    local ok
    ok, message, err = credential:bind(base_url, given.allow_insecure or false)
    if ok then
      return credential
    end
  end
  return errors.adopt(definition.name, err, message)
end


return M
