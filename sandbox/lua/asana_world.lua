-- The resources behind Asana's batch: users, projects and tasks, computed from their gid unless they were written.
-- README.md, "Asana", has the rules.
local clock = require("clock")
local json = require("json")
local settings = require("settings")
local store = require("store")
local magic = require("magic")
local totals = require("totals")

local M = {}
local OFFSET_LIFE = 900
local RESULT_LIMIT = 1000
local HELP = "For more information on API status codes and how to handle them, read the docs on errors: "
  .. "https://developers.asana.com/docs/errors"
local TYPES = { users = "user", projects = "project", tasks = "task", workspaces = "workspace", sections = "section",
  tags = "tag", teams = "team", stories = "story" }


function M.fail(status, message)
  local fault = { message = message, help = HELP }
  if status == 500 then
    fault.phrase = "6 sad squid snuggle softly"
  end
  return { status = status, json = { errors = { fault } } }
end

local fail = M.fail


-- Only gid, resource_type and the fields that were asked for.
local function with_fields(resource, options)
  if type(options.fields) ~= "table" or #options.fields == 0 then
    return resource
  end
  local result = { gid = resource.gid, resource_type = resource.resource_type }
  for _, name in ipairs(options.fields) do
    result[name] = resource[name]
  end
  return result
end


-- The resource of a gid; any number but 0 exists, unless it was deleted.
local function find(kind, gid)
  if gid == "me" and kind == "user" then
    gid = "1"
  end
  local record = store.get("asana", kind .. gid)
  if record then
    return not record.deleted and record.resource or nil
  elseif gid:find("^[1-9]%d*$") then
    return { gid = gid, resource_type = kind, name = kind:sub(1, 1):upper() .. kind:sub(2) .. " " .. gid }
  end
end


local function keep(resource, deleted)
  store.put("asana", { id = resource.resource_type .. resource.gid, resource = resource, deleted = deleted })
end


local function unknown(kind, gid)
  return fail(404, kind .. ": Unknown object: " .. gid)
end


-- Where a page begins: from the opaque offset that an earlier page gave, or nil and the refusal.
local function start_of(options)
  if json.given(options.offset) == nil then
    return 0
  end
  local text = ngx.decode_base64(tostring(options.offset)) or ""
  local at, expiry, check = text:match("^(%d+):(%d+):(%x+)$")
  if not at or check ~= ngx.md5("offset" .. at .. expiry):sub(1, 8) then
    return nil, fail(400, "offset: Your pagination token is invalid.")
  elseif clock.now() > tonumber(expiry) then
    return nil, fail(400, "offset: Your pagination token has expired.")
  end
  return tonumber(at)
end


local function next_offset(at)
  local expiry = math.floor(clock.now()) + OFFSET_LIFE
  return ngx.encode_base64(at .. ":" .. expiry .. ":" .. ngx.md5("offset" .. at .. expiry):sub(1, 8))
end


-- A page of a collection: items 1 to collection_size.
local function list(kind, path, options, endless)
  local size, limit = settings.get().asana.collection_size, json.given(options.limit)
  if limit ~= nil and (type(limit) ~= "number" or limit % 1 ~= 0 or limit < 1 or limit > 100) then
    return fail(400, "limit: Must be an integer between 1 and 100")
  elseif not limit and size > RESULT_LIMIT then
    return fail(400, "The result is too large. You should use pagination (may require specifying a workspace)!")
  end
  local start, refusal = start_of(options)
  if not start then
    return refusal
  end
  local stop = math.min(size, start + (limit or size))
  local data = json.array()
  for i = start + 1, stop do
    data[#data + 1] = with_fields(find(kind, tostring(1000 + i)) or {}, options)
  end
  local answer = { data = data }
  if limit then
    local more = stop < size or endless
    local offset = more and next_offset(stop)
    answer.next_page = more and { offset = offset, path = path .. "?limit=" .. limit .. "&offset="
      .. ngx.escape_uri(offset),
      uri = ngx.var.scheme .. "://" .. tostring(ngx.var.http_host) .. "/api/1.0" .. path .. "?limit=" .. limit
        .. "&offset=" .. ngx.escape_uri(offset) } or json.null
  end
  return { status = 200, json = answer }
end


local function create(kind, data, options)
  local gid = tostring(2000000 + store.serial("asana_gid"))
  local resource = { gid = gid, resource_type = kind }
  for name, value in pairs(data) do
    resource[name] = value
  end
  keep(resource)
  totals.count("asana", "created")
  totals.count("asana_created", tostring(data.name or kind))
  return { status = 201, headers = { location = "/api/1.0/" .. kind .. "s/" .. gid },
    json = { data = with_fields(resource, options) } }
end


local function one(method, kind, gid, data, options)
  local resource = find(kind, gid)
  if not resource then
    return unknown(kind, gid)
  elseif method == "delete" then
    keep(resource, true)
    totals.count("asana", "deleted")
    return { status = 200, json = { data = {} } }
  elseif method == "put" then
    for name, value in pairs(data) do
      resource[name] = value
    end
    keep(resource)
    totals.count("asana", "updated")
  end
  return { status = 200, json = { data = with_fields(resource, options) } }
end


-- A failure that the path, or the name in the data, asks for: "fail-STATUS", or "fail-STATUS-times-N".
local function asked_failure(path, data)
  local text = path .. " " .. tostring(data.name or "")
  local status, times = text:match("fail%-(%d%d%d)"), text:match("fail%-%d%d%d%-times%-(%d+)")
  if not status or not magic.failure({ status = tonumber(status), times = tonumber(times) }, text) then
    return nil
  end
  local answer = fail(tonumber(status), "The request asked to fail with status " .. status .. ".")
  if status == "429" then
    answer.headers = { ["retry-after"] = tostring(settings.get().asana.retry_after) }
  end
  return answer
end


-- Runs one request against the world: { status, headers, json }.
function M.run(method, path, data, options)
  local failure = asked_failure(path, data)
  if failure then
    return failure
  end
  local first, gid, below = path:match("^/([%w_]+)/?([^/]*)/?([%w_]*)$")
  local kind = TYPES[first]
  if not kind or method == "patch" or method == "head" then
    return fail(404, "No matching route for request")
  elseif below ~= "" then
    if not find(kind, gid) then
      return unknown(kind, gid)
    end
    if method ~= "get" then
      return { status = 200, json = { data = {} } }
    end
    return list(TYPES[below] or "task", path, options, below == "audit_log_events")
  elseif gid ~= "" then
    return one(method, kind, gid, data, options)
  elseif method == "post" then
    return create(kind, data, options)
  elseif method == "get" then
    return list(kind, path, options)
  end
  return fail(404, "No matching route for request")
end


return M
