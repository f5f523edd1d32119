--- Where a client's requests go.

local errors = require("batchapi.util.errors")
local url = require("batchapi.util.url")


--- The value of the option a base URL names in braces.
local function placeholder(definition, settings, name)
  local value = settings.own[name]
  if value == nil then
    local variable
    for _, option in ipairs(definition.options) do
      variable = option.name == name and option.environment or variable
    end
    return nil, ("no address: give the option %s%s, or base_url"):format(name,
      variable and " or the variable " .. variable or "")
  end
  return (tostring(value):gsub("/+$", ""))
end


--- The base URL of a client: the option, the variable, or the definition's with its options filled
--- in.
---@param definition table
---@param settings table
---@return string|nil base_url without a slash at its end
local function base_url(definition, settings)
  local given = settings.base_url
  local variable = definition.environment and os.getenv(definition.environment)
  if not given and variable and variable ~= "" then
    given = variable
    local fault = url.base_fault(variable)
    if fault then
      return errors.invalid(definition.name, ("the variable %s %s"):format(definition.environment, fault))
    end
  end
  if given then
    given = given:gsub("/+$", "")
    local tail = definition.base_path
    return tail and given:sub(-#tail) ~= tail and given .. tail or given
  end
  local why
  local filled = definition.base_url:gsub("{([%w_]+)}", function(name)
    local value, message = placeholder(definition, settings, name)
    why = why or message
    return value
  end)
  local fault = not why and url.base_fault(filled)
  if why or fault then
    return errors.invalid(definition.name, why or ("the address '%s' %s"):format(filled, fault))
  end
  return filled
end


return base_url
