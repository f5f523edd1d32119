-- runs on: luajit
-- The examples that are configurations of nginx.

local core = require("batchapi.core")
local batchapi = require("batchapi")
local loop = require("batchapi.host")
local nginx = require("support.nginx")
local perform = require("support.perform")

local here = assert(io.popen("pwd")):read("*l")
local build = os.getenv("BATCHAPI_BUILD") or "build-luajit"
local secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

local server, client


-- Starts an example in a directory of its own.
local function start(path, env)
  local file = assert(io.open(path))
  local conf = file:read("*a"):gsub("listen 127%.0%.0%.1:8080", "listen unix:SOCKET")
    :gsub("pid nginx.pid", "pid DIRECTORY/pid"):gsub("error_log nginx.log", "error_log DIRECTORY/error.log")
  file:close()
  server = nginx.start{
    conf = conf,
    env = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/%s?.lua;;' LUA_CPATH='%s/%s/lib/?.so;;' %s"):format(here,
      here, here, path:match("^.*/"), here, build, env or ""),
  }
  client = assert(core.client{ unix_socket = server.socket })
end


local function ask(method, path, body, headers)
  local call, outcome = perform({ core = client }, {
    method = method, url = "http://example" .. path, body = body, headers = headers, timeout = 30, max_retries = 0,
    repeats = "never_sent",
  })
  assert(outcome.status > 0, outcome.message)
  return outcome.status, call:body()
end


local function eventually(what, condition)
  local deadline = core.now() + 30
  while not condition() do
    assert(core.now() < deadline, "in vain waited for: " .. what)
    loop.sleep(0.02)
  end
end


local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end


local function signed(body)
  local id, time = "msg_1", tostring(os.time())
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(id, ".", time, ".", body)
  file:close()
  local signature = output(("openssl dgst -sha256 -binary -mac HMAC -macopt hexkey:$(printf %%s '%s' | base64 -d | "
    .. "od -An -v -tx1 | tr -d ' \n') %s | base64"):format(secret:sub(7), path))
  os.remove(path)
  return { { "webhook-id", id }, { "webhook-timestamp", time }, { "webhook-signature", "v1," .. signature:gsub("%s", "") } }
end


describe("the example", function()
  after_each(function()
    client:close()
    server:stop("TERM")
  end)

  it("of OpenResty answers, and runs a job in a timer", function()
    start("examples/hosts/openresty.conf")
    local code, body = ask("GET", "/answer?text=hello")
    assert.equal(200, code)
    assert.equal("8\n", body)
    eventually("the nightly job", function()
      return output("cat " .. server.directory .. "/error.log"):find("done, 50 of 50 settled", 1, true)
    end)
        assert.equal("", server:log())
  end)

  it("of a webhook submits, and collects when it is told", function()
    local jobs = output("mktemp -d"):gsub("%s", "")
    start("examples/cookbook/webhook/nginx.conf", ("WEBHOOK_JOBS=%s OPENAI_WEBHOOK_SECRET=%s"):format(jobs, secret))
    local line = '{"body":{"model":"text-embedding-3-small","input":"%d"}}\n'
    local code, dir = ask("POST", "/jobs", line:format(1) .. line:format(2))
    assert.equal(200, code, dir)
    dir = dir:gsub("%s", "")
    assert.equal("running", assert(batchapi.status(dir)).state)
    local message = '{"type":"batch.completed","data":{"id":"batch_1"}}'
    assert.equal(400, (ask("POST", "/openai", message)))
    eventually("the results", function()
      assert.equal(204, (ask("POST", "/openai", message, signed(message))))
      loop.sleep(0.1)
      return assert(batchapi.status(dir)).state == "done"
    end)
        assert.equal(2, batchapi.status(dir).ok)
    assert.is_nil(server:log():find("[error]", 1, true))
    os.execute("rm -rf '" .. jobs .. "'")
  end)
end)
