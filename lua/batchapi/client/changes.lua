--- Tells each change a service announces once: "Asana-Change: name=flag;info=url;affected=true".

local M = {}


--- The announcements in a header's value (repeated headers are joined with commas).
---@param value string
---@return table[] each { name =, info =, affected = }
function M.parse(value)
  local changes = {}
  for part in value:gmatch("[^,]+") do
    local change = {}
    for attribute in part:gmatch("[^;]+") do
      local name, content = attribute:match("^%s*([%w_-]+)%s*=%s*(.-)%s*$")
      if name then
        change[name] = content
      end
    end
    changes[#changes + 1] = change
  end
  return changes
end


--- A function(headers) that gives `on_change` what it has not been told.
---@param words table the definition's `changes`
---@param settings table the client's settings
---@param told table flags already told, by name
---@return function
function M.teller(words, settings, told)
  local silenced = {}
  for _, option in ipairs(words.silenced_by or {}) do
    for _, flag in ipairs(settings.own[option] or {}) do
      silenced[flag] = true
    end
  end
  return function(headers)
    local value = headers and headers[words.header]
    if not value then
      return
    end
    for _, change in ipairs(M.parse(value)) do
      local flag = change[words.name]
      if flag and not told[flag] and not silenced[flag] then
        told[flag] = true
        settings.on_change(change)
      end
    end
  end
end


return M
