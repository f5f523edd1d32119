--- The kinds of values that words of a definition have. A kind is { said = what it is, for the reference;
--- check = function(value, place) that raises with the place or returns nothing }.

local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")

local M = {}


--- Raises: the definition is wrong at this place.
---@param place string
---@param message string
function M.refuse(place, message)
  place = place:gsub("^%.", "")
  errors.misuse("definition%s: %s", place == "" and "" or ", " .. place, message)
end

local refuse = M.refuse


local function of_type(name, said)
  return { said = said, check = function(value, place)
    if type(value) ~= name then
      refuse(place, ("must be a %s, got a %s"):format(name, type(value)))
    end
  end }
end

M.text = of_type("string", "a text")
M.flag = of_type("boolean", "true or false")
M.number = of_type("number", "a number")
M.any_table = of_type("table", "a table")
M.anything = { said = "any value", check = function() end }

local check_table = M.any_table.check


--- One of these words.
---@param known string[]
---@return table kind
function M.one_of(known)
  local quoted = {}
  for i, word in ipairs(known) do
    quoted[i] = ('"%s"'):format(word)
  end
  return { said = table.concat(quoted, ", "), words = known, check = function(value, place)
    for _, word in ipairs(known) do
      if word == value then
        return
      end
    end
    refuse(place, ("must be one of %s, got '%s'%s"):format(table.concat(known, ", "), tostring(value),
      suggest.hint(tostring(value), known)))
  end }
end


--- An array of values of a kind.
---@param item table
---@return table kind
function M.array_of(item)
  return { said = "an array of " .. item.said:gsub("^an? ", "") .. "s", item = item, check = function(value, place)
    check_table(value, place)
    for key in pairs(value) do
      if type(key) ~= "number" then
        refuse(place, ("must be an array, but has the key '%s'"):format(tostring(key)))
      end
    end
    for i, element in ipairs(value) do
      item.check(element, ("%s[%d]"):format(place, i))
    end
  end }
end


--- A table from names to values of a kind.
---@param item table
---@return table kind
function M.map_of(item)
  return { said = "a table from names to " .. item.said:gsub("^an? ", "") .. "s", item = item,
    check = function(value, place)
      check_table(value, place)
      for key, element in pairs(value) do
        if type(key) ~= "string" then
          refuse(place, ("must have names for keys, got '%s'"):format(tostring(key)))
        end
        item.check(element, place .. "." .. key)
      end
    end }
end


--- A value of one type in one kind, and any other in the second.
---@param first table
---@param first_type string
---@param second table
---@return table kind
function M.either(first, first_type, second)
  return {
    said = first.said .. ", or " .. second.said, item = second.item or second, second = second,
    check = function(value, place)
      return (type(value) == first_type and first or second).check(value, place)
    end,
  }
end


--- A dotted path, with at least `least` steps.
M.path = M.text

M.texts = M.array_of(M.text)
M.numbers = M.array_of(M.number)

return M
