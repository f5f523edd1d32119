--- The options of `run`: which there are, their types and ranges, what they are when absent.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local options_of = require("batchapi.client.options")
local suggest = require("batchapi.util.suggest")
local template = require("batchapi.definition.template")

local M = {}

local null = core.null

--- name = { type, default, least, shapes the job (then another run on the same dir may not change
--- it) }
local common = {
  dir = { "string" },
  group = { "boolean", default = false },
  metadata = { "table", shapes = true },
  attempts = { "integer", default = 1, least = 1 },
  ordered = { "boolean" },
  concurrency = { "integer", least = 1 },
  max_requests_per_batch = { "integer", least = 1, shapes = true },
  max_bytes_per_batch = { "integer", least = 1, shapes = true },
  interval = { "number", least = 0.001 },
  timeout = { "number", least = 0 },
  cleanup = { "boolean", default = false },
  expires_after = { "number", least = 1, shapes = true },
  output_expires_after = { "number", least = 1, shapes = true },
  follow_pages = { "boolean", default = false, shapes = true },
  repeat_writes = { "boolean", default = false },
  requests_per_minute = { "integer", least = 1 },
  lock_timeout = { "number", default = 0, least = 0 },
  settle = { "number", default = 60, least = 0 },
  dry_run = { "boolean", default = false },
  on_update = { "function" },
}

M.common = common

-- What `run` knows only for one process.
local fleeting = { dir = true, group = true, on_update = true, lock_timeout = true, dry_run = true }


local function known_names(run)
  local names = {}
  for name in pairs(common) do
    names[#names + 1] = name
  end
  for name in pairs(run.options or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end


--- Options that promise something this service's definition has no word for.
local function check_applies(run, name, value)
  local in_templates = template.names(run, {})
  local missing = (name == "metadata" or name == "expires_after" or name == "output_expires_after")
      and not in_templates[name]
    or name == "follow_pages" and value and not run.pages
    or name == "cleanup" and value and not run.delete
    or (name == "repeat_writes" and value or name == "requests_per_minute")
      and run.family ~= "envelope" and run.family ~= "each"
  if missing then
    errors.misuse(("run: the service has nothing that option '%s' could act on"):format(name))
  end
end


--- `{ anchor = "created_at", seconds = n }`, the service's own form, is understood as n seconds.
local function plain_seconds(value)
  if type(value) == "table" and type(value.seconds) == "number"
    and (value.anchor == nil or value.anchor == "created_at") then
    return value.seconds
  end
  return value
end


local function check_type(name, wanted, value)
  local right = type(value) == wanted
    or wanted == "integer" and type(value) == "number" and value == math.floor(value)
    or wanted == "any"
  if wanted == "function" and type(value) == "table" then
    local mt = getmetatable(value)
    right = mt ~= nil and mt.__call ~= nil
  end
  if not right then
    errors.misuse(("run: option '%s' must be a %s, got a %s"):format(name, wanted, type(value)))
  end
end


local function check_range(name, rule, value)
  local fault = type(value) == "number" and options_of.range_fault(name, value, { min = rule.least })
  if fault then
    return nil, fault
  end
  for _, allowed in ipairs(rule.one_of or {}) do
    if allowed == value then
      return true
    end
  end
  if rule.one_of then
    return nil, ("option '%s' must be one of %s"):format(name, table.concat(rule.one_of, ", "))
  end
  return true
end


local function take(run, given, options)
  for name, value in pairs(given) do
    local rule = common[name] or (run.options or {})[name]
    if not rule then
      errors.misuse(("run: unknown option '%s'%s"):format(tostring(name),
        suggest.hint(tostring(name), known_names(run))))
    end
    if name == "expires_after" or name == "output_expires_after" then
      value = plain_seconds(value)
    end
    check_type(name, rule[1] or rule.type or "any", value)
    if common[name] then
      check_applies(run, name, value)
    end
    local ok, why = check_range(name, rule, value)
    if not ok then
      return nil, why
    end
    options[name] = value
  end
  return true
end


local function add_defaults(run, options)
  for name, rule in pairs(common) do
    if options[name] == nil then
      options[name] = rule.default
    end
  end
  for name, rule in pairs(run.options or {}) do
    if options[name] == nil then
      options[name] = rule.default
    end
  end
  if options.ordered == nil then
    options.ordered = run.request == nil or run.request.id == nil
  end
end


--- The limits of one batch: the service's, made smaller by the options, never larger.
local function check_limits(run, options)
  local limits = run.limits or {}
  local pairs_of = { max_requests_per_batch = limits.requests, max_bytes_per_batch = limits.bytes }
  for name, most in pairs(pairs_of) do
    if options[name] and most and options[name] > most then
      return nil, ("option '%s' can be at most %d, the service's own limit"):format(name, most)
    end
  end
  return true
end


local function check_required(run, options)
  for name, rule in pairs(run.options or {}) do
    if rule.required and options[name] == nil then
      return nil, ("option '%s' is missing"):format(name)
    end
  end
  for key, value in pairs(options.metadata or {}) do
    if key == "batchapi_part" then
      return nil, "metadata.batchapi_part is the job's own"
    elseif type(key) ~= "string" or type(value) ~= "string" then
      return nil, "metadata must map strings to strings"
    end
  end
  return true
end


--- Checks the options given to `run` and fills in the defaults. Misuse raises; a value out of range
--- is `nil, message`.
---@param run table the definition's run section
---@param given table|nil
---@return table|nil options
---@return string|nil message
function M.parse(run, given)
  if given ~= nil and type(given) ~= "table" then
    errors.misuse(("run: options must be a table, got a %s"):format(type(given)))
  end
  local options = {}
  local ok, why = take(run, given or {}, options)
  if not ok then
    return nil, why
  end
  add_defaults(run, options)
  ok, why = check_limits(run, options)
  if not ok then
    return nil, why
  end
  ok, why = check_required(run, options)
  if not ok then
    return nil, why
  end
  return options
end


--- What of the options is written into the journal.
---@param options table
---@return table
function M.recorded(options)
  local kept = {}
  for name, value in pairs(options) do
    if not fleeting[name] and value ~= null then
      kept[name] = value
    end
  end
  return kept
end


local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end


--- The name of an option that shapes the job and is not what the journal says, or nil.
---@param run table
---@param options table
---@param recorded table
---@return string|nil
function M.changed(run, options, recorded)
  local names = {}
  for name, rule in pairs(common) do
    names[#names + 1] = rule.shapes and name or nil
  end
  for name in pairs(run.options or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    if not same(options[name], recorded[name]) then
      return name
    end
  end
end


return M
