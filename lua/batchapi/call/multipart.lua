--- The parts of a form: files are named for the service and streamed, nested fields get bracket or
--- dot names.

local url = require("batchapi.util.url")

local M = {}

local media_types = { jsonl = "application/jsonl", json = "application/json", csv = "text/csv",
  txt = "text/plain" }


--- A name that any server takes: the last part of a path, without quotes, controls and separators.
local function safe_name(name)
  name = name:match("([^/\\]*)$") or ""
  return (name:gsub('[%c"]', "_"))
end


local function extension_wanted(field, body)
  if not field.extension then
    return nil
  end
  for name, pattern in pairs(field.extension_when or {}) do
    local value = body[name]
    if type(value) ~= "string" or not value:find(pattern) then
      return nil
    end
  end
  return field.extension
end


--- The file name a service sees: it may refuse names without the right ending, whatever the bytes
--- are.
---@param value string|table
---@param field table its description
---@param body table
---@return string
function M.filename(value, field, body)
  local given = type(value) == "string" and value or value.filename or value.path or field.name
  local name = safe_name(given)
  if name == "" then
    name = field.name
  end
  local extension = extension_wanted(field, body)
  if extension and name:sub(-#extension):lower() ~= extension then
    name = name .. extension
  end
  return name
end


local function file_part(value, field, body)
  local part = { name = field.name, filename = M.filename(value, field, body) }
  local ending = part.filename:match("%.(%w+)$")
  part.type = type(value) == "table" and value.type or media_types[(ending or ""):lower()]
    or "application/octet-stream"
  if type(value) == "string" then
    part.file = value
  elseif value.path then
    part.file = value.path
  else
    part.content = value.content
  end
  return part
end


--- Adds a value that is no file, field by field.
local function add_plain(parts, name, value, nesting)
  if type(value) ~= "table" then
    parts[#parts + 1] = { name, url.scalar(value) }
    return
  end
  if #value > 0 then
    for _, item in ipairs(value) do
      add_plain(parts, name .. "[]", item, nesting)
    end
    return
  end
  local names = {}
  for key in pairs(value) do
    names[#names + 1] = key
  end
  table.sort(names)
  for _, key in ipairs(names) do
    add_plain(parts, nesting == "dot" and name .. "." .. key or ("%s[%s]"):format(name, key),
      value[key], nesting)
  end
end


--- The fields of a body in the definition's order, files last: a server can then judge a request by
--- its small fields before the bytes come.
---@param body table
---@param operation table
---@return table[] plain pairs { name, text }, table[] files
function M.fields(body, operation)
  local plain, files, done = {}, {}, {}
  for _, field in ipairs(operation.body.fields or {}) do
    local value = body[field.name]
    done[field.name] = true
    if value ~= nil and field.type == "file" then
      files[#files + 1] = file_part(value, field, body)
    elseif value ~= nil then
      add_plain(plain, field.name, value, operation.nesting)
    end
  end
  local others = {}
  for name in pairs(body) do
    if not done[name] then
      others[#others + 1] = name
    end
  end
  table.sort(others)
  for _, name in ipairs(others) do
    add_plain(plain, name, body[name], operation.nesting)
  end
  return plain, files
end


--- The parts for a multipart body, as the core takes them.
---@param body table
---@param operation table
---@return table[]
function M.parts(body, operation)
  local plain, files = M.fields(body, operation)
  local parts = {}
  for _, pair in ipairs(plain) do
    parts[#parts + 1] = { name = pair[1], content = pair[2] }
  end
  for _, file in ipairs(files) do
    parts[#parts + 1] = file
  end
  return parts
end


--- A form body of `name=value` pairs.
---@param body table
---@param operation table
---@return string
function M.form(body, operation)
  return url.query((M.fields(body, operation)))
end


return M
