-- Sends an answer: { status =, headers =, json = | body = | file = NAME, path = its folder }, whole and at once, or
-- with a
-- fault that strikes while it is being sent.
local disk = require("disk")
local json = require("json")
local settings = require("settings")
local zlib = require("zlib")

local M = {}
local PIECE = 256 * 1024
local BOMB = 1024 * 1024


local function send_file(request, response)
  ngx.var.sandbox_disposition = response.disposition or ""
  request.sent_file = true
  return ngx.exec((settings.get().ranges and "/_file/" or "/_whole_file/") .. response.file)
end


-- Status and headers; the body as text where there is one.
local function head(request, response)
  ngx.status = response.status or 200
  ngx.header["x-request-id"] = request.id
  for name, value in pairs(response.headers or {}) do
    ngx.header[name] = value
  end
  if response.json then
    ngx.header["Content-Type"] = ngx.header["Content-Type"] or "application/json"
    return json.encode(response.json)
  end
  return response.body or ""
end


-- The part of a file that a Range header asks for, as nginx itself would give it.
local function file_range(path)
  local size, modified = disk.size(path), disk.modified(path)
  local etag = string.format('"%x-%x"', modified, size)
  ngx.header["ETag"], ngx.header["Last-Modified"] = etag, ngx.http_time(modified)
  ngx.header["Accept-Ranges"] = settings.get().ranges and "bytes" or nil
  local from, to = (ngx.var.http_range or ""):match("^bytes=(%d+)%-(%d*)$")
  local condition = ngx.var.http_if_range
  if not from or not settings.get().ranges or condition and condition ~= etag
    and condition ~= ngx.http_time(modified) then
    return { path = path, offset = 0, length = size }
  end
  from, to = tonumber(from), math.min(tonumber(to) or size - 1, size - 1)
  ngx.status = 206
  ngx.header["Content-Range"] = "bytes " .. from .. "-" .. to .. "/" .. size
  return { path = path, offset = from, length = math.max(0, to - from + 1) }
end


-- A source of the answer's bytes: its length and read(offset, size).
local function source_of(request, response)
  if response.file then
    ngx.header["Content-Type"] = "application/octet-stream"
    head(request, response)
    return disk.open(file_range(response.path .. response.file))
  end
  local text = head(request, response)
  return {
    length = #text,
    read = function(offset, size)
      return text:sub(offset + 1, offset + size)
    end,
    close = function() end,
  }
end


local function print_range(source, from, to)
  while from < to do
    local piece = source.read(from, math.min(PIECE, to - from))
    if piece == "" or not ngx.print(piece) or not ngx.flush(true) then
      return
    end
    from = from + #piece
  end
end


local function drip(source, fault)
  local size = fault.bytes or 1
  for offset = 0, source.length - 1, size do
    print_range(source, offset, math.min(offset + size, source.length))
    ngx.sleep(fault.interval or 0.05)
  end
end


-- A small answer that unpacks to fault.bytes; valid gzip of valid JSON.
local function bomb(fault)
  ngx.header["Content-Encoding"], ngx.header["Content-Type"] = "gzip", "application/json"
  ngx.header["Content-Length"] = nil
  local push, text = zlib.compressor(), string.rep("a", BOMB)
  ngx.print(push('{"object":"bomb","text":"'))
  for _ = 1, math.ceil((fault.bytes or 256 * BOMB) / BOMB) do
    if not ngx.print(push(text)) or not ngx.flush(true) then
      return
    end
    ngx.sleep(0.001)
  end
  ngx.print(push('"}', true))
end


local function filler_headers(fault)
  local left, n = fault.bytes or 1024 * 1024, 0
  while left > 0 do
    n = n + 1
    ngx.header["X-Filler-" .. n] = string.rep("f", math.min(left, fault.line or 4096))
    left = left - (fault.line or 4096)
  end
end


local strikes = {}


function strikes.truncate(source, fault)
  print_range(source, 0, math.min(fault.at or math.floor(source.length / 2), source.length))
  ngx.flush(true)
  return ngx.exit(ngx.ERROR)
end


function strikes.reset_body(source, fault)
  print_range(source, 0, math.min(fault.at or math.floor(source.length / 2), source.length))
  ngx.flush(true)
  ngx.sleep(0.05) -- so that the other side has read what came before the reset throws it away
  return ngx.exit(444)
end


function strikes.stall(source, fault)
  if fault.where == "body" then
    local at = math.min(fault.at or math.floor(source.length / 2), source.length)
    print_range(source, 0, at)
    if at == 0 then
      ngx.send_headers()
    end
    ngx.flush(true)
    ngx.sleep(fault.seconds or 3600)
    print_range(source, at, source.length)
  else
    print_range(source, 0, source.length)
  end
end


strikes.drip = drip


function strikes.headers(source, fault)
  filler_headers(fault)
  print_range(source, 0, source.length)
end


-- The answer is whole, but the connection is closed after it without a word about that.
function strikes.hang_up(source)
  print_range(source, 0, source.length)
  ngx.flush(true)
  return ngx.exit(ngx.ERROR)
end


function strikes.bad_gzip(source)
  ngx.header["Content-Encoding"] = "gzip"
  print_range(source, 0, source.length)
end


function strikes.bomb(_, fault)
  return bomb(fault)
end


local function send_with(request, response, fault)
  local source = source_of(request, response)
  if fault.type ~= "chunked" and not fault.chunked then
    ngx.header["Content-Length"] = source.length
  end
  local strike = strikes[fault.type]
  if strike then
    strike(source, fault)
  else
    print_range(source, 0, source.length)
  end
  source.close()
  ngx.eof()
end


local function wants_gzip()
  return settings.get().gzip and (ngx.var.http_accept_encoding or ""):find("gzip", 1, true)
end


function M.send(request, response, fault)
  request.result = response.status or 200
  if fault and (strikes[fault.type] or fault.type == "chunked") then
    return send_with(request, response, fault)
  elseif response.file then
    return send_file(request, response)
  end
  local text = head(request, response)
  if text ~= "" and wants_gzip() then
    text = zlib.gzip(text)
    ngx.header["Content-Encoding"] = "gzip"
  else
    ngx.header["Content-Length"] = #text
  end
  if request.method ~= "HEAD" then
    ngx.print(text)
  end
  ngx.eof()
end


return M
