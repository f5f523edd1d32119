-- runs on: lua5.1 lua5.2 luajit
-- The same calls inside copas (Debian has it for Lua 5.1 and 5.2): recognised, nothing blocks.

local copas = require("copas")
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


-- Runs functions as copas threads until all have ended.
local function run(...)
  local running, failure = 0, nil
  for _, f in ipairs{ ... } do
    running = running + 1
    copas.addthread(function()
      copas.setErrorHandler(function(why)
        failure = why
        running = running - 1
      end)
      f()
      running = running - 1
    end)
  end
  local deadline = core.now() + 20
  while running > 0 do
    copas.step(0.1)
    assert(core.now() < deadline, "the threads did not end in time")
  end
  assert(not failure, failure)
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


describe("copas", function()
  it("is recognised inside a coroutine only", function()
    assert.equal("block", loop.host().name)
    local name
    run(function() name = loop.host().name end)
    assert.equal("copas", name)
  end)

  it("runs calls at the same time", function()
    local began, functions, bodies = core.now(), {}, {}
    for i = 1, 20 do
      functions[i] = function()
        local body = get("/delay/0.3")
        bodies[#bodies + 1] = body
      end
    end
    run(unpack(functions)) -- luacheck: ignore
    assert.equal(20, #bodies)
    assert.is_true(core.now() - began < 1.5)
  end)

  it("sleeps beside a call", function()
    local order = {}
    run(
      function()
        get("/delay/0.2")
        order[#order + 1] = "call"
      end,
      function()
        assert(loop.sleep(0.05))
        order[#order + 1] = "sleep"
      end)
    assert.same({ "sleep", "call" }, order)
  end)

  it("runs batchapi.map in a thread", function()
    local results
    run(function()
      results = parallel.map({ 3, 2, 1 }, function(n)
        loop.sleep(0.01)
        return get("/delay/0.0" .. n)
      end)
    end)
    assert.same({ "0.03", "0.02", "0.01" }, results)
  end)

  it("is misuse outside of a coroutine", function()
    context.host = "copas"
    assert.error(function() get("/bytes/1") end)
  end)
end)
