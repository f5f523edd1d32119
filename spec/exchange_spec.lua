-- One request from start to end: hooks, tokens, produced bodies, streams, in a script.

local core = require("batchapi.core")
local exchange = require("batchapi.call.send")
local loopback = require("support.loopback")
local loop = require("batchapi.host")
local run = require("support.perform")

local server, client


local function perform(path, fields, context)
  local request = { method = "GET", url = "http://loopback" .. path }
  for name, value in pairs(fields or {}) do
    request[name] = value
  end
  context = context or {}
  context.core = context.core or client
  return run(context, request)
end


local function with_credential(description)
  local credential = assert(core.credential(description))
  assert(credential:bind("http://loopback/", true))
  return assert(core.client{ unix_socket = server.socket, credential = credential })
end


setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

before_each(function()
  client = assert(core.client{ unix_socket = server.socket })
end)

after_each(function()
  client:close()
end)


describe("exchange.run", function()
  it("gives the call and its outcome", function()
    local call, outcome = perform("/bytes/5")
    assert.is_true(outcome.ok)
    assert.equal("xxxxx", call:body())
  end)

  it("gives an outcome also when the call could not begin", function()
    local call, outcome = perform("/bytes/5", { headers = { { "A", "\n" } } })
    assert.is_nil(call)
    assert.is_false(outcome.ok)
    assert.equal("invalid", outcome.kind)
    assert.equal(0, outcome.attempts)
    assert.is_false(outcome.maybe_sent)
  end)

  it("raises for a field of the context that is not known", function()
    assert.error(function() perform("/bytes/5", nil, { on_requst = print }) end)
  end)

  it("raises on a closed client", function()
    client:close()
    assert.error(function() perform("/bytes/1") end)
  end)

  it("raises for a host that is not known", function()
    local ok, why = pcall(perform, "/bytes/1", nil, { host = "libuv" })
    assert.is_false(ok)
    assert.match("unknown host 'libuv'", why, 1, true)
    if not rawget(_G, "ngx") then
      ok, why = pcall(loop.host, "openresty")
      assert.is_false(ok)
      assert.match("host 'openresty' cannot be used here: ", why, 1, true)
      assert.is_nil(why:find("\n"))
    end
  end)
end)


describe("on_request", function()
  it("sees each attempt", function()
    local seen = {}
    perform("/flaky/exchange", { repeats = "safe" }, { on_request = function(attempt)
      seen[#seen + 1] = attempt.status
    end })
    assert.same({ 503, 200 }, seen)
  end)

  it("raises at the call, which is cancelled", function()
    local ok, why = pcall(perform, "/flaky/raises", { repeats = "safe" }, { on_request = function()
      error("no such hook", 0)
    end })
    assert.is_false(ok)
    assert.equal("no such hook", why)
    assert.is_true((select(2, perform("/bytes/1"))).ok)
  end)
end)


describe("a token function", function()
  it("is asked once for calls that follow", function()
    client = with_credential{ kind = "function" }
    local asked = 0
    local context = { token = function()
      asked = asked + 1
      return "token-" .. asked, 60
    end }
    for _ = 1, 3 do
      local _, outcome = perform("/echo", nil, context)
      assert.equal("Bearer token-1", outcome.headers["x-authorization"])
    end
    assert.equal(1, asked)
  end)

  it("that gives nil and why fails the call with that reason", function()
    client = with_credential{ kind = "function" }
    local _, outcome = perform("/echo", nil, { token = function() return nil, "vault sealed" end })
    assert.equal("auth", outcome.kind)
    assert.match("vault sealed", outcome.message, 1, true)
  end)

  it("that raises, raises at the call", function()
    client = with_credential{ kind = "function" }
    local ok, why = pcall(perform, "/echo", nil, { token = function() error("boom", 0) end })
    assert.is_false(ok)
    assert.equal("boom", why)
  end)

  it("that gives something else is misuse", function()
    client = with_credential{ kind = "function" }
    assert.error(function() perform("/echo", nil, { token = function() return 42 end }) end)
    client = with_credential{ kind = "function" }
    assert.error(function() perform("/echo", nil, { token = function() return "t", "60" end }) end)
  end)

  it("may make calls itself", function()
    local plain = client
    client = with_credential{ kind = "function" }
    local _, outcome = perform("/echo", nil, { token = function()
      return (perform("/bytes/4", nil, { core = plain })):body()
    end })
    assert.equal("Bearer xxxx", outcome.headers["x-authorization"])
  end)
end)


describe("a produced body", function()
  local function producer(count, chunk)
    return function()
      local at = 0
      return function()
        at = at + 1
        return at <= count and chunk or nil
      end
    end
  end

  it("is sent in pieces, larger than any buffer", function()
    local chunk = ("0123456789"):rep(20000)
    local call, outcome = perform("/echo", { method = "POST", body_producer = producer(12, chunk) })
    assert.is_true(outcome.ok, outcome.message)
    assert.equal(chunk:rep(12), call:body())
  end)

  it("is sent with a length", function()
    local call, outcome = perform("/echo", {
      method = "POST", body_producer = producer(3, "abc"), body_length = 9,
    })
    assert.is_true(outcome.ok, outcome.message)
    assert.equal("abcabcabc", call:body())
  end)

  it("is whole when the attempt is repeated", function()
    for round = 1, 20 do
      local call, outcome = perform("/flaky/producer" .. round, {
        method = "POST", repeats = "safe", body_producer = producer(3, ("abc"):rep(round * 50)),
      })
      assert.is_true(outcome.ok, outcome.message)
      assert.equal(2, outcome.attempts)
      assert.equal(("abc"):rep(round * 150), call:body())
      call:release()
    end
  end)

  it("that fails ends the call and says why", function()
    local _, outcome = perform("/echo", { method = "POST", body_producer = function()
      return function() return nil, "the disk is gone" end
    end })
    assert.is_false(outcome.ok)
    assert.match("the disk is gone", outcome.message, 1, true)
  end)

  it("that raises, raises at the call", function()
    local ok, why = pcall(perform, "/echo", { method = "POST", body_producer = function()
      return function() error("boom", 0) end
    end })
    assert.is_false(ok)
    assert.equal("boom", why)
  end)

  it("that gives no strings is misuse", function()
    assert.error(function()
      perform("/echo", { method = "POST", body_producer = function() return function() return 1 end end })
    end)
    assert.error(function()
      perform("/echo", { method = "POST", body_producer = function() return nil end })
    end)
  end)
end)


describe("exchange.open", function()
  local function open(path, fields)
    local request = { method = "GET", url = "http://loopback" .. path }
    for name, value in pairs(fields or {}) do
      request[name] = value
    end
    return exchange.open({ core = client }, request)
  end

  it("gives the answer piece by piece", function()
    local stream = assert(open("/drip/5"))
    local text, pieces = "", 0
    local bytes, final = stream:read()
    while bytes do
      text, pieces = text .. bytes, pieces + 1
      bytes, final = stream:read()
    end
    assert.is_true(final.ok)
    assert.equal(55, #text)
    assert.is_true(pieces > 1)
  end)

  it("lets a splitter take the lines", function()
    local stream, lines = assert(open("/drip/7")), core.lines{}
    local numbers = {}
    while stream:read_into(lines) do
      local value = lines:json()
      while value do
        numbers[#numbers + 1] = value.line
        value = lines:json()
      end
    end
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, numbers)
  end)

  it("gives the outcome of an error answer, and its body", function()
    local stream, outcome, call = open("/status/429", { max_retries = 0 })
    assert.is_nil(stream)
    assert.equal("rate_limit", outcome.kind)
    assert.match('"error"', call:body(), 1, true)
  end)

  it("reads more than the engine's buffer holds", function()
    local stream = assert(open("/bytes/5000000"))
    local length = 0
    local bytes = stream:read()
    while bytes do
      length = length + #bytes
      bytes = stream:read()
    end
    assert.equal(5000000, length)
  end)

  it("can be closed before its end", function()
    local stream = assert(open("/drip/1000"))
    stream:close()
    local bytes, final
    repeat
      bytes, final = stream:read()
    until not bytes
    assert.equal("cancelled", final.kind)
  end)
end)


describe("a script", function()
  it("sleeps", function()
    local began = core.now()
    assert.is_true(loop.sleep(0.05))
    assert.is_true(core.now() - began >= 0.05)
  end)

  it("is never about to exit", function()
    assert.is_false(loop.exiting())
  end)

  it("can be interrupted in a wait, and the engine goes on", function()
    local lua = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write(([[
      local core = require("batchapi.core")
      local exchange = require("batchapi.call.send")
      local context = { core = core.client{ unix_socket = %q } }
      local began = core.now()
      print(pcall(exchange.run, context,
        { method = "GET", url = "http://loopback/interrupt/" .. core.pid() }))
      print(core.now() - began < 5)
      local call = exchange.run(context, { method = "GET", url = "http://loopback/bytes/3" })
      print(call:outcome().status, call:body(), context.core:stats().in_flight)
    ]]):format(server.socket))
    file:close()
    local build = os.getenv("BATCHAPI_BUILD") or "build"
    local pipe = assert(io.popen(("LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='%s/lib/?.so;;' timeout 20 %s %s 2>&1")
      :format(build, lua, script)))
    local output = pipe:read("*a")
    pipe:close()
    os.remove(script)
    assert.match("^false\t.-interrupted!", output)
    assert.match("\ntrue\n200\txxx\t0\n", output)
  end)
end)
