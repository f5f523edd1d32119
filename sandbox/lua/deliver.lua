-- Sends an answer: { status =, headers =, json = | body = | file = { path, offset, length, name } }.
local json = require("json")

local M = {}


local function send_file(request, response)
  ngx.var.sandbox_disposition = response.disposition or ""
  request.response_file = true
  return ngx.exec("/_file/" .. response.file)
end


function M.send(request, response, fault)
  if response.file and not fault then
    return send_file(request, response)
  end
  ngx.status = response.status or 200
  ngx.header["x-request-id"] = request.id
  for name, value in pairs(response.headers or {}) do
    ngx.header[name] = value
  end
  local body = response.body
  if response.json then
    body = json.encode(response.json)
    ngx.header["Content-Type"] = ngx.header["Content-Type"] or "application/json"
  end
  body = body or ""
  ngx.header["Content-Length"] = #body
  if request.method ~= "HEAD" then
    ngx.print(body)
  end
  ngx.eof()
end


return M
