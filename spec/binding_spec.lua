-- The binding of the engine: mailboxes, clients, calls as userdata.

local core = require("batchapi.core")
local loopback = require("support.loopback")

local server, mailbox, client


local function finish(call, seconds)
  local deadline = core.now() + (seconds or 10)
  while not call:news() do
    assert(core.now() < deadline, "the call did not end")
    mailbox:wait(1)
    mailbox:drain({})
  end
  return call:outcome()
end


local function get(path, more)
  local request = { method = "GET", url = "http://loopback" .. path }
  for name, value in pairs(more or {}) do
    request[name] = value
  end
  return client:start(mailbox, request)
end


setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

before_each(function()
  mailbox = assert(core.mailbox())
  client = assert(core.client{ unix_socket = server.socket })
end)

after_each(function()
  client:close()
  mailbox:close()
end)


describe("a mailbox", function()
  it("has a descriptor and says when a call has news", function()
    assert.is_true(mailbox:fd() >= 0)
    local call = assert(get("/bytes/3"))
    assert.is_true(mailbox:wait(10))
    local ids = {}
    assert.equal(1, mailbox:drain(ids))
    assert.equal(call:id(), ids[1])
    assert.equal(0, mailbox:drain(ids))
    assert.is_false(mailbox:wait(0))
  end)

  it("may be closed twice, and its calls end", function()
    local call = assert(get("/delay/30"))
    mailbox:close()
    mailbox:close()
    assert.error(function() mailbox:fd() end)
    assert.match("closed", tostring(mailbox))
    call:release()
  end)

  it("is not what only looks like one", function()
    local metatable, impostor = debug.getmetatable(mailbox), {}
    debug.setmetatable(impostor, metatable)
    for name, method in pairs(metatable.__index) do
      assert.error(function() method(impostor) end, nil, name)
    end
    debug.setmetatable(impostor, nil)
  end)

  it("can be collected before its calls", function()
    local other = assert(core.mailbox())
    local call = assert(client:start(other, { method = "GET", url = "http://loopback/delay/30" }))
    other = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    call:cancel()
    assert.is_number(call:id())
  end)

  it("refuses a wait without an end", function()
    assert.error(function() mailbox:wait(math.huge) end)
    assert.error(function() mailbox:wait(0 / 0) end)
    assert.is_false(mailbox:wait(-1))
  end)
end)


describe("a client", function()
  it("counts what it does", function()
    finish(assert(get("/bytes/10")))
    local stats = client:stats()
    assert.equal(1, stats.requests)
    assert.equal(1, stats.attempts)
    assert.equal(1, stats.succeeded)
    assert.equal(0, stats.retries.server)
    assert.is_true(stats.bytes_received >= 10)
  end)

  it("raises for an unknown setting and names the nearest", function()
    local ok, why = pcall(core.client, { unix_sockt = "x" })
    assert.is_false(ok)
    assert.match("unknown field 'unix_sockt'; did you mean 'unix_socket'", why, 1, true)
  end)

  it("raises for a setting of the wrong type", function()
    for name, value in pairs{ proxy = 1, max_connections = -1, limits = "x", credential = {} } do
      assert.error(function() core.client{ [name] = value } end)
    end
    assert.error(function() core.client{ proxy = "a\0b" } end)
    assert.error(function() core.client{ credential = mailbox } end)
  end)

  it("raises when it is used after close, which may be called twice", function()
    client:close()
    client:close()
    assert.is_true(client:closed())
    assert.error(function() get("/bytes/1") end)
    assert.match("closed", tostring(client))
    assert.is_table(client:stats())
  end)

  it("ends calls in flight as closed", function()
    local call = assert(get("/delay/30"))
    client:close()
    assert.equal("closed", finish(call).kind)
  end)

  it("never shows a secret", function()
    local secret = "sk-very-secret"
    local credential = assert(core.credential{ kind = "bearer", token = secret })
    assert(credential:bind("http://loopback/", true))
    client = assert(core.client{ unix_socket = server.socket, credential = credential })
    local call = assert(get("/echo"))
    local outcome = finish(call)
    assert.equal("Bearer " .. secret, outcome.headers["x-authorization"])
    for _, object in ipairs{ client, call, credential, mailbox } do
      assert.is_nil(tostring(object):find(secret, 1, true))
    end
  end)

  it("hides its metatable", function()
    assert.is_string(getmetatable(client))
    assert.is_nil(client.__gc)
  end)

  it("derives one with other settings and the same limits", function()
    client = assert(core.client{
      unix_socket = server.socket, limits = { { name = "read", capacity = 1 } },
    })
    local derived = assert(client:derive{ unix_socket = server.socket, user_agent = "other" })
    local call = assert(derived:start(mailbox, {
      method = "GET", url = "http://loopback/bytes/1", weights = { read = 1 },
    }))
    assert.is_true(finish(call).ok)
    assert.equal(1, client:stats().requests)
  end)
end)


describe("a request", function()
  it("raises for an unknown field and names the nearest", function()
    local ok, why = pcall(get, "/bytes/1", { tiemout = 1 })
    assert.is_false(ok)
    assert.match("unknown field 'tiemout'; did you mean 'timeout'", why, 1, true)
  end)

  it("raises for each field of the wrong type", function()
    local fields = {
      allow_redirects = 1, body = {}, body_file = 1, body_stream = "x", code_paths = "x",
      connect_timeout = "1", final_codes = 1, headers = "x", max_body_bytes = 1.5,
      max_header_bytes = "1", max_retries = -1, no_credential = 0, parts = 1, record_attempts = 1,
      repeats = 1, stall_timeout = {}, stream = "yes", timeout = 0 / 0, to = 1, unaccepted = 429,
      weights = 1,
    }
    for name, value in pairs(fields) do
      assert.error(function() get("/bytes/1", { [name] = value }) end)
    end
    assert.error(function() client:start(mailbox, { method = "GET" }) end)
    assert.error(function() client:start(mailbox, { "GET" }) end)
    assert.error(function() get("/bytes/1", { headers = { "A: b" } }) end)
    assert.error(function() get("/bytes/1", { headers = { { "A" } } }) end)
    assert.error(function() get("/bytes/1", { unaccepted = { 1000 } }) end)
    assert.error(function() get("/bytes/1", { final_codes = { 1 } }) end)
    assert.error(function() get("/bytes/1", { weights = { read = 1 } }) end)
    assert.error(function() get("/bytes/1", { repeats = "always" }) end)
    assert.error(function() get("/bytes/1", { body = "x", body_file = "y" }) end)
    assert.error(function() get("/bytes/1", { stream = true, to = "x" }) end)
    assert.error(function() get("/bytes/1", { parts = { { name = "a" } } }) end)
    assert.error(function() get("/bytes/1", { parts = { { content = "a" } } }) end)
  end)

  it("may be prepared, and goes with a URL and a body as often as one likes", function()
    local prepared = assert(client:prepare{
      method = "POST", headers = { { "X-Sent", "yes" } }, repeats = "never_sent",
    })
    local calls = {}
    for i = 1, 3 do
      calls[i] = assert(client:start(mailbox, prepared, "http://loopback/echo", "body " .. i))
    end
    prepared = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    for i = 1, 3 do
      local outcome = finish(calls[i])
      assert.is_true(outcome.ok)
      assert.equal("yes, twice", outcome.headers["x-seen"])
      assert.equal("POST", outcome.headers["x-method"])
      assert.equal("body " .. i, calls[i]:body())
    end
  end)

  it("that is prepared sends a table as JSON, and tells why it cannot", function()
    local prepared = assert(client:prepare{ method = "POST" })
    local call, id = client:start(mailbox, prepared, "http://loopback/echo", { a = { 1, 2.5, "ü" } })
    assert.equal(call:id(), id)
    assert.is_true(finish(call).ok)
    assert.equal('{"a":[1,2.5,"ü"]}', call:body())
    local _, why, err = client:start(mailbox, prepared, "http://loopback/echo", { a = { print } })
    assert.is_nil(_)
    assert.match("a[1]", why, 1, true)
    assert.equal("invalid", err.kind)
    call = assert(client:start(mailbox, prepared, "http://loopback/echo", { b = true }))
    assert.is_true(finish(call).ok)
    assert.equal('{"b":true}', call:body())
  end)

  it("is not prepared with what differs from call to call", function()
    for _, name in ipairs{ "url", "body", "body_file", "to" } do
      local ok, why = pcall(client.prepare, client, { method = "GET", [name] = "x" })
      assert.is_false(ok)
      assert.match(name .. " cannot be prepared", why, 1, true)
    end
    assert.error(function() client:prepare{ method = "GET", stream = true } end)
    assert.error(function() client:prepare{ method = "GET", weights = {} } end)
    assert.error(function() client:prepare{} end)
    local prepared, why, err = client:prepare{ method = "GET", headers = { { "A", "b\nc" } } }
    assert.is_nil(prepared)
    assert.match("line break", why, 1, true)
    assert.equal("invalid", err.kind)
  end)

  it("that is prepared needs a URL that is one, and takes no other object", function()
    local prepared = assert(client:prepare{ method = "GET" })
    assert.error(function() client:start(mailbox, prepared) end)
    assert.error(function() client:start(mailbox, mailbox, "http://loopback/") end)
    assert.error(function() client:start(mailbox, prepared, "http://loopback/", true) end)
    for _, url in ipairs{ "ftp://loopback/", "http://loopback/a b", "http://loopback/\0" } do
      local call, _, err = client:start(mailbox, prepared, url)
      assert.is_nil(call)
      assert.equal("invalid", err.kind)
    end
  end)

  it("may use a released call again, but none that is in use", function()
    local prepared = assert(client:prepare{ method = "GET" })
    local first = assert(client:start(mailbox, prepared, "http://loopback/bytes/1"))
    local id = first:id()
    assert.error(function()
      client:start(mailbox, prepared, "http://loopback/bytes/2", nil, first)
    end)
    assert.is_true(finish(first).ok)
    first:release()
    local again = assert(client:start(mailbox, prepared, "http://loopback/bytes/2", nil, first))
    assert.is_true(rawequal(first, again))
    assert.not_equal(id, again:id())
    assert.is_true(finish(again).ok)
    assert.equal(2, #again:body())
  end)

  it("shows nothing of the one whose memory it uses", function()
    for _ = 1, 3 do
      local full = assert(get("/headers", { method = "POST", body = '{"x-old":["yes"]}' }))
      assert.equal("yes", finish(full).headers["x-old"])
      local other = assert(get("/status/500", { max_retries = 0 }))
      finish(other)
      full:release()
      other:release()
      for _ = 1, 2 do
        local call = assert(get("/delay/60"))
        call:cancel()
        local outcome = finish(call)
        assert.equal("cancelled", outcome.kind)
        assert.same({}, outcome.headers)
        assert.equal(0, outcome.status)
        assert.is_nil(outcome.http_version)
        assert.equal("", call:body())
        call:release()
      end
    end
  end)

  it("leaves nothing behind when it raises midway", function()
    for _ = 1, 100 do
      pcall(get, "/bytes/1", { body = ("x"):rep(1e5), unaccepted = { "x" } })
    end
    collectgarbage()
    assert.equal(0, client:stats().requests)
  end)

  it("refuses a header that would break the request, as a value", function()
    local call, why, err = get("/bytes/1", { headers = { { "X-Bad", "a\r\nEvil: yes" } } })
    assert.is_nil(call)
    assert.equal("invalid", err.kind)
    assert.equal(why, err.message)
    assert.is_nil((get("/bytes/1", { headers = { { "X\0", "a" } } })))
  end)

  it("sends a body from memory, and headers", function()
    local call = assert(get("/echo", {
      method = "POST", body = "a\0b", headers = { { "X-Sent", "once" } },
    }))
    local outcome = finish(call)
    assert.equal(200, outcome.status)
    assert.equal("POST", outcome.headers["x-method"])
    assert.equal("once, twice", outcome.headers["x-seen"])
    assert.equal("a\0b", call:body())
  end)

  it("reads headers, whichever were read before", function()
    math.randomseed(11)
    local values = { "a", "b", "42", ("v"):rep(128), ("v"):rep(129), ("w"):rep(600) }
    for _ = 1, 60 do
      local asked, expected = {}, {}
      for _ = 1, math.random(30) do -- of more names than the binding remembers
        local list = {}
        for i = 1, math.random(8) == 1 and 3 or 1 do
          list[i] = values[math.random(#values)]
        end
        local name = "x-" .. math.random(200)
        asked[name], expected[name] = list, table.concat(list, ", ")
      end
      local call = assert(get("/headers", { method = "POST", body = core.encode(asked) }))
      local came = {}
      for name, value in pairs(finish(call).headers) do
        came[name] = name:find("^x%-%d+$") and value or nil
      end
      assert.same(expected, came)
    end
  end)

  it("sends a file", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(("line\n"):rep(1000))
    file:close()
    local call = assert(get("/echo", { method = "POST", body_file = path }))
    finish(call)
    assert.equal(5000, #call:body())
    os.remove(path)
  end)

  it("sends parts", function()
    local call = assert(get("/echo", { method = "POST", parts = {
      { name = "purpose", content = "batch" },
      { name = "file", content = "{}", filename = "in.jsonl", type = "application/jsonl" },
    } }))
    finish(call)
    assert.match('name="purpose"', call:body(), 1, true)
    assert.match('filename="in.jsonl"', call:body(), 1, true)
  end)

  it("writes the answer into a file", function()
    local path = os.tmpname()
    local call = assert(get("/bytes/70000", { to = path }))
    local outcome = finish(call)
    assert.is_true(outcome.ok)
    assert.equal(70000, outcome.file_bytes)
    os.remove(path)
  end)
end)


describe("a call", function()
  it("gives an error answer with its code and body", function()
    local call = assert(get("/status/404", { code_paths = { "error.code" } }))
    local outcome = finish(call)
    assert.is_false(outcome.ok)
    assert.equal("http", outcome.kind)
    assert.equal(404, outcome.status)
    assert.same({ error = { code = "c", message = "m" } }, call:json())
  end)

  it("tells a body that is not JSON", function()
    local call = assert(get("/bytes/3"))
    finish(call)
    local value, why, err = call:json()
    assert.is_nil(value)
    assert.is_string(why)
    assert.equal("decode", err.kind)
  end)

  it("records its attempts", function()
    local call = assert(get("/flaky/records", { record_attempts = true, repeats = "safe" }))
    local outcome = finish(call)
    assert.equal(2, outcome.attempts)
    local first, second = call:next_attempt(), call:next_attempt()
    assert.equal(503, first.status)
    assert.is_number(first.retry_in)
    assert.equal(200, second.status)
    assert.is_nil(second.retry_in)
    assert.is_nil(call:next_attempt())
  end)

  it("can be cancelled", function()
    local call = assert(get("/delay/30"))
    call:cancel()
    call:cancel()
    assert.equal("cancelled", finish(call).kind)
  end)

  it("is cancelled when its handle is collected", function()
    local call = assert(get("/delay/30"))
    assert.is_number(call:id())
    call = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local deadline = core.now() + 10
    repeat
      finish(assert(get("/bytes/1")))
    until client:stats().in_flight == 0 or core.now() > deadline
    assert.equal(0, client:stats().in_flight)
  end)

  it("can be released, and then only says so", function()
    local call = assert(get("/bytes/1"))
    finish(call)
    call:release()
    call:release()
    assert.error(function() call:body() end)
    assert.match("released", tostring(call))
  end)

  it("ends at its deadline", function()
    local outcome = finish(assert(get("/delay/30", { timeout = 0.2 })))
    assert.equal("timeout", outcome.kind)
    assert.is_true(outcome.elapsed < 5)
  end)

  it("streams its answer", function()
    local call = assert(get("/drip/5", { stream = true }))
    local text, deadline = "", core.now() + 10
    repeat
      local bytes = call:read()
      text = text .. (bytes or "")
      local done = call:news()
      if not bytes and not done then
        mailbox:wait(1)
        mailbox:drain({})
      end
      assert(core.now() < deadline, "the stream did not end")
    until done and not bytes
    assert.equal('{"line":1}\n{"line":2}\n{"line":3}\n{"line":4}\n{"line":5}\n', text)
  end)

  it("refuses a position outside of the bytes it is given", function()
    local call = assert(get("/echo", { method = "POST", body_stream = { length = 3 } }))
    assert.error(function() call:write("abc", 5) end)
    assert.error(function() call:write("abc", 0) end)
    assert.error(function() call:write("abc", 1.5) end)
    call:cancel()
  end)
end)


describe("the process", function()
  it("has clocks, a number and versions", function()
    local now = core.now()
    assert.is_true(core.now() >= now)
    assert.is_true(math.abs(core.wall() - os.time()) < 5)
    assert.is_true(core.pid() > 1)
  end)

  it("tells the versions it was built with, those it runs with, and what libcurl can do", function()
    local versions = core.versions()
    for _, name in ipairs({ "libcurl", "openssl", "zlib" }) do
      assert.matches("^%d+%.%d+", versions[name].built)
      assert.matches("^%d+%.%d+", versions[name].running)
    end
    assert.matches("libcurl/" .. versions.libcurl.running:gsub("%p", "%%%0"), versions.made_of)
    for _, name in ipairs({ "http2", "brotli", "zstd", "unix_sockets", "https_proxy", "async_dns" }) do
      assert.is_boolean(versions.features[name])
    end
  end)

  it("names the boot, and counts from it on for all processes alike", function()
    local id, seconds = core.boot()
    assert.matches("^%x+%-", id)
    local again, later = core.boot()
    assert.equal(id, again)
    assert.is_true(later >= seconds and later - seconds < 5)
    local command = [[%s -e 'package.cpath = "%s" io.write(require("batchapi.core").boot())']]
    local pipe = io.popen(command:format(os.getenv("BATCHAPI_LUA") or "lua5.4", package.cpath))
    local told = pipe:read("*a")
    pipe:close()
    assert.equal(id, told:sub(1, #id))
    assert.is_true(tonumber(told:sub(#id + 1)) >= seconds)
  end)

  it("reads dates as HTTP writes them", function()
    assert.equal(784111777, core.http_date("Sun, 06 Nov 1994 08:49:37 GMT"))
    assert.is_nil(core.http_date("1994-11-06"))
    assert.error(function() core.http_date() end)
  end)

  it("lends timers to event loops", function()
    local timer = assert(core.timer(0))
    assert.is_true(timer:fd() >= 0)
    local deadline = core.now() + 5
    local expired
    repeat
      expired = timer:expired()
    until expired or core.now() > deadline
    assert.is_true(expired)
    timer:close()
    timer:close()
    assert.error(function() timer:fd() end)
    assert.error(function() core.timer(-1) end)
  end)
end)
