-- runs on: luajit
-- A worker that a reload begins takes over the job of the one that ends, without any lock_timeout.

local core = require("batchapi.core")
local jobs = require("support.job")
local loop = require("batchapi.host")
local nginx = require("support.nginx")
local sandbox = require("support.sandbox")

local here = assert(io.popen("pwd")):read("*l")
local build = os.getenv("BATCHAPI_BUILD") or "build-luajit"

local http = [[
  lua_package_path "HERE/lua/?.lua;HERE/lua/?/init.lua;;";
  lua_package_cpath "BUILD/lib/?.so;;";
  init_by_lua_block { batchapi = require("batchapi") }
  init_worker_by_lua_block {
    local function say(...) ngx.log(ngx.NOTICE, "worker ", ngx.worker.pid(), " ", ...) end
    assert(batchapi.defer(function()
      local client = assert(batchapi.openai())
      local requests = {}
      for i = 1, 20 do requests[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } } end
      local job, why = client:run(requests, { endpoint = "/v1/embeddings", dir = "JOB", interval = 30, lock_timeout = 0 })
      say(job and "has the job" or why)
      if job then
        local _, _, err = job:wait()
        say("ended: ", err and err.kind or "done")
        job:close()
      end
    end))
  }
  server { listen unix:SOCKET; location / { content_by_lua_block { ngx.print(ngx.worker.pid()) } } }
]]


describe("nginx that is reloaded", function()
  local server, dir

  setup(function()
    sandbox.reset()
    dir = jobs.dir()
    server = nginx.start{
      http = (http:gsub("HERE", here):gsub("BUILD", here .. "/" .. build):gsub("JOB", dir)),
      main = "env OPENAI_API_KEY;\nenv OPENAI_BASE_URL;",
    }
  end)

  teardown(function()
    jobs.clear()
    assert.equal("", server:stop("TERM"))
  end)

  local function await(text, from)
    local deadline = core.now() + 15
    while true do
      local _, stop, pid = server:log("notice"):find("worker (%d+) " .. text, from or 1)
      if stop then
        return pid, stop
      end
      assert(core.now() < deadline, "the log never says: " .. text .. "\n" .. server:log("notice"))
      loop.sleep(0.05)
    end
  end

  it("hands the job of the old worker to the new one", function()
    local old, seen = await("has the job")
    assert(server:signal("HUP"))
    assert.equal(old, (await("ended: closed", seen)))
    local new = await("has the job", seen + 1)
    assert.not_equal(old, new)
    assert.is_nil(server:log("notice"):find("is in use by", 1, true))
  end)
end)
