--- Is a value one of a list's? A list that is absent has none.
---@param value any
---@param list any[]|nil
---@return boolean
return function(value, list)
  for _, one in ipairs(list or {}) do
    if one == value then
      return true
    end
  end
  return false
end
