-- Every request comes through here: route, fault, authentication, handler, answer, log.
local deliver = require("deliver")
local faults = require("faults")
local json = require("json")
local log = require("log")
local router = require("router")

local M = {}
local open_requests = {}
local serial = 0


local function new_request()
  serial = serial + 1
  local request = {
    serial = serial,
    method = ngx.req.get_method(),
    path = ngx.var.uri,
    raw_path = ngx.var.request_uri:match("^[^?]*"),
    started = ngx.now(),
    headers = ngx.req.get_headers(200),
    id = string.format("req_%08x%024x", ngx.worker.pid(), serial),
  }
  ngx.var.sandbox_serial = serial
  ngx.var.sandbox_request_id = request.id
  open_requests[tostring(serial)] = request
  return request
end


local function not_found(request, wrong_method)
  if request.service then
    return request.service.no_route(request, wrong_method)
  end
  return { status = wrong_method and 405 or 404, body = "nothing is here: " .. request.path .. "\n",
    headers = { ["Content-Type"] = "text/plain" } }
end


-- The handler's answer, or the service's own refusal.
local function answer(request)
  local route = request.route
  if not route then
    return not_found(request, request.params)
  end
  local refusal = not route.options.open and route.service.authenticate(request)
  return refusal or route.handler(request)
end


local function crashed(request, why)
  ngx.log(ngx.ERR, "request ", request.method, " ", request.path, ": ", why)
  return { status = 500, json = { error = { message = "the sandbox itself failed: " .. tostring(why),
    type = "sandbox_error",
    param = json.null, code = "sandbox_error" } } }
end


-- Finds the route; where there is none, params tells whether only the method is wrong.
local function identify(request)
  local route, params = router.find(request.method, request.raw_path)
  request.route, request.params = route, params
  request.operation = route and route.name
  request.options = route and route.options
  request.service = route and route.service or router.service_of(request.path)
end


function M.content()
  local request = new_request()
  identify(request)
  log.begin(request)
  local fault = faults.choose(request)
  request.fault = fault
  if fault and faults.before(request, fault) then
    return
  end
  local response = request.instead
  if not response then
    local ok
    ok, response = xpcall(answer, debug.traceback, request)
    response = ok and response or crashed(request, response)
  end
  request.result = response.status or 200
  if request.service and request.service.finish then
    request.service.finish(request, response)
  end
  if fault then
    response = faults.change(request, fault, response)
  end
  deliver.send(request, response, fault)
end


-- Log phase: the request is over, answered or not.
function M.done()
  local key = ngx.var.sandbox_serial
  local request = open_requests[key]
  if request then
    open_requests[key] = nil
    log.finish(request)
  end
end


return M
