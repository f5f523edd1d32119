--- The options of `run`: which there are, their types and ranges, what they are when absent.

local check = require("batchapi.check.options")
local common = require("batchapi.definition.run_options")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local template = require("batchapi.definition.template")

local M = {}

local null = core.null


local function known_names(run)
  local names = check.names(common)
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


local function check_range(name, rule, value)
  local fault = type(value) == "number" and check.range_fault(name, value, rule) or check.word_fault(name, value, rule)
  if fault then
    return nil, fault
  end
  return true
end


local lua_kinds = { object = "table", map = "table", array = "table" }


--- The rule of an option that the service's definition adds, in the words of the general ones.
local function own_rule(run, name)
  local own = (run.options or {})[name]
  return own and { kind = lua_kinds[own.type] or own.type or "any", one_of = own.one_of }
end


local function take(run, given, options)
  for name, value in pairs(given) do
    local general = check.find(common, name)
    local rule = general or own_rule(run, name)
    if not rule then
      check.unknown(name, known_names(run), "run")
    end
    if name == "expires_after" or name == "output_expires_after" then
      value = plain_seconds(value)
    end
    check.check_kind(name, value, rule, "run: ")
    if general then
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
  for _, rule in ipairs(common) do
    if options[rule.name] == nil then
      options[rule.name] = rule.default
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
  if given ~= nil then
    check.check_table(given, "run")
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
    local rule = check.find(common, name)
    if not (rule and rule.fleeting) and value ~= null then
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
  for _, rule in ipairs(common) do
    names[#names + 1] = rule.shapes and rule.name or nil
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
