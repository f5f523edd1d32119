-- A public way for any event loop: a host of the user's own, and calls without coroutines.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local loop = require("batchapi.host")
local loopback = require("support.loopback")
local program = require("support.program")

local server

local operations = {
  { name = "get", method = "GET", path = "/bytes/{n}", parameters = { { "n", "integer", min = 1 } }, answer = "bytes" },
  { name = "slow", method = "GET", path = "/delay/{n}", parameters = { { "n", "string" } }, answer = "bytes" },
}


local function client_of(options)
  options.unix_socket = server.socket
  return assert(batchapi.client({
    name = "loopback", base_url = "http://loopback", auth = "none", operations = operations,
  }, options))
end


-- An event loop of few lines, as a user would write it: it waits for the descriptor and for timers.
local function new_loop()
  local self = { timers = {}, ready = {}, count = 0, names = {} }
  local host = { name = "mine" }

  function host.waiter()
    local waiter = {}
    function waiter.wait(_, seconds)
      waiter.co = coroutine.running()
      if seconds then
        self.timers[waiter] = core.now() + seconds
      end
      coroutine.yield()
      self.timers[waiter] = nil
    end
    function waiter.wake()
      self.ready[#self.ready + 1] = waiter
    end
    return waiter
  end

  function self.go(f)
    self.count = self.count + 1
    self.ready[#self.ready + 1] = { co = coroutine.create(function()
      f()
      self.count = self.count - 1
    end) }
  end

  local function resume_ready()
    local now, ready = core.now(), self.ready
    self.ready = {}
    for waiter, at in pairs(self.timers) do
      if at <= now then
        ready[#ready + 1] = waiter
      end
    end
    for _, waiter in ipairs(ready) do
      local co = waiter.co
      waiter.co = nil
      if co then
        assert(coroutine.resume(co))
      end
    end
  end

  function self.run()
    local deadline = core.now() + 20
    while self.count > 0 do
      assert(core.now() < deadline, "the loop did not end")
      if not next(self.ready) then
        assert(loop.mailbox()):wait(0.01) -- a real one polls batchapi.fd() beside its own
      end
      batchapi.pump()
      resume_ready()
    end
  end

  return self, host
end


setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)


describe("host = { waiter }", function()
  it("runs calls of many coroutines at once", function()
    local own, host = new_loop()
    local client = client_of{ host = host, max_connections = 100 }
    local began, bodies = core.now(), {}
    for i = 1, 50 do
      own.go(function()
        bodies[i] = assert(client:slow("0.3"))
      end)
    end
    own.go(function()
      loop.sleep(0.1, host)
      collectgarbage() -- nobody but the host keeps the others
      collectgarbage()
    end)
    own.run()
    assert.equal(50, #bodies)
    assert.is_true(core.now() - began < 3)
    client:close()
  end)

  it("holds in map, parallel and whatever runs in them", function()
    local own, host = new_loop()
    local client = client_of{ host = host }
    local lengths, first, second
    own.go(function()
      lengths = batchapi.map({ 3, 1, 2 }, function(n)
        return #assert(client:get(n))
      end, { host = host })
      first, second = batchapi.parallel({ host = host },
        function() return client:get(1) end,
        function() return client:get(2) end)
    end)
    own.run()
    assert.same({ 3, 1, 2 }, lengths)
    assert.equal("x", first)
    assert.equal("xx", second)
    client:close()
  end)

  it("sleeps with its waiter, or with a sleep of its own", function()
    local own, host = new_loop()
    local slept
    own.go(function() assert.is_true(loop.sleep(0.02, host)) end)
    own.run()
    host = { waiter = host.waiter, sleep = function(seconds) slept = seconds end }
    own.go(function() assert.is_true(loop.sleep(0.5, host)) end)
    own.run()
    assert.equal(0.5, slept)
  end)

  it("asks check() before anything is sent", function()
    local own, host = new_loop()
    host.check = function() error("not here", 0) end
    local client = client_of{ host = host }
    local why
    own.go(function()
      local co = coroutine.create(function() client:get(1) end)
      why = select(2, coroutine.resume(co))
    end)
    own.run()
    assert.equal("not here", why)
    assert.equal(0, client:stats().requests)
    client:close()
  end)

  it("refuses what is no host, by name", function()
    local function refusal(host)
      local ok, why = pcall(client_of, { host = host })
      assert.is_false(ok)
      return why
    end
    assert.match("host: option waiter is missing", refusal{}, 1, true)
    assert.match("host: option waiter must be a function, got a number", refusal{ waiter = 1 }, 1, true)
    assert.match("host has no option 'waitr'; did you mean 'waiter'?", refusal{ waitr = print }, 1, true)
    assert.match("option host must be one of auto, block, openresty", refusal("nginx"), 1, true)
    assert.match("must be a string or a table", refusal(1), 1, true)
  end)
end)


describe("client:start", function()
  local client

  before_each(function()
    client = client_of{ host = "block" }
  end)

  after_each(function()
    client:close()
  end)

  -- What a program without coroutines does in each of its turns.
  local function pump_until(over)
    local deadline = core.now() + 10
    while not over() do
      assert(core.now() < deadline, "nothing came")
      assert(loop.mailbox()):wait(0.01)
      batchapi.pump()
    end
  end

  it("gives the callback what the method would return", function()
    local body, response
    local started = assert(client:start("get", 3, function(value, _, extra)
      body, response = value, extra
    end))
    assert.is_nil(body)
    assert.is_false(started:ended())
    pump_until(function() return body end)
    assert.equal("xxx", body)
    assert.equal(200, response.status)
    assert.is_true(started:ended())
    assert.equal(0, batchapi.pump())
  end)

  it("runs many at once", function()
    local began, ended = core.now(), 0
    for _ = 1, 30 do
      client:start("slow", "0.3", function(value)
        assert(value)
        ended = ended + 1
      end)
    end
    pump_until(function() return ended == 30 end)
    assert.is_true(core.now() - began < 3)
  end)

  it("tells a refused value through the callback, misuse at the caller's line", function()
    local kind
    client:start("get", 0, function(_, _, err) kind = err.kind end)
    pump_until(function() return kind end)
    assert.equal("invalid", kind)
    local ok, why = pcall(function() client:start("gte", 1, print) end)
    assert.is_false(ok)
    assert.match("^spec/hosts/own_loop_spec.lua:%d+: .*no operation 'gte'", why)
    ok, why = pcall(function() client:start("get", 1) end)
    assert.is_false(ok)
    assert.match("own_loop_spec.lua:%d+: start: the last argument must be the callback", why)
  end)

  it("can be cancelled, before it began and after", function()
    local kinds = {}
    local function note(_, _, err) kinds[#kinds + 1] = err and err.kind or "none" end
    local first = client:start("slow", "20", note)
    assert.is_true(batchapi.cancel(first))
    local second = client:start("slow", "20", note)
    batchapi.pump()
    assert.is_true(second:cancel())
    pump_until(function() return #kinds == 2 end)
    assert.same({ "cancelled", "cancelled" }, kinds)
    assert.is_false(second:cancel())
  end)

  it("raises in pump() what a callback raises, and the others go on", function()
    local seen = false
    client:start("get", 1, function() error("from the callback", 0) end)
    client:start("get", 1, function() seen = true end)
    local ok, why = pcall(pump_until, function() return false end)
    assert.is_false(ok)
    assert.equal("from the callback", why)
    pump_until(function() return seen end)
  end)

  it("may be used, and pumped, within a callback", function()
    local body
    client:start("get", 1, function()
      assert.equal(1, batchapi.pump())
      client:start("get", 2, function(value) body = value end)
    end)
    pump_until(function() return body end)
    assert.equal("xx", body)
  end)
end)


describe("fd, pump and next_timeout", function()
  it("say when there is something to do", function()
    assert.is_number(batchapi.fd())
    assert.equal(batchapi.fd(), batchapi.fd())
    batchapi.pump()
    assert.is_nil(batchapi.next_timeout())
    local over = false
    assert(batchapi.defer(function()
      loop.sleep(0.05)
      over = true
    end))
    assert.equal(0, batchapi.next_timeout())
    assert.equal(1, batchapi.pump())
    local left = batchapi.next_timeout()
    assert.is_true(left > 0 and left <= 0.05)
    while not over do
      batchapi.pump()
    end
    assert.is_nil(batchapi.next_timeout())
  end)
end)


describe("a coroutine of an unknown loop", function()
  local script = [[
    local batchapi = require("batchapi")
    local client = assert(batchapi.client({ name = "nobody", base_url = "http://127.0.0.1:1", auth = "none",
      operations = { { name = "get", method = "GET", path = "/" } } }, { max_retries = 0, host = HOST }))
    client:get()
    for _ = 1, 3 do coroutine.wrap(function() client:get() end)() end
    print("done")
  ]]

  it("is told once that its calls block", function()
    local said = program.said((script:gsub("HOST", "nil")))
    local _, count = said:gsub("batchapi: this coroutine belongs to no event loop", "")
    assert.equal(1, count)
    assert.match("done", said)
  end)

  it("is told nothing when that is meant", function()
    assert.equal("done\n", program.said((script:gsub("HOST", '"block"'))))
  end)
end)
