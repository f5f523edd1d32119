-- What a call of the core came to is asked for too early, or of a client that cannot have it.

local core = require("batchapi.core")
local loopback = require("support.loopback")

local server, mailbox, client

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


describe("a call that has not ended", function()
  it("gives neither body nor outcome, for the I/O thread still writes them", function()
    local call = assert(client:start(mailbox, { method = "GET", url = "http://loopback/delay/5" }))
    for _, name in ipairs{ "body", "json", "outcome" } do
      local ok, why = pcall(call[name], call)
      assert.is_false(ok)
      assert.matches("the call has not ended", why, 1, true)
    end
    local ok, why = pcall(call.answer, call, { {}, {}, {}, {} })
    assert.is_false(ok)
    assert.matches("the call has not ended", why, 1, true)
    call:cancel()
    while not call:news() do
      assert.is_true(mailbox:wait(10))
      mailbox:drain({})
    end
    assert.equal("cancelled", call:outcome().kind)
    assert.equal("", call:body())
  end)

  it("is seen to have ended without its news being asked for", function()
    local call = assert(client:start(mailbox, { method = "GET", url = "http://loopback/bytes/3" }))
    assert.is_true(mailbox:wait(10))
    assert.equal(3, #call:body())
  end)
end)


describe("a derived client", function()
  it("is refused limits of its own: they are shared", function()
    assert.has_error(function()
      client:derive{ limits = { { name = "read", capacity = 1 } } }
    end, "settings: limits are shared with the client that this one is derived from")
  end)
end)
