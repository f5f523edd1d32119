--- Values as people like to read them: tables indented, long ones shortened.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local check = require("batchapi.check.options")
local values = require("batchapi.check.values")

local M = {}

M.options = check.list{
  { name = "depth", kind = "integer", min = 1, max = 200, default = 6, help = "levels of tables shown" },
  { name = "items", kind = "integer", min = 1, default = 20, help = "entries shown of each table" },
  { name = "text", kind = "integer", min = 1, default = 200, help = "bytes shown of each string" },
}

local line_width = 80


local function quoted(text, limit)
  local shown = errors.cut(text, limit)
  local rest = #text > limit and (" (%d bytes)"):format(#text) or ""
  shown = shown:gsub('[%c"\\]', function(character)
    local names = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }
    return names[character] or ("\\%d"):format(character:byte())
  end)
  return '"' .. shown .. '"' .. rest
end


local function scalar(value, limits)
  if value == core.null then
    return "null"
  elseif type(value) == "string" then
    return quoted(value, limits.text)
  elseif type(value) == "number" and value ~= math.floor(value) then
    return ("%.14g"):format(value)
  end
  return tostring(value)
end


local function key_order(a, b)
  if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
    return a < b
  end
  return type(a) == "number" or (type(b) ~= "number" and tostring(a) < tostring(b))
end


local function sorted_keys(value, from)
  local keys = {}
  for key in pairs(value) do
    if not (type(key) == "number" and key >= 1 and key < from and key == math.floor(key)) then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys, key_order)
  return keys
end


local function key_text(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then
    return key
  end
  return "[" .. (type(key) == "string" and quoted(key, 60) or tostring(key)) .. "]"
end


local render


local function entries(value, indent, limits, state)
  local list, shown = {}, 0
  local count = #value
  for i = 1, count do
    if shown == limits.items then
      break
    end
    shown = shown + 1
    list[shown] = render(value[i], indent, limits, state)
  end
  local keys = sorted_keys(value, count + 1)
  for _, key in ipairs(keys) do
    if shown == limits.items then
      break
    end
    shown = shown + 1
    list[shown] = key_text(key) .. " = " .. render(value[key], indent, limits, state)
  end
  local total = count + #keys
  if total > shown then
    list[#list + 1] = ("… and %d more"):format(total - shown)
  end
  return list
end


--- A table in one line where it fits, else an entry to a line.
local function render_table(value, indent, limits, state)
  if state.open[value] then
    return "{ … itself … }"
  elseif state.depth == limits.depth then
    return next(value) == nil and "{}" or "{ … }"
  end
  state.open[value], state.depth = true, state.depth + 1
  local list = entries(value, indent .. "  ", limits, state)
  state.open[value], state.depth = nil, state.depth - 1
  if #list == 0 then
    return values.is_array(value) and "[]" or "{}"
  end
  local length, nested = #indent, false
  for _, entry in ipairs(list) do
    length, nested = length + #entry + 2, nested or entry:find("\n", 1, true) ~= nil
  end
  if not nested and length <= line_width then
    return "{ " .. table.concat(list, ", ") .. " }"
  end
  return "{\n" .. indent .. "  " .. table.concat(list, ",\n" .. indent .. "  ") .. "\n" .. indent
    .. "}"
end


function render(value, indent, limits, state)
  local mt = type(value) == "table" and getmetatable(value)
  local own_text = type(mt) == "table" and mt.__tostring and mt ~= M.readable and not errors.is(value)
  if type(value) ~= "table" or own_text then
    return scalar(value, limits)
  end
  return render_table(value, indent, limits, state)
end


--- The metatable of what the service answered: its tostring is something to read.
M.readable = {
  __tostring = function(value)
    return M.show(value)
  end,
}


--- A readable text of any value.
---@param value any
---@param given batchapi.ShowOptions|nil
---@return string
function M.show(value, given)
  if given ~= nil then
    check.check(given, M.options, "show")
  end
  local limits = {}
  for _, option in ipairs(M.options) do
    limits[option.name] = given and given[option.name] or option.default
  end
  return render(value, "", limits, { depth = 0, open = {} })
end


return M
