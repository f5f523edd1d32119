-- The request log: what came in, what went out, on which connection. Secrets appear as the start of their SHA-256.
local digest = require("digest")
local json = require("json")
local settings = require("settings")
local totals = require("totals")

local M = {}
local CAPACITY = 60000
local BODY_SHOWN = 2048

local entries, first, count = {}, 1, 0
local SECRET = { ["api-key"] = true, ["x-api-key"] = true, ["cookie"] = true, ["proxy-authorization"] = true }


local known, known_count = {}, 0


-- How a secret is shown. The few that come again and again are remembered.
local function fingerprint(secret)
  local shown = known[secret]
  if not shown then
    shown = "sha256:" .. digest.hex(secret):sub(1, 12)
    if known_count >= 1000 then
      known, known_count = {}, 0
    end
    known[secret], known_count = shown, known_count + 1
  end
  return shown
end


local function safe_headers(headers)
  local result = {}
  for name, value in pairs(headers) do
    local text = type(value) == "table" and table.concat(value, ", ") or tostring(value)
    if name == "authorization" then
      local scheme, rest = text:match("^(%S+)%s+(.*)$")
      text = scheme and scheme .. " " .. fingerprint(rest) or fingerprint(text)
    elseif SECRET[name] then
      text = fingerprint(text)
    end
    result[name] = text
  end
  return result
end


-- A request has begun.
function M.begin(request)
  if request.service and request.service.name == "control" then
    return
  end
  local name = request.service and request.service.name or "other"
  request.flight = name
  totals.maximum("in_flight_max", name, totals.count("in_flight", name))
  totals.maximum("in_flight_max", "all", totals.count("in_flight", "all"))
end


local function entry_of(request)
  local var = ngx.var
  local size, text = 0, nil
  if request.body then
    size, text = request.body.size, request.body.text
  end
  local private = request.options and request.options.private
  return {
    n = count, id = request.id, time = request.started, service = request.service and request.service.name,
    operation = request.operation, method = request.method, path = request.raw_path, query = var.args or "",
    headers = safe_headers(request.headers), body_bytes = size,
    body = text and not private and text:sub(1, BODY_SHOWN):gsub("[\128-\255]", "?") or nil,
    body_sha256 = size > 0 and text and not private and digest.hex(text) or nil,
    status = ngx.status, result = request.result, bytes_sent = tonumber(var.body_bytes_sent),
    complete = var.request_completion == "OK", duration = math.max(0, ngx.now() - request.started),
    connection = tonumber(var.connection), connection_requests = tonumber(var.connection_requests),
    port = tonumber(var.server_port), protocol = var.server_protocol, tls = var.ssl_protocol,
    tls_reused = var.ssl_session_reused == "r" or nil, fault = request.fault and request.fault.type,
      weights = request.weights,
  }
end


local function count_request(request)
  local status = tostring(ngx.status)
  totals.count("in_flight", request.flight, -1)
  totals.count("in_flight", "all", -1)
  totals.count("requests", "all")
  totals.count("requests", request.operation or "unknown")
  totals.count("statuses", status)
  if request.fault then
    totals.count("faults", request.fault.type)
  end
  if ngx.var.connection_requests == "1" then
    totals.count("connections", "opened")
    if ngx.var.ssl_protocol then
      totals.count("connections", ngx.var.ssl_session_reused == "r" and "tls_resumed" or "tls_full")
    end
  end
end


-- A request is over. Requests to the control interface leave no trace.
function M.finish(request)
  if not request.flight then
    return
  end
  count_request(request)
  if request.over then
    request.over()
  end
  if not settings.get().log then
    return
  end
  count = count + 1
  entries[count] = entry_of(request)
  if count - first >= CAPACITY then
    entries[first] = nil
    first = first + 1
  end
end


local function fits(entry, filter)
  if filter.path and entry.path:sub(1, #filter.path) ~= filter.path then
    return false
  end
  for _, name in ipairs { "service", "operation", "method", "status", "connection", "fault" } do
    if filter[name] and tostring(entry[name]) ~= filter[name] then
      return false
    end
  end
  return true
end


-- Only the fields of an entry that are wanted; all when nothing is said.
local function projected(entry, fields)
  if not fields then
    return entry
  end
  local result = {}
  for name in fields:gmatch("[^,]+") do
    result[name] = entry[name]
  end
  return result
end


-- The entries that fit a filter of strings: since, limit, path (a prefix), service, operation, method, status,
-- connection, fault; of each the fields named in fields (separated by commas). And the number of the last request.
function M.select(filter)
  local result, limit = json.array(), tonumber(filter.limit) or CAPACITY
  for i = math.max(first, (tonumber(filter.since) or 0) + 1), count do
    if #result >= limit then
      break
    elseif fits(entries[i], filter) then
      result[#result + 1] = projected(entries[i], filter.fields)
    end
  end
  return result, count
end


function M.reset()
  entries, first, count = {}, 1, 0
end


return M
