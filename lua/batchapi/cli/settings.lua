--- Which client a command uses: the flags, the config file, the environment.
---
--- The config file is `~/.config/batchapi/config.lua` (a table that it returns) or `config.json`:
--- `{ service = "openai", openai = { api_key_file = "…", base_url = "…" } }`. Others may not read it.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local json = require("batchapi.json")

local M = {}


--- Ends the command: what could not run.
---@param message string
---@param exit integer|nil 3
function M.give_up(message, exit)
  error({ exit = exit or 3, message = message })
end


--- The value, or the command's end.
---@generic T
---@param value T|nil
---@param message string|nil
---@return T
function M.need(value, message)
  if value == nil then
    M.give_up(message)
  end
  return value
end


local function config_folder()
  local base = os.getenv("XDG_CONFIG_HOME")
  if not base or base == "" then
    local home = os.getenv("HOME")
    base = home and home .. "/.config"
  end
  return base and base .. "/batchapi"
end


-- A chunk with nothing to call: a config file is data.
local function load_data(text, path)
  local chunk, why
  if rawget(_G, "setfenv") then
    chunk, why = loadstring(text, "@" .. path) -- luacheck: ignore 113
    if chunk then
      setfenv(chunk, {}) -- luacheck: ignore 113
    end
  else
    chunk, why = load(text, "@" .. path, "t", {})
  end
  if not chunk then
    return nil, why
  end
  local ran, value = pcall(chunk)
  if not ran then
    return nil, tostring(value)
  end
  return value
end


local function read_config(path, decode)
  if not core.fs.stat(path) then
    return nil
  end
  local text = M.need(core.fs.private(path))
  local config, why = decode(text, path)
  if type(config) ~= "table" then
    M.give_up(("%s: %s"):format(path, why or "it must give a table"))
  end
  return config
end


local config

--- What the config file says; an empty table without one.
---@return table
function M.config()
  if not config then
    local folder = config_folder()
    config = folder and (read_config(folder .. "/config.lua", load_data)
      or read_config(folder .. "/config.json", function(text)
        return json.decode(text)
      end)) or {}
  end
  return config
end


local function load_definition(path)
  local file, why = io.open(path)
  if not file then
    M.give_up(why)
  end
  local text = file:read("*a")
  file:close()
  local described
  described, why = load_data(text, path)
  if type(described) ~= "table" then
    M.give_up(("%s: %s"):format(path, why or "it must return the table that describes a service"))
  end
  return described
end


--- The client's options from the config file and the flags.
local function options_for(service, chosen)
  local options = {}
  for name, value in pairs(type(M.config()[service]) == "table" and M.config()[service] or {}) do
    options[name] = value
  end
  if chosen.api_key_file then
    options.api_key_file, options.api_key = chosen.api_key_file, nil
  end
  options.base_url = chosen.base_url or options.base_url
  return options
end


--- The client a command asks for.
---@param chosen table the command's options: service, api_key_file, base_url
---@param of_job string|nil the service of the job that is taken up
---@return batchapi.Client
function M.client(chosen, of_job)
  local service = chosen.service or of_job or M.config().service or "openai"
  if service:find("%.lua$") then
    return M.need(batchapi.client(load_definition(service), options_for(service, chosen)))
  end
  return M.need(batchapi.client(service, options_for(service, chosen)))
end


return M
