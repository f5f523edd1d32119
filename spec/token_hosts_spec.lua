-- One token request however many calls wait for one, in every host that this Lua has.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local sandbox = require("support.oauth")

local COUNT = 50
local key = os.getenv("OPENAI_API_KEY")

--- How each host runs functions as coroutines until all have ended.
local hosts = {
  {
    name = "batchapi.parallel",
    run = function(functions)
      batchapi.parallel((unpack or table.unpack)(functions)) -- luacheck: ignore
    end,
  },
  {
    name = "cqueues",
    run = function(functions, cqueues)
      local controller = cqueues.new()
      for _, f in ipairs(functions) do
        controller:wrap(f)
      end
      assert(controller:loop(20))
      assert(controller:empty(), "the controller did not end in time")
    end,
  },
  {
    name = "luv",
    run = function(functions, uv)
      local watchdog = uv.new_timer()
      watchdog:start(20000, 0, function()
        uv.stop()
      end)
      watchdog:unref()
      for _, f in ipairs(functions) do
        assert(coroutine.resume(coroutine.create(f)))
      end
      uv.run()
      watchdog:close()
      uv.run("nowait")
    end,
  },
  {
    name = "copas",
    run = function(functions, copas)
      local running = 0
      for _, f in ipairs(functions) do
        running = running + 1
        copas.addthread(function()
          f()
          running = running - 1
        end)
      end
      local deadline = core.now() + 20
      while running > 0 and core.now() < deadline do
        copas.step(0.1)
      end
    end,
  },
}

for _, host in ipairs(hosts) do
  local there, library = true, nil
  if host.name ~= "batchapi.parallel" then
    there, library = pcall(require, host.name)
  end
  -- Named, since this process has loaded them all.
  local named = host.name ~= "batchapi.parallel" and host.name or nil
  if there then
    describe(host.name, function()
      before_each(sandbox.reset)

      -- Each function counts its answer: COUNT says that none failed.
      local function all(ask)
        local functions, answered = {}, 0
        for i = 1, COUNT do
          functions[i] = function()
            local answer, why = ask()
            assert(answer, why)
            answered = answered + 1
          end
        end
        host.run(functions, library)
        assert.equal(COUNT, answered)
      end

      it("makes one token request, and one more for a revoked token", function()
        local client = assert(batchapi.factset{ app_config = sandbox.app_config, timeout = 20, host = named })
        local function ask()
          return client:post_batch{ data = { documentName = "Client:Scenario_01" } }
        end
        all(ask)
        assert.equal(1, sandbox.token_requests())
        sandbox.revoke()
        all(ask)
        assert.equal(2, sandbox.token_requests())
      end)

      it("asks a token function once, on a waiting call's coroutine, where it may wait too", function()
        local vault = assert(batchapi.openai{ host = named })
        local asked = 0
        local client = assert(batchapi.openai{ host = named, token = function()
          asked = asked + 1
          assert(vault:list_batches())
          return key, 3600
        end })
        all(function()
          return client:list_batches()
        end)
        assert.equal(1, asked)
      end)
    end)
  end
end


if os.getenv("BATCHAPI_LUA") == "luajit" then
  describe("OpenResty", function()
    local nginx = require("support.nginx")
    local here = assert(io.popen("pwd")):read("*l")
    local http = [[
      lua_package_path "HERE/lua/?.lua;HERE/lua/?/init.lua;;";
      lua_package_cpath "BUILD/lib/?.so;;";
      init_by_lua_block { batchapi = require("batchapi") }
      server {
        listen unix:SOCKET;
        location /run { content_by_lua_block {
          local client = assert(batchapi.factset{ app_config = "CONFIG", base_url = "BASE" })
          local threads, good = {}, 0
          for i = 1, 50 do
            threads[i] = ngx.thread.spawn(function()
              return client:post_batch{ data = { documentName = "Client:Scenario_01" } }
            end)
          end
          for i = 1, 50 do
            local ok, answer, why = ngx.thread.wait(threads[i])
            good = good + (ok and answer and 1 or 0)
          end
          ngx.print(good)
        } }
      }
    ]]

    it("makes one token request for 50 light threads", function()
      sandbox.reset()
      local values = {
        HERE = here, BUILD = here .. "/" .. (os.getenv("BATCHAPI_BUILD") or "build-luajit"),
        CONFIG = sandbox.app_config, BASE = os.getenv("FACTSET_BASE_URL"),
      }
      local server = nginx.start{ http = (http:gsub("%u+", values)) }
      local app = assert(batchapi.client({
        name = "app", base_url = "http://nginx", auth = {}, operations = {},
      }, { unix_socket = server.socket, timeout = 30 }))
      local good = app:request{ path = "/run" }
      assert.equal("", server:stop())
      assert.equal("50", tostring(good))
      assert.equal(1, sandbox.token_requests())
    end)
  end)
end
