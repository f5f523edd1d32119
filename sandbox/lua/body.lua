-- Request bodies. nginx keeps a small one in memory and streams a large one to a file; here it is found, and a
-- multipart body is taken apart without being read into Lua.
local disk = require("disk")
local json = require("json")

local M = {}
local FIELD_LIMIT = 64 * 1024


local given


-- What the next read() gives, in the place of a connection's: work that is done without one (late.lua).
function M.give(body)
  given = body
end


-- Reads the whole body from the connection: { text = } or { range = }, and its size.
function M.read()
  if given then
    local once = given
    given = nil
    return once
  end
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if text then
    return { text = text, size = #text }
  end
  local path = ngx.req.get_body_file()
  if path then
    local size = disk.size(path)
    return { range = { path = path, offset = 0, length = size }, size = size }
  end
  return { text = "", size = 0 }
end


local function text_reader(text)
  return {
    length = #text,
    read = function(offset, size)
      return text:sub(offset + 1, offset + size)
    end,
    find = function(needle, offset)
      local hit = text:find(needle, offset + 1, true)
      return hit and hit - 1
    end,
    close = function() end,
  }
end


function M.open(body)
  return body.range and disk.open(body.range) or text_reader(body.text)
end


-- The whole body as a string; for JSON documents, which the services limit anyway.
function M.text(body)
  if body.text then
    return body.text
  end
  local reader = disk.open(body.range)
  local text = reader.read(0, body.size)
  reader.close()
  return text
end


-- Decodes a JSON object; nil and a reason when it is none.
function M.json(body)
  local value, why = json.decode(M.text(body))
  if type(value) ~= "table" then
    return nil, why or "not a JSON object"
  end
  return value
end


-- A parameter of Content-Disposition: quoted (a backslash takes the next character as it is) or a plain word.
local function parameter(disposition, name)
  local _, from = disposition:find("[;%s]" .. name .. '="')
  if not from then
    return disposition:match("[;%s]" .. name .. "=([^;%s]+)")
  end
  local text = {}
  for escape, char in disposition:sub(from + 1):gmatch("(\\?)(.)") do
    if char == '"' and escape == "" then
      return table.concat(text)
    end
    text[#text + 1] = char
  end
end


local function part_of(headers, reader, first, last)
  local disposition = headers:match("[Cc]ontent%-[Dd]isposition:%s*([^\r\n]*)") or ""
  local part = {
    name = parameter(disposition, "name"),
    filename = parameter(disposition, "filename"),
    type = headers:match("[Cc]ontent%-[Tt]ype:%s*([^\r\n]*)"),
    offset = first,
    length = last - first,
  }
  if not part.filename and part.length <= FIELD_LIMIT then
    part.text = reader.read(first, part.length)
  end
  return part
end


-- Takes a multipart/form-data body apart: a list of { name =, filename =, type =, offset =, length =, text = }
-- (text only of plain fields); or nil and a reason.
function M.multipart(body, content_type)
  local boundary = content_type:match('boundary="([^"]+)"') or content_type:match("boundary=([^;%s]+)")
  if not content_type:find("^multipart/form%-data") or not boundary then
    return nil, "expected a multipart/form-data body"
  end
  local reader, parts = M.open(body), {}
  local at = reader.find("--" .. boundary, 0)
  while at do
    at = at + #boundary + 2
    local mark = reader.read(at, 2)
    if mark == "--" then
      reader.close()
      return parts
    end
    local head_end = mark == "\r\n" and reader.find("\r\n\r\n", at)
    if not head_end or head_end - at > FIELD_LIMIT then
      break
    end
    local stop = reader.find("\r\n--" .. boundary, head_end + 4)
    if not stop then
      break
    end
    parts[#parts + 1] = part_of(reader.read(at, head_end - at), reader, head_end + 4, stop)
    at = stop + 2
  end
  reader.close()
  return nil, "the multipart body ends early or is malformed"
end


return M
