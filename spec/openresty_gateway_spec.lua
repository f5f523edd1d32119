-- runs on: luajit
-- The gateway of examples/openresty: jobs in over HTTP, results out, also across a reload.

local core = require("batchapi.core")
local loop = require("batchapi.host")
local nginx = require("support.nginx")
local perform = require("support.perform")

local here = assert(io.popen("pwd")):read("*l")
local build = os.getenv("BATCHAPI_BUILD") or "build-luajit"

local server, client


local function ask(method, path, body)
  -- A worker that is being replaced closes its kept connections: looking may be repeated.
  local look = method == "GET"
  local call, outcome = perform({ core = client }, {
    method = method, url = "http://gateway" .. path, body = body, timeout = 30,
    max_retries = look and 3 or 0, repeats = look and "safe" or "never_sent",
  })
  assert(outcome.status > 0, outcome.message)
  return outcome.status, call:body()
end


local function wait_for(id, state)
  local deadline, status = core.now() + 40
  repeat
    loop.sleep(0.05)
    local code, body = ask("GET", "/jobs/" .. id)
    assert.equal(200, code)
    status = core.decode(body)
    assert(core.now() < deadline, "the job did not become " .. state .. ": " .. body)
  until status.state == state or status.state == "failed"
  assert.equal(state, status.state, status.reason)
  return status
end


local function lines(count)
  local list = {}
  for i = 1, count do
    list[i] = ('{"body":{"model":"text-embedding-3-small","input":"line %d"}}\n'):format(i)
  end
  return table.concat(list)
end


setup(function()
  local file = assert(io.open("examples/openresty/nginx.conf"))
  local conf = file:read("*a"):gsub("listen 127%.0%.0%.1:8080", "listen unix:SOCKET")
    :gsub("pid gateway.pid", "pid DIRECTORY/pid"):gsub("error_log gateway.log", "error_log DIRECTORY/error.log")
  file:close()
  server = nginx.start{
    conf = conf,
    env = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/examples/openresty/?.lua;;' LUA_CPATH='%s/%s/lib/?.so;;' "
      .. "GATEWAY_JOBS=$(mktemp -d) GATEWAY_INTERVAL=0.05"):format(here, here, here, here, build),
  }
  client = assert(core.client{ unix_socket = server.socket })
end)

teardown(function()
  client:close()
  assert.equal("", server:stop())
end)


describe("the gateway", function()
  it("runs a job from its submission to its results", function()
    local code, body = ask("POST", "/jobs?endpoint=/v1/embeddings", lines(40))
    assert.equal(202, code)
    local id = core.decode(body).id
    local status = wait_for(id, "done")
    assert.equal(40, status.requests)
    code, body = ask("GET", "/jobs/" .. id .. "/results")
    assert.equal(200, code)
    local seen = {}
    for line in body:gmatch("[^\n]+") do
      local result = core.decode(line)
      assert.is_true(result.ok)
      seen[result.index] = true
    end
    assert.equal(40, #seen)
  end)

  it("says what it does not know or cannot do yet", function()
    assert.equal(404, (ask("GET", "/jobs/none")))
    assert.equal(405, (ask("GET", "/jobs")))
    assert.equal(400, (ask("POST", "/jobs")))
  end)

  it("goes on with a job in the next worker when it is reloaded", function()
    local ids = {}
    for i = 1, 3 do
      ids[i] = core.decode((select(2, ask("POST", "/jobs?endpoint=/v1/embeddings", lines(30 * i))))).id
    end
    assert(server:signal("HUP"))
    client:close()
    client = assert(core.client{ unix_socket = server.socket })
    for i = 1, 3 do
      assert.equal(30 * i, wait_for(ids[i], "done").requests)
    end
  end)
end)
