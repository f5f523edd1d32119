-- Asana: POST /batch over the small world of asana_world.lua, with the documented limits counted by action.
local body = require("body")
local json = require("json")
local limits = require("asana_limits")
local settings = require("settings")
local tokens = require("tokens")
local totals = require("totals")
local world = require("asana_world")

local M = {}
local TOKEN = "sandbox-asana-token"
local MAX_ACTIONS = 10
local METHODS = { get = true, post = true, put = true, delete = true, patch = true, head = true }
local OPTIONS = { limit = true, offset = true, fields = true, expand = true }
local fail = world.fail


local function authenticate(request)
  local header = request.headers["authorization"]
  local token = type(header) == "string" and header:match("^[Bb]earer%s+(%S+)$")
  if not token or token ~= TOKEN and not tokens.find("asana", token) then
    return fail(401, "Not Authorized")
  end
end


-- What is wrong with the request as a whole; nothing of it is run then.
local function request_fault(wish)
  local actions = wish and type(wish.data) == "table" and wish.data.actions
  if type(actions) ~= "table" then
    return "actions: Missing input"
  elseif #actions == 0 then
    return "actions: There must be at least one action"
  elseif #actions > MAX_ACTIONS then
    return "actions: There may be at most " .. MAX_ACTIONS .. " actions in a batch request"
  end
  for i, action in ipairs(actions) do
    local place = "actions[" .. (i - 1) .. "]."
    if type(action) ~= "table" or type(action.relative_path) ~= "string" then
      return place .. "relative_path: Missing input"
    elseif not METHODS[action.method] then
      return place .. "method: Not one of the allowed values: get, post, put, delete, patch, head"
    elseif json.given(action.data) ~= nil and (type(action.data) ~= "table" or #action.data > 0) then
      return place .. "data: Must be an object"
    end
  end
end


-- What the batch endpoint refuses for one action.
local function action_fault(action)
  local path = action.relative_path
  if path:find("?", 1, true) then
    return "relative_path: Query parameters are not allowed in the path"
  elseif path:find("^/batch") then
    return "relative_path: Batch requests cannot be nested"
  elseif path:find("attachments") and action.method == "post" then
    return "relative_path: Uploading attachments is not supported in a batch"
  elseif path:find("^/organization_exports") or path:find("^/scim") then
    return "relative_path: This endpoint is not available in a batch"
  end
  for name in pairs(json.given(action.options) or {}) do
    if not OPTIONS[name] then
      return "options: " .. name .. " is not allowed"
    end
  end
end


local function run_action(action)
  local fault = action_fault(action)
  local answer
  if fault then
    answer = fail(400, fault)
  else
    answer = world.run(action.method, action.relative_path, json.given(action.data) or {}, json.given(action.options)
      or {})
  end
  return { status_code = answer.status, headers = answer.headers or {}, body = answer.json }
end


-- Only the fields that the query's opt_fields names.
local function filtered(result, wanted)
  if not wanted then
    return result
  end
  local kept = {}
  for name in wanted:gmatch("[^,]+") do
    kept[name] = result[name]
  end
  return kept
end


local function check_fields(wanted)
  for name in (wanted or ""):gmatch("[^,]+") do
    if name ~= "body" and name ~= "headers" and name ~= "status_code" then
      return fail(400, "opt_fields: '" .. name .. "' is not one of body, headers, status_code")
    end
  end
end


local function batch(request)
  request.body = body.read()
  local wish, why = body.json(request.body)
  if not wish then
    return fail(400, "Could not parse request data, invalid JSON: " .. tostring(why))
  end
  local fault = request_fault(wish)
  local wanted = ngx.req.get_uri_args().opt_fields
  wanted = type(wanted) == "table" and table.concat(wanted, ",") or type(wanted) == "string" and wanted or nil
  local refusal = fault and fail(400, fault) or check_fields(wanted)
  if refusal then
    return refusal
  end
  local actions = wish.data.actions
  refusal = limits.enter(request, actions)
  if refusal then
    return refusal
  end
  local results = json.array()
  for i, action in ipairs(actions) do
    results[i] = filtered(run_action(action), wanted)
  end
  ngx.sleep(settings.get().asana.action_time)
  return { status = 200, json = { data = results } }
end


-- A direct call to one of the world's resources.
local function direct(method)
  return function(request)
    request.body = body.read()
    local wish = request.body.size > 0 and body.json(request.body) or {}
    local query = ngx.req.get_uri_args()
    local data, options = json.given(wish.data) or {}, json.given(wish.options) or {}
    for name, value in pairs(query) do
      if name == "limit" or name == "offset" then
        options[name] = tonumber(value) or value
      elseif name == "opt_fields" then
        options.fields = {}
        for field in tostring(value):gmatch("[^,]+") do
          table.insert(options.fields, field)
        end
      else
        data[name] = value
      end
    end
    local refusal = limits.enter(request, { { method = method } })
    return refusal or world.run(method, request.raw_path:sub(#"/api/1.0" + 1), data, options)
  end
end


-- Asana-Change headers for the deprecations in force, but for those the request has made up its mind about.
local function finish(request, response)
  response.headers = response.headers or {}
  local decided = (request.headers["asana-enable"] or "") .. "," .. (request.headers["asana-disable"] or "")
  local changes = {}
  for change in settings.get().asana.changes:gmatch("%S+") do
    local name = change:match("^name=([^;]+)")
    if name and not ("," .. decided:gsub("%s", "") .. ","):find("," .. name .. ",", 1, true) then
      changes[#changes + 1] = change
    end
  end
  if #changes > 0 then
    response.headers["Asana-Change"] = changes
  end
  totals.count("asana_statuses", tostring(response.status))
end


local routes = { { "POST", "/batch", batch, "create_batch_request" } }
for _, method in ipairs { "get", "post", "put", "delete" } do
  for _, path in ipairs { "/{a}", "/{a}/{b}", "/{a}/{b}/{c}" } do
    routes[#routes + 1] = { method:upper(), path, direct(method), method }
  end
end

M.services = { {
  name = "asana",
  prefix = "/api/1.0",
  routes = routes,
  authenticate = authenticate,
  fail = fail,
  finish = finish,
  no_route = function(_, wrong_method)
    return wrong_method and fail(405, "Method not allowed") or fail(404, "No matching route for request")
  end,
} }

return M
