-- The same calls inside cqueues: recognised, nothing blocks, the loop ends.

local cqueues = require("cqueues")
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


-- Runs functions as coroutines of one controller; raises what one of them raised.
local function run(...)
  local controller = cqueues.new()
  for _, f in ipairs{ ... } do
    controller:wrap(f)
  end
  local ok, why = controller:loop(20)
  assert(ok, why)
  assert(controller:empty(), "the controller did not end in time")
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


describe("cqueues", function()
  it("is recognised inside a controller's coroutine only", function()
    assert.equal("block", loop.host().name)
    local name
    run(function() name = loop.host().name end)
    assert.equal("cqueues", name)
  end)

  it("runs calls at the same time, while others of its coroutines go on", function()
    local began, ticks, running = core.now(), 0, 20
    local functions = {}
    for i = 1, 20 do
      functions[i] = function()
        assert.equal("0.3", get("/delay/0.3"))
        running = running - 1
      end
    end
    functions[21] = function()
      while running > 0 do
        cqueues.sleep(0.01)
        ticks = ticks + 1
      end
    end
    run((table.unpack or unpack)(functions)) -- luacheck: ignore
    assert.is_true(core.now() - began < 1.5)
    assert.is_true(ticks >= 10)
  end)

  it("hands on the lead when the leader's call ends first", function()
    local order = {}
    local function call(seconds)
      return function()
        local body = get("/delay/" .. seconds)
        order[#order + 1] = body
      end
    end
    run(call("0.05"), call("0.25"), call("0.15"))
    assert.same({ "0.05", "0.15", "0.25" }, order)
  end)

  it("serves several controllers, one within the other", function()
    local inner = cqueues.new()
    local results = {}
    inner:wrap(function() results[1] = get("/delay/0.1") end)
    run(
      function() assert(inner:loop()) end,
      function() results[2] = get("/delay/0.15") end)
    assert.same({ "0.1", "0.15" }, results)
  end)

  it("runs batchapi.map in one of its coroutines", function()
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

  it("is misuse outside of a controller", function()
    context.host = "cqueues"
    assert.error(function() get("/bytes/1") end)
  end)

  it("can be overridden", function()
    context.host = "block"
    local body
    run(function() body = get("/bytes/1") end)
    assert.equal("x", body)
  end)
end)
