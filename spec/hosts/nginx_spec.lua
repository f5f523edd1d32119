-- runs on: luajit
-- nginx: phases that cannot wait, requests that are aborted, and what reaches the log.

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
    batchapi = require("batchapi")
    require("batchapi.host.driver.openresty").way = "WAY"
    client = assert(batchapi.client({
      name = "loopback", base_url = "http://loopback", auth = "none",
      operations = {
        { name = "get", method = "GET", path = "/bytes/{n}", parameters = { { "n", "integer" } }, answer = "bytes" },
        { name = "slow", method = "GET", path = "/delay/{n}", parameters = { { "n", "string" } }, answer = "bytes" },
        { name = "broken", method = "GET", path = "/status/500", query = { { "after", "string" } },
          page = { items = "data", from = "last_item", query = "after", field = "id" } },
      },
    }, { unix_socket = "UPSTREAM", max_retries = 0, max_connections = 4 }))
    function note(phase, f)
      local ok, why = pcall(f)
      ngx.shared.results:set(phase, tostring(ok) .. " " .. tostring(why))
    end
    -- Refused where it stands, and carried out when it is deferred.
    function try(phase)
      note(phase, function() return client:get(1) end)
      assert(batchapi.defer(function()
        note(phase .. "_deferred", function() return client:get(2) end)
      end))
    end
  }
  init_worker_by_lua_block { try("init_worker") }
  server {
    listen unix:SOCKET;
    lua_check_client_abort on;
    location /phases {
      content_by_lua_block { ngx.print("x") }
      header_filter_by_lua_block { try("header_filter") }
      body_filter_by_lua_block { if ngx.arg[2] then try("body_filter") end }
      log_by_lua_block { try("log") }
    }
    location /result { content_by_lua_block { ngx.print(ngx.shared.results:get(ngx.var.arg_name)) } }
    location /slow { content_by_lua_block { client:slow("25") } }
    location /slow_map { content_by_lua_block {
      batchapi.map({ 1, 2 }, function() return client:slow("25") end)
    } }
    location /told { content_by_lua_block {
      local co = coroutine.running()
      assert(ngx.on_abort(function() ngx.shared.results:set("told", tostring(batchapi.cancel(co))) end))
      local _, _, err = client:slow("25")
      ngx.shared.results:set("kind", err.kind)
    } }
    # A light thread that has had its answer is not taken for the one that waits now.
    location /not_the_other { content_by_lua_block {
      local first, body
      ngx.thread.wait(ngx.thread.spawn(function()
        first = coroutine.running()
        client:get(1)
      end))
      local second = ngx.thread.spawn(function() body = client:slow("0.2") end)
      local cancelled = batchapi.cancel(first)
      ngx.thread.wait(second)
      ngx.print(tostring(cancelled), " ", body)
    } }
    location /stop_collecting { content_by_lua_block { collectgarbage("stop") } }
    location /flight { content_by_lua_block { ngx.print(client:stats().in_flight) } }
    location /get { content_by_lua_block { ngx.print((client:get(5))) } }
    location /start { content_by_lua_block {
      client:start("get", 3, function(body) ngx.print(body) end)
    } }
    # How many of the coroutines that have ended nginx or we still hold.
    location /forgotten { content_by_lua_block {
      local kept, ended = setmetatable({}, { __mode = "k" }), 0
      for _ = 1, 100 do
        client:start("get", 1, function()
          kept[coroutine.running()] = true
          ended = ended + 1
        end)
        client:get(1)
      end
      while ended < 100 do ngx.sleep(0.01) end
      collectgarbage()
      collectgarbage()
      local count = 0
      for _ in pairs(kept) do count = count + 1 end
      ngx.print(count)
    } }
    location /for { content_by_lua_block {
      for _ in client:each("broken") do end
    } }
    location /caught { content_by_lua_block {
      local ok, err = pcall(function() for _ in client:each("broken") do end end)
      ngx.print(err.status)
    } }
    location /map_raises { content_by_lua_block {
      batchapi.map({ 1 }, function() error("from the function") end)
    } }
  }
]]


local function fetch(client, path)
  local call, outcome = perform({ core = client }, {
    method = "GET", url = "http://nginx" .. path, max_retries = 0, timeout = 30,
  })
  return call:body(), outcome
end


local function from_app(path)
  local body, outcome = fetch(app, path)
  assert(outcome.ok, outcome.message)
  return body
end


local function await(what, condition)
  local deadline = core.now() + 10
  while not condition() do
    assert(core.now() < deadline, what)
    loop.sleep(0.02)
  end
end


local function begun()
  return tonumber(fetch(direct, "/counts"):match('"begun":(%d+)'))
end


-- Begins requests that wait, and hangs up when all their calls are under way.
local function abort(paths, calls)
  local count = begun()
  local functions = {}
  for i, path in ipairs(paths) do
    functions[i] = function() fetch(app, path) end
  end
  functions[#functions + 1] = function()
    await("the calls begin", function() return begun() >= count + calls end)
    return nil, "abort"
  end
  local _, why = parallel.parallel(unpack(functions)) -- luacheck: ignore
  assert.equal("abort", why)
end


for _, way in ipairs{ "event", "socket" } do
  describe("nginx, by " .. way .. ",", function()
    local expected -- what the log must have, each line once

    setup(function()
      expected = {}
      upstream = loopback.start()
      direct = assert(core.client{ unix_socket = upstream.socket })
      local text = http:gsub("HERE", here):gsub("BUILD", here .. "/" .. build):gsub("WAY", way)
      server = nginx.start{ http = (text:gsub("UPSTREAM", upstream.socket)) }
      app = assert(core.client{ unix_socket = server.socket, max_connections = 200 })
    end)

    teardown(function()
      local stopped, log = pcall(server.stop, server)
      assert.equal("", upstream:stop())
      assert.is_true(stopped, log)
      for line in log:gmatch("[^\n]*%[error%][^\n]*") do
        local known = false
        for _, text in ipairs(expected) do
          known = known or line:find(text, 1, true)
        end
        assert(known, line)
      end
    end)

    it("refuses calls in phases that cannot wait, and carries out what is deferred", function()
      from_app("/phases")
      for _, phase in ipairs{ "init_worker", "header_filter", "body_filter", "log" } do
        await(phase, function() return from_app("/result?name=" .. phase .. "_deferred") == "true xx" end)
        assert.match("^false .*nothing can wait in the nginx phase '" .. phase
          .. "', so nothing was sent: make the call in batchapi.defer", from_app("/result?name=" .. phase))
      end
    end)

    it("gives back the places of aborted requests at once, without any collection", function()
      from_app("/stop_collecting")
      abort({ "/slow", "/slow", "/slow_map" }, 4) -- as many as max_connections
      local began = core.now()
      assert.equal("xxxxx", from_app("/get"))
      assert.is_true(core.now() - began < 2)
      await("nothing is under way", function() return from_app("/flight") == "0" end)
    end)

    it("cancels from ngx.on_abort what the request waits for", function()
      abort({ "/told" }, 1)
      await("the call is cancelled", function() return from_app("/result?name=kind") == "cancelled" end)
      assert.equal("true", from_app("/result?name=told"))
    end)

    it("cancels nothing of another coroutine's", function()
      assert.equal("false 0.2", from_app("/not_the_other"))
    end)

    it("runs what client:start began within the request", function()
      assert.equal("xxx", from_app("/start"))
    end)

    it("lets go of what client:start began, once it has ended", function()
      assert.is_true(tonumber(from_app("/forgotten")) <= 10)
    end)

    it("logs what a `for` or a map raises as text, and nothing when it is caught", function()
      expected = { "lua entry thread aborted", "broken: ", "from the function" }
      assert.equal("500", from_app("/caught"))
      assert.is_nil(server:log():find("broken: ", 1, true))
      local _, outcome = fetch(app, "/for")
      assert.equal(500, outcome.status)
      assert.match("broken: ", server:log(), 1, true)
      _, outcome = fetch(app, "/map_raises")
      assert.equal(500, outcome.status)
      assert.match("from the function", server:log(), 1, true)
    end)
  end)
end
