-- What each type of fault does. A fault acts at one of three places: before the work (`before`), on the answer that the
-- work gave (`change`), or while the answer is being sent (deliver.lua).
local body = require("body")
local disk = require("disk")
local json = require("json")
local late = require("late")
local zlib = require("zlib")

local M = {}
local REDIRECTED = 307


-- Reads the request's body, so that its end is on the wire before the fault strikes, unless it is to strike early.
local function take_body(request, fault)
  if not fault.early then
    request.body = body.read()
  end
end


local function stop(request, code)
  request.stopped = true
  return ngx.exit(code)
end


local function end_connection(request, fault)
  return stop(request, fault.how == "close" and ngx.ERROR or 444)
end


-- The answer a fault of type "status" makes, in the service's own shape unless a body is given.
local function status_answer(request, fault)
  local response = { status = fault.status or 500, headers = {} }
  if fault.body ~= nil then
    response[type(fault.body) == "table" and "json" or "body"] = fault.body
  elseif request.service and request.service.fail then
    response.json = request.service.fail(response.status, "The sandbox was asked for this failure.", fault.code).json
  else
    response.body = ""
  end
  for name, value in pairs(fault.headers or {}) do
    response.headers[name] = tostring(value)
  end
  if fault.retry_after then
    response.headers["Retry-After"] = tostring(fault.retry_after)
  end
  if fault.retry_after_ms then
    response.headers["retry-after-ms"] = tostring(fault.retry_after_ms)
  end
  if fault.retry_date then
    response.headers["Retry-After"] = ngx.http_time(math.ceil(ngx.time() + fault.retry_date))
  end
  if fault.should_retry ~= nil then
    response.headers["x-should-retry"] = tostring(fault.should_retry)
  end
  return response
end


local function redirect_answer(request, fault)
  local to = fault.to or "same"
  if to == "same" then
    to = ngx.var.scheme .. "://" .. ngx.var.http_host
  elseif to == "other" then
    to = "http://127.0.0.1:" .. require("boot").port("OTHER")
  end
  if to:find("^https?://[^/]+$") then
    to = to .. ngx.var.request_uri
  end
  request.redirected = to
  return { status = fault.status or REDIRECTED, headers = { Location = to }, body = "" }
end


-- An answer's whole body as text.
local function text_of(response)
  if response.file then
    local path = response.path .. response.file
    local source = disk.open{ path = path, offset = 0, length = disk.size(path) }
    local pieces, at = {}, 0
    while at < source.length do
      pieces[#pieces + 1] = source.read(at, source.length - at)
      at = at + #pieces[#pieces]
    end
    source.close()
    return table.concat(pieces)
  end
  return response.json and json.encode(response.json) or response.body or ""
end


-- The same answer with another body.
local function with_body(response, text)
  local headers = response.headers or {}
  headers["Content-Type"] = headers["Content-Type"] or response.json and "application/json" or nil
  return { status = response.status, headers = headers, body = text }
end


local function gzip_answer(_, fault, response)
  local packed = zlib.gzip(text_of(response))
  local answer = with_body(response, fault.cut and packed:sub(1, math.floor(#packed / 2)) or packed)
  answer.headers["Content-Encoding"] = not fault.silent and "gzip" or nil
  return answer
end


local function encoded_answer(_, fault, response)
  local answer = with_body(response, text_of(response))
  answer.headers["Content-Encoding"] = fault.name or "br"
  return answer
end


local function miscounted(_, fault, response)
  local list, by = response.json.data, fault.by or -1
  for _ = 1, -by do
    list[#list] = nil
  end
  for _ = 1, by do
    list[#list + 1] = list[#list]
  end
  return response
end


-- Little endian, with its mark. The sandbox's own text is ASCII.
local function utf16_answer(_, _, response)
  return with_body(response, "\255\254" .. text_of(response):gsub("[%z\1-\127]", "%0\0"))
end


-- Each: does the work happen? `instead` makes the answer without it; `after` changes the answer.
local types = {
  status = { instead = status_answer },
  redirect = { instead = redirect_answer },
  reset = { ends = true },
  lost = { after = function(request, fault)
    return end_connection(request, fault)
  end },
  late = { before = function(request, fault)
    take_body(request, {})
    late.schedule(request, fault.seconds or 1)
    end_connection(request, fault)
  end },
  double = { after = function(request, fault, response)
    late.schedule(request, fault.seconds or 0)
    return fault.lost and end_connection(request, fault) or response
  end },
  stall = {}, drip = {}, truncate = {}, reset_body = {}, headers = {}, chunked = {}, bomb = {}, bad_gzip = {}, hang_up = {},
    lines = {},
  html = { after = function(_, fault)
    return { status = fault.status or 200, headers = { ["Content-Type"] = "text/html; charset=utf-8" },
      body = fault.body or "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n" }
  end },
  empty = { after = function(_, fault, response)
    return { status = fault.status or response.status, headers = response.headers, body = "" }
  end },
  body = { after = function(_, fault, response)
    local headers = response.headers or {}
    headers["Content-Type"] = fault.content_type or "application/json"
    return { status = fault.status or response.status, headers = headers, body = tostring(fault.body or "") }
  end },
  gzip = { after = gzip_answer }, encoded = { after = encoded_answer }, utf16 = { after = utf16_answer },
  miscount = { after = miscounted },
  touch = { after = function(_, _, response)
    if response.file then
      disk.touch(response.path .. response.file)
    end
    return response
  end },
}


-- Whether a fault is one that exists.
function M.check(fault)
  if type(fault) ~= "table" or not types[fault.type] then
    local names = {}
    for name in pairs(types) do
      names[#names + 1] = name
    end
    table.sort(names)
    return nil, "a fault's type is one of " .. table.concat(names, ", ")
  end
  return true
end


-- Strikes before the work. True when the request has been dealt with; otherwise an answer in the work's place, or nil.
function M.before(request, fault)
  local kind = types[fault.type]
  if kind.before then
    kind.before(request, fault)
    return true
  elseif kind.ends then
    if fault.read then
      take_body(request, fault)
    end
    end_connection(request, fault)
    return true
  end
  if fault.type == "stall" and (fault.where or "before") == "before" then
    take_body(request, fault)
    ngx.sleep(fault.seconds or 3600)
  end
  if kind.instead and not fault.after then
    take_body(request, fault)
    request.instead = kind.instead(request, fault)
  end
end


-- Strikes on the answer; gives the one to send.
function M.change(request, fault, response)
  local kind = types[fault.type]
  if fault.type == "stall" and fault.where == "after" then
    ngx.sleep(fault.seconds or 3600)
  end
  if kind.after then
    return kind.after(request, fault, response)
  elseif kind.instead and fault.after then
    return kind.instead(request, fault)
  end
  return response
end


return M
