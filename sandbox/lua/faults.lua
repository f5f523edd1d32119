-- Which fault a request meets: by a header of its own, or by the rules that a test has set. README.md, "Faults".
local fault_types = require("fault_types")
local json = require("json")
local store = require("store")
local generator = require("openai_results").generator

local M = {}
local state = ngx.shared.state
local rules, version, changes = {}, nil, 0


-- The rules' counters live in the worker; the rules themselves in shared memory.
local function current_rules()
  local now = state:get("faults:version")
  if now ~= version then
    version = now
    rules = json.decode(state:get("faults") or "[]") or {}
    for _, rule in ipairs(rules) do
      rule.seen, rule.applied = 0, 0
      rule.match = rule.match or {}
      rule.random = generator(rule.match.seed or rule.seed or 1)
    end
  end
  return rules
end


-- "*" in a path stands for anything; without one, the path is a prefix.
local function path_fits(wish, path)
  if not wish:find("*", 1, true) then
    return path:sub(1, #wish) == wish
  end
  local pattern = wish:gsub("[%-%.%+%$%%%(%)%[%]%?%^]", "%%%0"):gsub("%*", ".*")
  return path:find("^" .. pattern .. "$") ~= nil
end


-- Is a request about the n-th batch that was made, or about one of its files?
local function is_about(request, n)
  local id = state:get("batch#" .. n)
  local batch = id and store.get("batch", id)
  local asked = request.params or {}
  return batch and (asked.batch_id == id or asked.file_id ~= nil and (asked.file_id == batch.output_file_id
    or asked.file_id == batch.error_file_id))
end


local function fits(match, request)
  return (not match.method or match.method == request.method)
    and (not match.path or path_fits(match.path, request.raw_path))
    and (not match.service or request.service and match.service == request.service.name)
    and (not match.operation or match.operation == request.operation)
    and (not match.batch or is_about(request, match.batch))
    and (match.reused == nil or match.reused == (ngx.var.connection_requests ~= "1"))
    and (not match.port or match.port == tonumber(ngx.var.server_port))
end


local function is_due(rule)
  local match, nth = rule.match, rule.match.nth
  if type(nth) == "number" then
    return rule.seen == nth
  elseif type(nth) == "table" then
    for _, n in ipairs(nth) do
      if rule.seen == n then
        return true
      end
    end
    return false
  end
  if match.first and rule.seen > match.first or match.every and rule.seen % match.every ~= 0 then
    return false
  end
  return not match.probability or rule.random(1000000) <= match.probability * 1000000
end


local function from_rules(request)
  for _, rule in ipairs(current_rules()) do
    if fits(rule.match, request) and not (rule.times and rule.applied >= rule.times) then
      rule.seen = rule.seen + 1
      if is_due(rule) then
        rule.applied = rule.applied + 1
        return rule.faults and rule.faults[rule.random(#rule.faults)] or rule.fault
      end
    end
  end
end


local function value_of(text)
  if text == "true" or text == "false" then
    return text == "true"
  end
  return tonumber(text) or text
end


-- Reads "TYPE name=value ..." or a JSON object; a status alone stands for a fault of type "status".
local function from_header(header)
  if header:sub(1, 1) == "{" then
    return json.decode(header)
  end
  local fault = {}
  for word in header:gmatch("%S+") do
    local name, value = word:match("^([%w_%-]+)=(.*)$")
    if name then
      fault[name] = value_of(value)
    elseif word:find("^%d%d%d$") then
      fault.type, fault.status = "status", tonumber(word)
    else
      fault.type = word
    end
  end
  return fault
end


local function asked(request)
  local header = request.headers["x-sandbox-fault"]
  if type(header) ~= "string" then
    return nil
  end
  local fault = from_header(header)
  if not fault or not fault_types.check(fault) then
    return { type = "status", status = 400, body = "X-Sandbox-Fault cannot be read: " .. header }
  end
  local seen = state:incr("fault:" .. ngx.md5(header), 1, 0)
  if fault.times and seen > fault.times or fault.nth and seen ~= fault.nth then
    return nil
  end
  return fault
end


-- The fault for a request, or nil.
function M.choose(request)
  if request.service and request.service.name == "control" then
    return nil
  end
  return asked(request) or from_rules(request)
end


local function check_rule(rule, place)
  if type(rule) ~= "table" then
    return place .. " must be an object"
  end
  local list = rule.faults or { rule.fault }
  if type(list) ~= "table" or #list == 0 then
    return place .. " needs fault or faults"
  end
  for name in pairs(rule.match or {}) do
    if not M.words[name] then
      return place .. ".match." .. tostring(name) .. " is not known"
    end
  end
  for _, fault in ipairs(list) do
    local ok, why = fault_types.check(fault)
    if not ok then
      return place .. ": " .. why
    end
  end
end

M.words = { method = true, path = true, service = true, operation = true, port = true, reused = true, nth = true,
  first = true, batch = true,
  every = true,
  probability = true, seed = true }


-- Puts new rules in place of the old; nil and a reason when one cannot be read.
function M.set(list)
  for i, rule in ipairs(list) do
    local why = check_rule(rule, "rule " .. i)
    if why then
      return nil, why
    end
  end
  state:set("faults", json.encode(json.array(list)))
  changes = changes + 1 -- never a version that was: a reset empties the shared memory
  state:set("faults:version", ngx.worker.pid() .. "/" .. changes)
  return true
end


-- The rules with how many requests each has seen and hit.
function M.show()
  local result = json.array()
  for i, rule in ipairs(current_rules()) do
    result[i] = { match = rule.match, fault = rule.fault, faults = rule.faults, times = rule.times, seen = rule.seen,
      applied = rule.applied }
  end
  return result
end


function M.reset()
  M.set({})
end


M.before = fault_types.before
M.change = fault_types.change

return M
