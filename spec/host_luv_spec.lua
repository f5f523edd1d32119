-- The same calls inside luv: recognised, nothing blocks, the loop ends.

local uv = require("luv")
local core = require("batchapi.core")
local loop = require("batchapi.host")
local loopback = require("support.loopback")
local perform = require("support.perform")
local parallel = require("batchapi.host.parallel")

local server, client, context


local function get(path)
  local call, outcome = perform(context, { method = "GET", url = "http://loopback" .. path })
  assert(outcome.ok, outcome.message)
  return call:body()
end


-- Runs functions as coroutines of luv's loop until it has nothing left to do.
local function run(...)
  local finished, wanted = 0, select("#", ...)
  local watchdog = uv.new_timer()
  watchdog:start(20000, 0, function() uv.stop() end)
  watchdog:unref()
  for _, f in ipairs{ ... } do
    local ok, why = coroutine.resume(coroutine.create(function()
      f()
      finished = finished + 1
    end))
    assert(ok, why)
  end
  collectgarbage() -- nobody but the host keeps these coroutines
  uv.run()
  watchdog:close()
  uv.run("nowait") -- luv 1.44 crashes at exit when a handle is still being closed
  assert.equal(wanted, finished)
end


setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

before_each(function()
  client = assert(core.client{ unix_socket = server.socket })
  context = { core = client }
end)

after_each(function()
  client:close()
end)


describe("luv", function()
  it("is recognised inside a coroutine only", function()
    assert.equal("block", loop.host().name)
    local name
    run(function() name = loop.host().name end)
    assert.equal("luv", name)
  end)

  it("runs calls at the same time, while its timers go on", function()
    local began, ticks = core.now(), 0
    local ticker = uv.new_timer()
    ticker:start(10, 10, function() ticks = ticks + 1 end)
    local functions = {}
    for i = 1, 20 do
      functions[i] = function()
        assert.equal("0.3", get("/delay/0.3"))
        if i == 20 then
          ticker:close()
        end
      end
    end
    run((table.unpack or unpack)(functions)) -- luacheck: ignore
    assert.is_true(core.now() - began < 1.5)
    assert.is_true(ticks >= 10)
  end)

  it("makes one call after the other", function()
    local bodies = {}
    run(function()
      for i = 1, 50 do
        bodies[i] = get("/bytes/" .. i)
      end
    end)
    assert.equal(50, #bodies[50])
  end)

  it("runs batchapi.map in a coroutine", function()
    local results
    run(function()
      results = parallel.map({ 3, 2, 1 }, function(n)
        loop.sleep(0.01)
        return get("/delay/0.0" .. n)
      end)
    end)
    assert.same({ "0.03", "0.02", "0.01" }, results)
  end)

  it("sleeps", function()
    local began = core.now()
    run(function() assert.is_true(loop.sleep(0.05)) end)
    assert.is_true(core.now() - began >= 0.05)
  end)

  it("is misuse outside of a coroutine", function()
    context.host = "luv"
    assert.error(function() get("/bytes/1") end)
  end)

  it("wakes a coroutine also when a blocking call takes its report", function()
    local body
    context.host = nil
    local blocking = { core = client, host = "block" }
    run(function()
      local co_done = false
      local ok, why = coroutine.resume(coroutine.create(function()
        body = get("/delay/0.05")
        co_done = true
      end))
      assert(ok, why)
      perform(blocking, { method = "GET", url = "http://loopback/delay/0.2" })
      assert.is_false(co_done)
    end)
    assert.equal("0.05", body)
  end)
end)
