--- Tables of options: one list says what a function takes, and from it come the checks, the messages,
--- help and the pages of docs/. An option is
---
---   name       how it is given
---   kind       its Lua type, or a list of types; "integer" is a whole number; "any"
---   help       what it does, in a line, for people
---   default    what it is when it is left out, for people (whoever reads it knows it too)
---   required   it must be given
---   min, max   the range of a number; `above`, a bound that it may not touch; `integer`, it is whole
---   one_of     the words it may be
---   empty      false: an empty string is none
---   callable   a table that can be called does, where a function is wanted
---   check      function(value), for a table: raises when it is not right inside
---
--- What does not fit raises at the line of the user's program that gave it.

local among = require("batchapi.util.among")
local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")

local M = {}


--- A list of options that knows its options by name too.
---@param list table[]
---@return table
function M.list(list)
  for _, option in ipairs(list) do
    list[option.name] = option
  end
  return list
end


--- The option of a name, or nil.
---@param list table of M.list
---@param name any
---@return table|nil
function M.find(list, name)
  return type(name) == "string" and list[name] or nil
end


--- The names of a list's options, in its order.
---@param list table[]
---@return string[]
function M.names(list)
  local names = {}
  for i, option in ipairs(list) do
    names[i] = option.name
  end
  return names
end


local function is_callable(value)
  local mt = type(value) == "table" and getmetatable(value)
  return type(mt) == "table" and mt.__call ~= nil
end


local function is_whole(value)
  return type(value) == "number" and value == math.floor(value) and math.abs(value) < math.huge
end


local function fits(value, kind, option)
  if kind == "integer" then
    return is_whole(value)
  elseif kind == "function" and option.callable and is_callable(value) then
    return true
  end
  return kind == "any" or type(value) == kind
end


--- Does a value have the type that an option wants? What it wants, in words, when not.
---@param value any
---@param option table
---@return string|nil wanted
function M.wrong_kind(value, option)
  local kind = option.kind
  if type(kind) == "string" then
    return not fits(value, kind, option) and kind or nil
  end
  for _, one in ipairs(kind) do
    if fits(value, one, option) then
      return nil
    end
  end
  return table.concat(kind, " or a ")
end


--- What is wrong with a number for an option, in the one form that all have; nil when nothing is.
---@param name string
---@param value number
---@param option { min?: number, max?: number, above?: number, integer?: boolean }
---@return string|nil
function M.range_fault(name, value, option)
  local low, high = option.min, option.max
  local wanted
  if value ~= value then
    wanted = "a number"
  elseif option.integer and not is_whole(value) then
    wanted = "an integer"
  elseif (low and value < low) or (high and value > high) or (option.above
    and value <= option.above) then
    wanted = option.above and ("more than %s"):format(option.above)
      or high and ("between %s and %s"):format(low, high) or ("at least %s"):format(low)
  end
  return wanted and ("option %s must be %s, got %s"):format(name, wanted,
    value ~= value and "NaN" or tostring(value))
end


--- What is wrong with the words of an option that has a list of them; nil when nothing is.
---@param name string
---@param value any
---@param option { one_of?: any[] }
---@return string|nil
function M.word_fault(name, value, option)
  if option.one_of and not among(value, option.one_of) then
    return ("option %s must be one of %s, got '%s'%s"):format(name, table.concat(option.one_of, ", "),
      tostring(value), suggest.hint(tostring(value), option.one_of))
  end
end


local function with_article(kinds)
  return (kinds:find("^[aeiou]") and "an " or "a ") .. kinds
end


--- Raises when a value has not the type that its option wants.
---@param name string
---@param value any
---@param option table
---@param what string|nil whose option it is: "run: "
function M.check_kind(name, value, option, what)
  local wanted = M.wrong_kind(value, option)
  if wanted then
    errors.misuse("%soption %s must be %s, got a %s", what or "", name, with_article(wanted), type(value))
  end
end


--- Raises when a value does not fit its option.
---@param name string
---@param value any
---@param option table
---@param what string|nil whose option it is: "run: "
function M.check_one(name, value, option, what)
  M.check_kind(name, value, option, what)
  local fault
  if type(value) == "number" then
    fault = M.range_fault(name, value, option)
  elseif type(value) == "table" then
    if option.check then
      option.check(value)
    end
  elseif value == "" and option.empty == false then
    fault = ("option %s is empty"):format(name)
  else
    fault = M.word_fault(name, value, option)
  end
  if fault then
    errors.misuse("%s%s", what or "", fault)
  end
end


--- Raises for a name that no option has, naming the nearest.
---@param name any
---@param names string[]
---@param what string whose options they are
function M.unknown(name, names, what)
  errors.misuse("%s has no option '%s'%s", what, tostring(name), suggest.hint(tostring(name), names))
end


--- Raises when what should be a table of options is none.
---@param given any
---@param what string
function M.check_table(given, what)
  if type(given) ~= "table" then
    errors.misuse("%s: the options must be a table, got a %s", what, type(given))
  end
end


--- Checks a table of options against a list.
---@param given table
---@param list table of M.list
---@param what string whose options they are, for messages
---@param further table<string, any>|nil names that are somebody else's to check
function M.check(given, list, what, further)
  M.check_table(given, what)
  for name, value in pairs(given) do
    local option = M.find(list, name)
    if option then
      M.check_one(name, value, option, what .. ": ")
    elseif not (further and further[name]) then
      M.unknown(name, M.names(list), what)
    end
  end
  for _, option in ipairs(list) do
    if option.required and given[option.name] == nil then
      errors.misuse("%s: option %s is missing", what, option.name)
    end
  end
end


return M
