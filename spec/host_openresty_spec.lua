-- runs on: luajit
-- The same calls inside nginx, over both ways from the engine to a light thread.

local core = require("batchapi.core")
local loop = require("batchapi.host")
local loopback = require("support.loopback")
local nginx = require("support.nginx")
local parallel = require("batchapi.host.parallel")
local perform = require("support.perform")

local here = assert(io.popen("pwd")):read("*l")
local build = os.getenv("BATCHAPI_BUILD") or "build-luajit"

local upstream, server, app, direct

local http = [[
  lua_package_path "HERE/lua/?.lua;HERE/lua/?/init.lua;;";
  lua_package_cpath "BUILD/lib/?.so;;";
  lua_shared_dict results 1m;
  init_by_lua_block {
    core = require("batchapi.core")
    exchange = require("batchapi.call.send")
    loop = require("batchapi.host")
    parallel = require("batchapi.host.parallel")
    require("batchapi.host.driver.openresty").way = "WAY"
    client = assert(core.client{ unix_socket = "UPSTREAM" })
    context = { core = client }
    function get(path)
      local call, outcome = exchange.run(context, { method = "GET", url = "http://loopback" .. path })
      return call and call:body(), outcome or call:outcome()
    end
    function refused(phase)
      local ok, why = pcall(get, "/bytes/1")
      ngx.shared.results:set(phase, tostring(ok) .. " " .. tostring(why))
    end
    refused("init")
  }
  init_worker_by_lua_block { refused("init_worker") }
  server {
    listen unix:SOCKET;
    lua_check_client_abort on;
    location /plain { return 200 "plain"; }
    location /get { content_by_lua_block {
      local body, outcome = get(ngx.var.arg_path)
      ngx.print(outcome.status, " ", body)
    } }
    location /access {
      access_by_lua_block { ngx.ctx.body = get("/bytes/4") }
      content_by_lua_block { ngx.print(ngx.ctx.body) }
    }
    location /threads { content_by_lua_block {
      local threads = {}
      for i = 1, 50 do
        threads[i] = ngx.thread.spawn(get, "/delay/0.3")
      end
      local sum = 0
      for i = 1, 50 do
        local ok, body = ngx.thread.wait(threads[i])
        sum = sum + (ok and tonumber(body) or 0)
      end
      ngx.print(("%.1f"):format(sum))
    } }
    # How often 20 short sleeps wait.
    location /short { content_by_lua_block {
      local methods, count = getmetatable(assert(require("ngx.semaphore").new(0))).__index, 0
      local wait = methods.wait
      methods.wait = function(...)
        count = count + 1
        return wait(...)
      end
      for _ = 1, 20 do
        loop.sleep(0.0015)
      end
      methods.wait = wait
      ngx.print(count)
    } }
    location /map { content_by_lua_block {
      local bodies = parallel.map({ 3, 2, 1 }, function(n)
        loop.sleep(0.01)
        return (get("/delay/0.0" .. n))
      end)
      ngx.print(table.concat(bodies, " "), " ", loop.host().name)
    } }
    location /timer { content_by_lua_block {
      assert(ngx.timer.at(0, function()
        local body = get("/delay/0.1")
        ngx.shared.results:set("timer", body)
      end))
      local results = ngx.shared.results
      for _ = 1, 500 do
        if results:get("timer") then break end
        ngx.sleep(0.01)
      end
      ngx.print(results:get("timer"))
    } }
    location /sleeper { content_by_lua_block {
      assert(ngx.timer.at(0, function()
        local ok, why = loop.sleep(1000)
        ngx.log(ngx.NOTICE, "the sleeper was told: ", tostring(ok), " ", why)
      end))
      ngx.print("begun")
    } }
    location /phases {
      set_by_lua_block $x { refused("set") return "" }
      content_by_lua_block { ngx.print("x") }
      header_filter_by_lua_block { refused("header_filter") }
      body_filter_by_lua_block { refused("body_filter") }
      log_by_lua_block { refused("log") }
    }
    location /result { content_by_lua_block { ngx.print(ngx.shared.results:get(ngx.var.arg_name)) } }
    location /collect { content_by_lua_block {
      collectgarbage()
      collectgarbage()
      ngx.print(ngx.worker.pid(), " ", client:stats().in_flight)
    } }
  }
]]


local function start(way)
  local text = http:gsub("HERE", here):gsub("BUILD", here .. "/" .. build):gsub("WAY", way)
  server = nginx.start{ http = (text:gsub("UPSTREAM", upstream.socket)) }
  app = assert(core.client{ unix_socket = server.socket, max_connections = 200 })
end


local function fetch(client, path)
  local call, outcome = perform({ core = client }, {
    method = "GET", url = "http://nginx" .. path, max_retries = 0, timeout = 30,
  })
  assert(outcome.ok, outcome.message)
  local body = call:body()
  call:release()
  return body
end


local function from_app(path)
  return fetch(app, path)
end


local function wait_for_begun(count)
  local deadline = core.now() + 10
  while tonumber(fetch(direct, "/counts"):match('"begun":(%d+)')) < count do
    assert(core.now() < deadline, "the calls did not begin")
    loop.sleep(0.01)
  end
end


local function begun()
  return tonumber(fetch(direct, "/counts"):match('"begun":(%d+)'))
end


local function threads_of(pid)
  local count = 0
  for _ in assert(io.popen("ls /proc/" .. pid .. "/task")):lines() do
    count = count + 1
  end
  return count
end


for _, way in ipairs{ "event", "socket" } do
  describe("OpenResty, by " .. way .. ",", function()
    setup(function()
      upstream = loopback.start()
      direct = assert(core.client{ unix_socket = upstream.socket })
      start(way)
    end)

    teardown(function()
      local stopped, log = pcall(server.stop, server)
      assert.equal("", upstream:stop())
      assert.is_true(stopped, log)
      assert.equal("", log)
    end)

    it("makes calls in the content, access and timer phases", function()
      assert.equal("200 xxxxx", from_app("/get?path=/bytes/5"))
      assert.equal("xxxx", from_app("/access"))
      assert.equal("0.1", from_app("/timer"))
    end)

    it("starts nothing in the master, the I/O thread and its watchdog in a worker", function()
      local worker = from_app("/collect"):match("%d+")
      assert.equal(1, threads_of(server:pid()))
      assert.equal(3, threads_of(worker))
    end)

    it("makes many calls at once in light threads", function()
      local began = core.now()
      assert.equal("15.0", from_app("/threads"))
      assert.is_true(core.now() - began < 2)
    end)

    it("runs batchapi.map", function()
      assert.equal("0.03 0.02 0.01 openresty", from_app("/map"))
    end)

    it("gives way while it sleeps for less than nginx's clock can tell", function()
      local waits = tonumber((from_app("/short")))
      assert.is_true(waits >= 20 and waits <= 60, waits .. " waits")
    end)

    it("says so in a phase that cannot wait", function()
      from_app("/phases")
      from_app("/plain") -- the log phase of the request before it is over
      for _, phase in ipairs{ "init", "init_worker", "set", "header_filter", "body_filter", "log" } do
        assert.match("^false .*nothing can wait in the nginx phase '" .. phase .. "'",
          from_app("/result?name=" .. phase))
      end
    end)

    it("never blocks the worker while a call of two seconds runs", function()
      local count, slowest = begun(), 0
      local over = false
      parallel.parallel(
        function()
          assert.equal("200 2", from_app("/get?path=/delay/2"))
          over = true
        end,
        function()
          wait_for_begun(count + 1)
          for _ = 1, 50 do
            local began = core.now()
            assert.equal("plain", from_app("/plain"))
            slowest = math.max(slowest, core.now() - began)
          end
          assert.is_false(over)
        end)
      assert.is_true(slowest < 0.5)
    end)

    it("cancels the call of an aborted request when its handle is collected", function()
      local count = begun()
      local aborted = tonumber(fetch(direct, "/counts"):match('"aborted":(%d+)'))
      local _, why = parallel.parallel(
        function() from_app("/get?path=/delay/25") end,
        function() from_app("/get?path=/delay/25") end,
        function()
          wait_for_begun(count + 2)
          return nil, "abort"
        end)
      assert.equal("abort", why)
      local deadline = core.now() + 10
      repeat
        local in_flight = from_app("/collect"):match(" (%d+)")
      until in_flight == "0" or core.now() > deadline
      assert.equal(tostring(aborted + 2), fetch(direct, "/wait_aborted/" .. aborted + 2))
      assert.equal("200 x", from_app("/get?path=/bytes/1"))
    end)

    it("finishes what is in flight when it is reloaded, and the old worker goes", function()
      local old = from_app("/collect"):match("%d+")
      local count = begun()
      local functions = {}
      for i = 1, 20 do
        functions[i] = function()
          return from_app("/get?path=/delay/1")
        end
      end
      functions[21] = function()
        wait_for_begun(count + 20)
        assert(server:signal("HUP"))
        return true
      end
      local bodies = { parallel.parallel(unpack(functions)) } -- luacheck: ignore
      for i = 1, 20 do
        assert.equal("200 1", bodies[i])
      end
      app:close() -- its kept connections hold the old worker
      assert.is_true(server:gone(old, 5))
      app = assert(core.client{ unix_socket = server.socket, max_connections = 200 })
      assert.equal("200 xxx", from_app("/get?path=/bytes/3"))
    end)

    it("wakes who sleeps long when the worker is told to exit", function()
      local old = from_app("/collect"):match("%d+")
      assert.equal("begun", from_app("/sleeper"))
      assert(server:signal("HUP"))
      app:close()
      assert.is_true(server:gone(old, 5))
      assert.match("the sleeper was told: false closed", server:log("notice"), 1, true)
      app = assert(core.client{ unix_socket = server.socket, max_connections = 200 })
    end)

    it("quits under load without a hang or a word in the log", function()
      local count = begun()
      local functions = {}
      for i = 1, 20 do
        functions[i] = function()
          return from_app("/get?path=/delay/1")
        end
      end
      functions[21] = function()
        wait_for_begun(count + 20)
        assert(server:signal("QUIT"))
        return true
      end
      local master = server:pid()
      local bodies = { parallel.parallel(unpack(functions)) } -- luacheck: ignore
      for i = 1, 20 do
        assert.equal("200 1", bodies[i])
      end
      app:close()
      assert.is_true(server:gone(master, 5))
      assert.equal("", server:log())
      start(way)
      assert.equal("200 x", from_app("/get?path=/bytes/1"))
    end)
  end)
end
