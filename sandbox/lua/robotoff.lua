-- Robotoff: POST /batch/import with its order of checks, and /status.
local body = require("body")
local totals = require("totals")

local M = {}
local KEY = "sandbox-robotoff-key"


local function fail(status, title, description)
  return { status = status, json = { title = title or status .. " Error", description = description } }
end


-- Parameters of query and form; a raw comma splits a value, and the last piece is kept, as the server's framework does.
local function params_of(request)
  request.body = body.read()
  local params = {}
  local function add(text)
    for pair in text:gmatch("[^&]+") do
      local name, value = pair:match("^([^=]*)=?(.*)$")
      params[ngx.unescape_uri(name)] = ngx.unescape_uri(value:match("[^,]*$"):gsub("%+", " "))
    end
  end
  add(ngx.var.args or "")
  if (request.headers["content-type"] or ""):find("^application/x%-www%-form%-urlencoded") then
    add(body.text(request.body))
  end
  return params
end


local function key_fault(request)
  local header = request.headers["authorization"]
  if not header then
    return fail(400, "Missing header value", 'The "Authorization" header is required.')
  end
  local words = {}
  for word in tostring(header):gmatch("%S+") do
    words[#words + 1] = word
  end
  if #words ~= 2 then
    return fail(401, "Invalid authentication scheme.")
  elseif words[1]:lower() ~= "bearer" then
    return fail(401, "Invalid authentication scheme: 'Bearer Token' expected.")
  elseif words[2] ~= KEY then
    return fail(401, "Invalid token.")
  end
end


local function import(request)
  local params = params_of(request)
  for _, name in ipairs { "job_type", "batch_dir" } do
    if not params[name] then
      return fail(400, "Missing parameter", 'The "' .. name .. '" parameter is required.')
    end
  end
  if params.job_type ~= "ingredients_spellcheck" then
    return fail(400, "400 Bad Request", "invalid job_type: " .. params.job_type
      .. ". Valid job_types are: ['ingredients-spellcheck']")
  end
  local refusal = key_fault(request)
  if refusal then
    return refusal
  end
  local status = params.batch_dir:match("fail%-(%d%d%d)")
  if status then
    return fail(tonumber(status), status .. " Error")
  end
  totals.count("robotoff_imports", params.batch_dir)
  return { status = 200, json = { status = "Request successful. Importing processed data." } }
end


local function health(_)
  return { status = 200, json = { status = "running" } }
end


local open = { open = true }

M.services = { {
  name = "robotoff",
  prefix = "/api/v1",
  routes = {
    { "POST", "/batch/import", import, "batch_import_post", open },
    { "POST", "/batch/import/", import, "batch_import_post", open },
    { "GET", "/status", health, "status", open },
    { "GET", "/health", health, "health", open },
  },
  fail = fail,
  no_route = function(request, wrong_method)
    local answer = wrong_method and fail(405, "405 Method Not Allowed") or fail(404, "404 Not Found")
    answer.headers = wrong_method and { Allow = request.method == "POST" and "GET, OPTIONS" or "POST, OPTIONS" } or nil
    return answer
  end,
} }

return M
