-- The headers of an answer as people meet them: cookies, repeated names, trailers.

local batchapi = require("batchapi")
local loopback = require("support.loopback")

local server, client

setup(function()
  server = loopback.start()
  client = assert(batchapi.client({ name = "echo", base_url = "http://loopback", operations = {} },
    { unix_socket = server.socket }))
end)

teardown(function()
  client:close()
  assert.equal("", server:stop())
end)

local function headers_of(wanted)
  local _, _, response = client:request{ method = "POST", path = "/headers", body = wanted }
  return response.headers
end


describe("response.headers", function()
  it("has cookies as a list, for a comma may stand within one", function()
    local one, two = "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"
    assert.same({ one, two }, headers_of{ ["Set-Cookie"] = { one, two } }["set-cookie"])
    assert.same({ two }, headers_of{ ["Set-Cookie"] = { two } }["set-cookie"])
    assert.is_nil(headers_of{ ["X-Other"] = { "x" } }["set-cookie"])
  end)

  it("joins other names that come twice", function()
    assert.equal("a, b", headers_of{ ["X-Twice"] = { "a", "b" } }["x-twice"])
  end)
end)


describe("response.trailers", function()
  it("has what came behind the body", function()
    local body, _, response = client:request{ path = "/trailer" }
    assert.equal("body", body)
    assert.same({ ["x-sum"] = "abc", ["x-took"] = "7" }, response.trailers)
    assert.is_nil(response.headers["x-sum"])
  end)

  it("is absent where nothing came", function()
    local _, _, response = client:request{ path = "/bytes/3" }
    assert.is_nil(response.trailers)
  end)
end)
