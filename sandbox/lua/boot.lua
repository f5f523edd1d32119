-- What nginx calls when it starts: once in the master, once in each worker.
local M = {}


-- The key of FactSet's application. Making one takes a third of a second of the processor: a test run, which
-- starts hundreds of sandboxes, keeps the first one's (see run).
local function key()
  local path = M.directory .. "/app-key.json"
  local handle = io.open(path, "r")
  if handle then
    local jwk = require("json").decode(handle:read("*a"))
    handle:close()
    return jwk
  end
  local jwk = require("crypto").new_jwk("sandbox-key-1")
  handle = assert(io.open(path, "w"))
  assert(handle:write(require("json").encode(jwk), "\n"))
  assert(handle:close())
  return jwk
end


-- FactSet's configuration of an application, as its portal hands it out.
function M.make_app()
  local app = {
    name = "sandbox", clientId = "sandbox-factset-client", clientAuthType = "Confidential",
      owners = { "SANDBOX-123456" },
    wellKnownUri = "http://127.0.0.1:" .. M.port("PLAIN") .. "/.well-known/openid-configuration",
    jwk = key(),
  }
  local handle = assert(io.open(M.directory .. "/app-config.json", "w"))
  assert(handle:write(require("json").encode(app), "\n"))
  assert(handle:close())
  return app
end


function M.init(directory)
  M.directory = directory
  require("resty.core")
  M.app = M.make_app()
end


-- The port of one of the listeners named in listen.pl.
function M.port(name)
  for line in io.lines(M.directory .. "/ports") do
    local port = line:match("^" .. name .. " (%d+)$")
    if port then
      return port
    end
  end
end


function M.worker()
  local handle = assert(io.open(M.directory .. "/up", "w"))
  handle:close()
  require("engine").start()
end


-- Takes the directory away when sandbox/run was killed and cannot.
function M.leave(runner)
  local handle = io.open("/proc/" .. runner .. "/stat")
  local state = handle and handle:read("*a"):match("%) (%a)")
  if not state or state == "Z" then
    os.execute("rm -rf '" .. M.directory .. "'")
  end
end


return M
