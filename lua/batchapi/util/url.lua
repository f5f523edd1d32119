--- Percent-encoding, path templates and query strings (RFC 3986).

local core = require("batchapi.core")

local M = {}

local floor, abs = math.floor, math.abs


--- Encodes everything but the unreserved characters: the result is one segment, or one query value.
---@param text string
---@return string
function M.encode(text)
  return (text:gsub("[^%w%-%._~]", function(character)
    return ("%%%02X"):format(character:byte())
  end))
end


--- Encodes what may not stand in a path, and leaves its slashes.
local function encode_path(text)
  return (text:gsub("[^/]+", M.encode))
end


--- Fills the `{name}` places of a path in their order: each is one segment. `{+name}` keeps its
--- slashes, and at the path's beginning it is a whole URL, which stays as it is.
---@param path string
---@param segments string[]
---@return string
function M.fill(path, segments)
  local at = 0
  return (path:gsub("{(%+?)[%w_]+}", function(reserved)
    at = at + 1
    if reserved == "" then
      return M.encode(segments[at])
    end
    return at == 1 and path:sub(1, 2) == "{+" and segments[at] or encode_path(segments[at])
  end))
end


--- How a scalar stands in a query or a form.
---@param value any
---@return string
function M.scalar(value)
  local kind = type(value)
  if kind == "number" and value == floor(value) and abs(value) < 2 ^ 63 then
    return ("%d"):format(value)
  elseif kind == "number" then
    return core.encode(value) or tostring(value) -- with a point, whatever the locale has
  elseif kind == "cdata" then
    return (tostring(value):gsub("U?LL$", ""))
  end
  return tostring(value)
end


--- Adds `name=value` to a list of pairs; an array by its style, a table by brackets.
---@param pairs_list string[][]
---@param name string
---@param value any
---@param style string|nil "comma" (default), "repeat", "bracket"
function M.add(pairs_list, name, value, style)
  if type(value) ~= "table" then
    pairs_list[#pairs_list + 1] = { name, M.scalar(value) }
  elseif style == "repeat" or style == "bracket" then
    for _, item in ipairs(value) do
      pairs_list[#pairs_list + 1] = { style == "bracket" and name .. "[]" or name, M.scalar(item) }
    end
  elseif #value > 0 then
    local items = {}
    for i, item in ipairs(value) do
      items[i] = M.scalar(item)
    end
    pairs_list[#pairs_list + 1] = { name, table.concat(items, ",") }
  end
end


--- A query string (without "?") or a form body of a list of pairs.
---@param pairs_list string[][]
---@return string
function M.query(pairs_list)
  local parts = {}
  for i, pair in ipairs(pairs_list) do
    parts[i] = M.encode(pair[1]) .. "=" .. M.encode(pair[2])
  end
  return table.concat(parts, "&")
end


--- What is wrong with a URL that paths are to be added to; nil when nothing is.
---@param text string
---@return string|nil
function M.base_fault(text)
  local scheme, rest = text:match("^(%a+)://(.+)$")
  if not scheme or (scheme:lower() ~= "http" and scheme:lower() ~= "https") then
    return "must begin with https:// or http://"
  elseif rest:match("^[^/?#]*@") then
    return "must hold no user or password; give them as options"
  elseif text:find("[?#%s%c]") then
    return "must hold no query, fragment or spaces"
  elseif not rest:match("^[^/]") then
    return "names no host"
  end
end


return M
