-- runs on: lua5.4 luajit
-- What belongs to an origin stays there, wherever an answer points.

local batchapi = require("batchapi")
local sandbox = require("support.sandbox")

local CA = os.getenv("BATCHAPI_SANDBOX_CA")
local TLS, MTLS = os.getenv("BATCHAPI_SANDBOX_TLS_URL"), os.getenv("BATCHAPI_SANDBOX_MTLS_URL")
local HERE, OTHER = os.getenv("BATCHAPI_SANDBOX_URL"), os.getenv("BATCHAPI_SANDBOX_OTHER_URL")

before_each(sandbox.reset)


local function client_of(base_url, options)
  options = options or {}
  options.ca_file, options.max_retries = CA, 0
  options.api_key = os.getenv("OPENAI_API_KEY")
  return assert(batchapi.client({
    name = "files", base_url = base_url .. "/v1", auth = { { kind = "bearer", option = "api_key" } },
    operations = { { name = "fetch", method = "GET", path = "/files", redirects = true } },
  }, options))
end

local function redirect_to(place)
  sandbox.faults{ { match = { path = "/v1/files", nth = 1 }, fault = { type = "redirect", to = place } } }
end


describe("a client certificate", function()
  local function certified(base_url)
    return client_of(base_url, { client_cert = os.getenv("BATCHAPI_SANDBOX_CLIENT_CERT"),
      client_key = os.getenv("BATCHAPI_SANDBOX_CLIENT_KEY") })
  end

  -- The server at MTLS lets nobody in without one: nginx answers 400, and the page says why.
  local function is_unknown(answer, err)
    assert.is_nil(answer)
    assert.equal(400, err.status)
    assert.matches("certificate", err.body)
  end

  it("is shown at the client's own origin", function()
    assert(certified(MTLS):fetch())
  end)

  it("is not shown at another origin that a whole URL names", function()
    local answer, _, err = certified(TLS):request{ path = MTLS .. "/v1/files" }
    is_unknown(answer, err)
  end)

  it("is not shown where a redirect leads", function()
    local client = certified(TLS)
    assert(client:fetch()) -- its connections are there
    redirect_to(MTLS .. "/v1/files")
    local answer, _, err = client:fetch()
    is_unknown(answer, err)
  end)
end)


describe("a redirect", function()
  local function headers_of(client)
    client:fetch()
    return sandbox.last().headers, sandbox.last().n
  end

  it("takes no credential out of its URL, at the same origin or another", function()
    for _, place in ipairs{ HERE, OTHER } do
      redirect_to((place:gsub("://", "://someone:word@")) .. "/v1/files?there=1")
      local headers, n = headers_of(client_of(HERE))
      assert.equal(2, n, place) -- it was followed
      assert.is_nil((headers.authorization or ""):find("Basic", 1, true), place)
      sandbox.reset()
    end
  end)

  it("does not bring the key to another origin, and does to its own", function()
    redirect_to(OTHER .. "/v1/files")
    assert.is_nil(headers_of(client_of(HERE)).authorization)
    sandbox.reset()
    redirect_to(HERE .. "/v1/files?there=1")
    assert.is_string(headers_of(client_of(HERE)).authorization)
  end)
end)


describe("a refusal of a signed assertion", function()
  it("names how far apart the clocks are", function()
    for seconds, said in pairs{ [-3600] = "clock is 3600 s ahead of", [3600] = "clock is 3600 s behind" } do
      sandbox.faults{ { match = { path = "/as/token.oauth2" }, fault = { type = "status", status = 401,
        headers = { Date = os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds) },
        body = { error = "invalid_client" } } } }
      local client = assert(batchapi.factset{ app_config = os.getenv("BATCHAPI_SANDBOX_APP_CONFIG"), max_retries = 0 })
      local answer, why, err = client:get_batch_status("1")
      assert.is_nil(answer)
      assert.equal("auth", err.kind)
      local close = why:gsub("3599", "3600"):gsub("3601", "3600") -- a second may pass
      assert.matches(said, close, 1, true)
    end
  end)

  it("says nothing of clocks that agree", function()
    sandbox.faults{ { match = { path = "/as/token.oauth2" }, fault = { type = "status", status = 401,
      body = { error = "invalid_client" } } } }
    local client = assert(batchapi.factset{ app_config = os.getenv("BATCHAPI_SANDBOX_APP_CONFIG"), max_retries = 0 })
    local _, why = client:get_batch_status("1")
    assert.is_nil(why:find("clock", 1, true))
  end)
end)
