--- The sandbox's control interface, as the specs of credentials need it. They run under sandbox/run.

local batchapi = require("batchapi")

local M = {
  url = assert(os.getenv("BATCHAPI_SANDBOX_URL"), "run this spec under sandbox/run"),
  other_url = os.getenv("BATCHAPI_SANDBOX_OTHER_URL"),
  app_config = os.getenv("BATCHAPI_SANDBOX_APP_CONFIG"),
}

local control = assert(batchapi.client({
  name = "control", base_url = M.url .. "/_control", auth = {}, operations = {},
}))


local function ask(method, path, body)
  return assert(control:request{ method = method, path = path, body = body })
end


function M.reset()
  ask("POST", "/reset", {})
end


function M.set(settings)
  ask("POST", "/settings", settings)
end


function M.faults(rules)
  ask("POST", "/faults", batchapi.array(rules))
end


function M.revoke()
  ask("POST", "/oauth/revoke", {})
end


function M.totals()
  return ask("GET", "/totals")
end


--- How often the token endpoint was asked.
function M.token_requests()
  return (M.totals().oauth or {}).token_requests or 0
end


function M.log(query)
  return assert(control:request{ path = "/log", query = query }).entries
end


--- Every request to a path that begins so, in order.
function M.requests(path)
  return M.log{ path = path }
end


--- The text of a file.
function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end


--- A file with that text, readable by its owner, or by `mode`; the caller removes it.
function M.write(text, mode)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  os.execute(("chmod %s '%s'"):format(mode or "600", path))
  return path
end


return M
