--- Checks a value against its description in a definition, and prepares it for the wire.
---
--- A description is a table `{ name, type, facets… }`; definition/init.lua documents every word.
--- Checking gives the value to send (the user's own table wherever nothing had to change, a copy
--- where an empty table must become `[]`, a whole float an integer, or a word lower case), or nil
--- and a message that names the parameter.

local core = require("batchapi.core")
local path = require("batchapi.util.path")
local scalars = require("batchapi.check.scalars")
local suggest = require("batchapi.util.suggest")

local M = {}

local array_mt = core.array_mt
local null = core.null

local characters, described, expected = scalars.characters, scalars.described, scalars.expected

M.is_array = scalars.is_array

--- Copies a table on its first change, so that the user's own is never touched.
local function changed_copy(original, copy)
  if copy then
    return copy
  end
  copy = {}
  for key, value in next, original do
    copy[key] = value
  end
  local mt = getmetatable(original)
  return type(mt) == "table" and setmetatable(copy, mt) or copy
end


--- A value as the encoder will read it: core.plain() has its rules. Most tables have no metatable,
--- or are arrays that were decoded.
local function as_encoded(value)
  local kind = type(value)
  if kind == "table" then
    local mt = getmetatable(value)
    return (mt == nil or mt == array_mt) and value or core.plain(value)
  elseif kind == "function" or kind == "userdata" then
    return core.plain(value)
  end
  return value
end
M.as_encoded = as_encoded


local function check_count(count, least, most, where, what)
  if least and count < least then
    return nil, ("%s must have at least %d %s, got %d"):format(where, least, what, count)
  elseif most and count > most then
    return nil, ("%s may have at most %d %s, got %d"):format(where, most, what, count)
  end
  return true
end


local function check_array(value, spec, where)
  if type(value) ~= "table" or (next(value) ~= nil and not M.is_array(value)) then
    return expected(where, "an array", value)
  end
  local ok, why = check_count(#value, spec.min_items, spec.max_items, where, "items")
  if not ok then
    return nil, why
  end
  local copy
  for i, item in ipairs(spec.items and value or {}) do
    local checked, reason = M.check(item, spec.items, ("%s[%d]"):format(where, i))
    if checked == nil then
      return nil, reason
    elseif checked ~= item then
      copy = changed_copy(value, copy)
      copy[i] = checked
    end
  end
  copy = copy or value
  -- An empty table must go out as [], whatever the codec makes of bare ones.
  return next(copy) == nil and setmetatable({}, array_mt) or copy
end


local function check_map(value, spec, where)
  if type(value) ~= "table" or M.is_array(value) then
    return expected(where, "a table with names for keys", value)
  end
  local count, copy = 0, nil
  for key, item in pairs(value) do
    count = count + 1
    if type(key) ~= "string" then
      return nil, ("%s must have strings for keys, got %s"):format(where, described(key))
    elseif spec.key_max_length and characters(key) > spec.key_max_length then
      return nil, ("%s: a key may have at most %d characters, '%s…' has %d"):format(
        where, spec.key_max_length, key:sub(1, 20), characters(key))
    end
    local checked, why = item, nil
    if spec.values then
      checked, why = M.check(item, spec.values, where .. "." .. key)
    end
    if checked == nil then
      return nil, why
    elseif checked ~= item then
      copy = changed_copy(value, copy)
      copy[key] = checked
    end
  end
  local ok, why = check_count(count, spec.min_pairs, spec.max_pairs, where, "pairs")
  if not ok then
    return nil, why
  end
  return copy or value
end


local function names_of(fields)
  local names = {}
  for i, field in ipairs(fields) do
    names[i] = field.name
  end
  return names
end


--- The first key that no field describes, or nil.
---@param value table
---@param fields table[]
---@return string|nil key, string|nil hint
function M.unknown_key(value, fields)
  for key in pairs(value) do
    local known = false
    for _, field in ipairs(fields) do
      known = known or field.name == key
    end
    if not known then
      return tostring(key), suggest.hint(tostring(key), names_of(fields))
    end
  end
end


--- Rules over several fields: a rule refuses when every pattern of its `when` matches.
local function check_rules(value, rules, where)
  for _, rule in ipairs(rules or {}) do
    local all = true
    for field, pattern in pairs(rule.when) do
      local text = path.get(value, field)
      text = type(text) == "boolean" and tostring(text) or text
      all = all and type(text) == "string" and text:find(pattern) ~= nil
    end
    if all then
      return nil, ("%s: %s"):format(where, rule.why)
    end
  end
  return true
end


local function field_name(where, name)
  return (where == "" or where == "body") and name or where .. "." .. name
end


local function check_fields(value, fields, where)
  local copy
  for _, field in ipairs(fields) do
    local item, inner = value[field.name], field_name(where, field.name)
    if item == nil and field.always ~= nil then
      copy = changed_copy(value, copy)
      copy[field.name] = field.always
    elseif item == nil and field.required then
      return nil, inner .. " is required"
    elseif item ~= nil then
      local checked, why = M.check(item, field, inner)
      if checked == nil then
        return nil, why
      elseif checked ~= item then
        copy = changed_copy(value, copy)
        copy[field.name] = checked
      end
    end
  end
  return copy or value
end


local function check_object(value, spec, where)
  local shown = where == "" and "the body" or where
  if type(value) ~= "table" or M.is_array(value) then
    return expected(shown, "a table with names for keys", value)
  end
  if spec.closed then
    local key, hint = M.unknown_key(value, spec.fields)
    if key then
      return nil, field_name(where, key) .. " is not a field of this request" .. hint
    end
  end
  local checked, why = check_fields(value, spec.fields or {}, where)
  if checked == nil then
    return nil, why
  end
  local ok, reason = check_rules(checked, spec.refuse, shown)
  if not ok then
    return nil, reason
  end
  return checked
end


--- A file: a path, or `{ content = bytes, filename = name, type = media type }`, or
--- `{ path = path, filename = name }`.
local function check_file(value, _, where)
  if type(value) == "string" then
    if value == "" then
      return nil, where .. " must be the path of a file, got an empty string"
    end
    return value
  elseif type(value) ~= "table" then
    return expected(where, "a path, or { content = …, filename = … }", value)
  end
  for key, item in pairs(value) do
    if key ~= "content" and key ~= "filename" and key ~= "type" and key ~= "path" then
      return nil, ("%s.%s is not known%s"):format(where, tostring(key),
        suggest.hint(tostring(key), { "content", "filename", "type", "path" }))
    elseif type(item) ~= "string" then
      return expected(where .. "." .. key, "a string", item)
    end
  end
  if (value.content == nil) == (value.path == nil) then
    return nil, where .. " must have either content or path"
  end
  return value
end


local checkers = {
  string = scalars.string,
  integer = scalars.integer,
  number = scalars.number,
  boolean = scalars.boolean,
  array = check_array,
  map = check_map,
  object = check_object,
  file = check_file,
  any = function(value)
    return value
  end,
}

--- The words that may stand for a type.
M.types = { "any", "array", "boolean", "file", "integer", "map", "number", "object", "string" }


--- Checks one value.
---@param value any
---@param spec table its description, as definition/init.lua leaves it
---@param where string how messages call it
---@return any prepared nil when it is refused (a boolean false is returned as it is)
---@return string|nil message
function M.check(value, spec, where)
  if scalars.is_empty_array(value) then
    value = setmetatable({}, array_mt)
  end
  value = as_encoded(value)
  if value == null then
    if spec.nullable or spec.type == "any" then
      return value
    end
    return expected(where, "a value", value)
  end
  return checkers[spec.type](value, spec, where)
end


--- Fills in the constant fields (`always`) and checks the whole body of an operation.
---@param body table
---@param spec table
---@return table|nil prepared, string|nil message
function M.check_body(body, spec)
  return M.check(body, spec, "")
end


return M
