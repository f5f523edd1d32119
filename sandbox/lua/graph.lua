-- Microsoft Graph: POST /$batch, whose answers come in another order and are matched by id, over a small world: a GET
-- answers any path, a write answers with what was sent.
local body = require("body")
local json = require("json")
local magic = require("magic")
local generator = require("openai_results").generator
local settings = require("settings")
local totals = require("totals")

local M = {}
local TOKEN = "sandbox-graph-token"
local MAX_REQUESTS = 20
local METHODS = { GET = 200, POST = 201, PUT = 200, PATCH = 200, DELETE = 204 }
local CODES = { [400] = "BadRequest", [401] = "InvalidAuthenticationToken", [403] = "Forbidden",
  [404] = "Request_ResourceNotFound",
  [424] = "FailedDependency", [429] = "TooManyRequests", [500] = "InternalServerError", [503] = "ServiceUnavailable" }


local function fault_of(status, message)
  return { error = { code = CODES[status] or "UnknownError", message = message,
    innerError = { date = ngx.http_time(ngx.time()),
    ["request-id"] = ngx.md5(message):sub(1, 32) } } }
end


local function fail(status, message)
  return { status = status, json = fault_of(status, message) }
end


local function authenticate(request)
  local token = tostring(request.headers["authorization"] or ""):match("^[Bb]earer (.+)$")
  return token ~= TOKEN and fail(401, "Access token is missing or invalid.") or nil
end


-- One request against the small world: status, headers, body.
local function run(method, url, content)
  local status, times = tonumber(url:match("fail%-(%d%d%d)")), tonumber(url:match("fail%-%d%d%d%-times%-(%d+)"))
  if status and magic.failure({ status = status, times = times }, method .. " " .. url) then
    return status, status == 429 and { ["Retry-After"] = "1" } or {}, fault_of(status, "The request asked to fail.")
  end
  totals.count("graph", method)
  if method ~= "GET" then
    totals.count("graph_writes", url)
  end
  if METHODS[method] == 204 then
    return 204, {}, nil
  end
  local answer = {}
  for name, value in pairs(type(content) == "table" and content or {}) do
    answer[name] = value
  end
  answer.id = answer.id or ngx.md5(url):sub(1, 16)
  answer.url = url
  return METHODS[method], { ["Content-Type"] = "application/json" }, answer
end


-- What is wrong with the envelope; the whole of it is refused then.
local function envelope_fault(requests)
  if type(requests) ~= "table" or #requests == 0 then
    return "Invalid batch payload format: requests are missing."
  elseif #requests > MAX_REQUESTS then
    return "Number of batch request steps exceeds the maximum value of " .. MAX_REQUESTS .. "."
  end
  local seen = {}
  for _, request in ipairs(requests) do
    if type(request) ~= "table" or type(request.id) ~= "string" or type(request.url) ~= "string"
      or not METHODS[request.method] then
      return "Invalid batch payload format: id, method and url are needed in every request."
    elseif seen[request.id] then
      return "Request id " .. request.id .. " is not unique."
    end
    for _, id in ipairs(json.given(request.dependsOn) or {}) do
      if not seen[id] then
        return "Request " .. request.id .. " depends on " .. tostring(id) .. ", which does not stand before it."
      end
    end
    seen[request.id] = true
  end
end


local function content_type_of(request)
  for name, value in pairs(json.given(request.headers) or {}) do
    if name:lower() == "content-type" then
      return value
    end
  end
end


local function run_step(request, failed)
  for _, id in ipairs(json.given(request.dependsOn) or {}) do
    if failed[id] then
      return 424, {}, fault_of(424, "A request that this one depends on has failed.")
    end
  end
  local content = json.given(request.body)
  if content and not content_type_of(request) then
    return 400, {}, fault_of(400, "A body needs a Content-Type header.")
  end
  return run(request.method, request.url, content)
end


local function batch(request)
  request.body = body.read()
  local wish = body.json(request.body)
  local fault = envelope_fault(wish and wish.requests)
  if fault then
    return fail(400, fault)
  end
  local responses, failed = json.array(), {}
  for i, step in ipairs(wish.requests) do
    local status, headers, content = run_step(step, failed)
    failed[step.id] = status >= 400
    responses[i] = { id = step.id, status = status, headers = headers, body = content }
  end
  local random = settings.get().shuffle and generator(settings.get().seed)
  for i = random and #responses or 0, 2, -1 do
    local j = random(i)
    responses[i], responses[j] = responses[j], responses[i]
  end
  return { status = 200, json = { responses = responses } }
end


local function direct(request)
  request.body = body.read()
  local content = request.body.size > 0 and body.json(request.body) or nil
  local status, headers, answer = run(request.method, ngx.var.request_uri:sub(#"/graph/v1.0" + 1), content)
  return { status = status, headers = headers, json = answer }
end


local routes = { { "POST", "/$batch", batch, "create_batch" } }
for method in pairs(METHODS) do
  for _, path in ipairs { "/{a}", "/{a}/{b}", "/{a}/{b}/{c}" } do
    routes[#routes + 1] = { method, path, direct, method:lower() }
  end
end

M.services = { {
  name = "graph",
  prefix = "/graph/v1.0",
  routes = routes,
  authenticate = authenticate,
  fail = fail,
  no_route = function(_, wrong_method)
    return fail(wrong_method and 405 or 404, "Resource not found.")
  end,
} }

return M
