-- A stream that is broken off gives its place back at once; its client goes on.

local batchapi = require("batchapi")
local loopback = require("support.loopback")

local server, client

setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

before_each(function()
  client = assert(batchapi.client({ name = "drip", base_url = "http://loopback", operations = {
    { name = "drip", method = "GET", path = "/drip/{count}", parameters = { { "count", "integer" } }, answer = "jsonl" },
  } }, { unix_socket = server.socket, max_connections = 1, timeout = 20 }))
end)

after_each(function()
  client:close()
end)

-- One place only: a call goes through when the stream has given it back, without a collection.
local function place_is_free()
  collectgarbage("stop")
  local answer, why = client:request{ path = "/bytes/3" }
  collectgarbage("restart")
  return assert(answer, why) == "xxx"
end


describe("a stream", function()
  it("that is closed gives its place back, and ends", function()
    local lines = client:lines("drip", 100000)
    assert.equal(1, lines:next().line)
    assert.equal(2, lines:next().line)
    lines:close()
    assert.is_true(place_is_free())
    assert.is_nil(lines:next())
    lines:close()
    assert.is_true(place_is_free())
  end)

  it("that is closed before its first line begins nothing", function()
    local lines, before = client:lines("drip", 100000), client:stats().requests
    lines:close()
    assert.is_nil(lines:next())
    assert.equal(before, client:stats().requests)
  end)

  it("that a for leaves is closed by its name", function()
    local lines = client:lines("drip", 100000)
    for value in lines do
      if value.line == 3 then
        break
      end
    end
    lines:close()
    assert.is_true(place_is_free())
  end)

  it("ends with its variable where Lua can close one", function()
    local compile = rawget(_G, "loadstring") or load
    local run = compile("local open = ... do local lines <close> = open() assert(lines:next().line == 1) end")
    if not run then
      return -- Lua before 5.4
    end
    run(function()
      return client:lines("drip", 100000)
    end)
    assert.is_true(place_is_free())
  end)
end)
