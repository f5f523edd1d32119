-- Which operation of which service a request means. Routes are data: { method, path, handler, name }, where a path
-- is a Lua string with {name} for one segment.
local M = {}
local fixed, patterns, methods = {}, {}, {}


local function to_pattern(path)
  local names = {}
  local pattern = path:gsub("[%-%.%+%$%%%(%)]", "%%%0"):gsub("{([%w_]+)}", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end)
  return "^" .. pattern .. "$", names
end


-- Adds a service: { name =, prefix =, routes = { ... }, authenticate =, fail = }.
function M.add(service)
  for _, route in ipairs(service.routes) do
    local path = service.prefix .. route[2]
    local entry = { service = service, method = route[1], handler = route[3], name = service.name .. "." .. route[4],
      options = route[5] or {} }
    if path:find("{", 1, true) then
      entry.pattern, entry.names = to_pattern(path)
      patterns[#patterns + 1] = entry
    else
      fixed[route[1] .. " " .. path] = entry
      methods[path] = true
    end
  end
end


local services = {}


-- The service whose prefix a path begins with, so that even a wrong path is answered in the service's own shape.
function M.register(list)
  for _, service in ipairs(list) do
    M.add(service)
    services[#services + 1] = service
  end
  table.sort(services, function(a, b)
    return #a.prefix > #b.prefix
  end)
end


function M.service_of(path)
  for _, service in ipairs(services) do
    if path:sub(1, #service.prefix) == service.prefix then
      return service
    end
  end
end


-- The route and the path parameters; or nil and true when only the method is wrong.
function M.find(method, path)
  local entry = fixed[method .. " " .. path]
  if entry then
    return entry, {}
  end
  local other_method = methods[path] or false
  for _, candidate in ipairs(patterns) do
    local captures = { path:match(candidate.pattern) }
    if captures[1] then
      if candidate.method == method then
        local params = {}
        for i, name in ipairs(candidate.names) do
          params[name] = ngx.unescape_uri(captures[i])
        end
        return candidate, params
      end
      other_method = true
    end
  end
  return nil, other_method
end


return M
