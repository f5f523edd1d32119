-- What a credential refuses, and where it does not go. Each refusal has an error of its own, and
-- nothing was sent.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local sandbox = require("support.oauth")

local key = os.getenv("OPENAI_API_KEY")

local function openai(options)
  local given = { api_key = key, timeout = 10 }
  for name, value in pairs(options or {}) do
    given[name] = value or nil
  end
  return batchapi.openai(given)
end

local function nothing_was_sent()
  assert.equal(0, #sandbox.log())
end

local function refused(kind, code, words, client, why, err)
  assert.is_nil(client)
  assert.equal(kind, err.kind)
  assert.equal(code, err.code)
  assert.truthy(why:find(words, 1, true), why)
  nothing_was_sent()
end


describe("a credential", function()
  before_each(sandbox.reset)

  it("with a line break or a NUL in it is refused", function()
    refused("invalid", "control_character", "a carriage return", openai{ api_key = "sk-1\r\nX-Evil: 1" })
    refused("invalid", "control_character", "a line feed", openai{ api_key = "sk-1\n" })
    refused("invalid", "control_character", "a NUL byte", openai{ api_key = "sk-1\0" })
    refused("invalid", "control_character", "user name", batchapi.factset{ username = "a\nb", api_key = "k" })
    refused("invalid", "colon", "colon", batchapi.factset{ username = "a:b", api_key = "key" })
  end)

  it("given by a token function is refused when it has a line break in it", function()
    local client = assert(openai{ api_key = false, token = function()
      return "sk-1\r\nX-Evil: 1"
    end })
    local answer, why, err = client:list_batches()
    assert.is_nil(answer)
    assert.equal("invalid", err.kind)
    assert.truthy(why:find("carriage return", 1, true), why)
    nothing_was_sent()
  end)

  it("is not sent over plain http to another machine", function()
    refused("invalid", "insecure", "plain http", openai{ base_url = "http://api.example.com/v1" })
    assert(openai{ base_url = "http://api.example.com/v1", allow_insecure = true })
    local far = { clientId = "x", wellKnownUri = "http://auth.example.com/c",
      jwk = assert(core.decode(sandbox.read(sandbox.app_config))).jwk }
    refused("invalid", "insecure", "discovery document",
      batchapi.factset{ app_config = far, base_url = sandbox.url })
  end)

  -- A service whose operation follows redirects: none of the shipped ones does.
  local function follower(base_url)
    return assert(batchapi.client({
      name = "mine", base_url = base_url .. "/v1", auth = { { kind = "bearer", option = "api_key" } },
      operations = { { name = "follow", method = "GET", path = "/files", redirects = true } },
    }, { api_key = key, timeout = 10, ca_file = os.getenv("BATCHAPI_SANDBOX_CA") }))
  end

  local function redirect(from, to)
    sandbox.faults{ { match = { path = "/v1/files", port = tonumber(from:match("%d+$")) }, times = 1,
      fault = { type = "redirect", to = to } } }
  end

  it("goes with a redirect to the same origin", function()
    redirect(sandbox.url, "same")
    assert(follower(sandbox.url):follow())
  end)

  it("does not go with a redirect to another origin", function()
    redirect(sandbox.url, "other")
    local answer, _, err = follower(sandbox.url):follow()
    assert.is_nil(answer)
    assert.equal(401, err.status) -- the other origin was asked without it
    local log = sandbox.log()
    assert.equal(2, #log)
    assert.truthy(log[1].headers.authorization)
    assert.is_nil(log[2].headers.authorization)
  end)

  it("does not go with a redirect from https to http, not even to the same host", function()
    local tls = os.getenv("BATCHAPI_SANDBOX_TLS_URL")
    redirect(tls, sandbox.url)
    local answer = follower(tls):follow()
    assert.is_nil(answer)
    local log = sandbox.log()
    assert.truthy(log[1].tls and log[1].headers.authorization)
    for i = 2, #log do
      assert.is_nil(log[i].headers.authorization)
    end
  end)

  it("does not follow a redirect where the service has none", function()
    redirect(sandbox.url, "other")
    local answer, _, err = assert(openai()):retrieve_file("file-1")
    assert.is_nil(answer)
    assert.equal(307, err.status)
    assert.equal(1, #sandbox.log())
  end)

  it("does not go with a request to a whole URL of another origin", function()
    local client = assert(openai())
    client:request{ path = sandbox.other_url .. "/v1/batches" }
    client:request{ path = sandbox.url .. "/v1/batches" }
    local log = sandbox.log()
    assert.equal(2, #log)
    assert.is_nil(log[1].headers.authorization)
    assert.truthy(log[2].headers.authorization)
  end)

  it("stays with its origin when a client is derived for another", function()
    local client = assert(openai())
    local derived = client:with{ base_url = sandbox.other_url .. "/v1" }
    if derived then -- a client of its own, with the key from the environment or none
      assert.not_equal(client._credential, derived._credential)
    end
    assert.is_false(client._credential:allows(sandbox.other_url .. "/v1/batches"))
  end)

  it("can be read from a file, and then never is a Lua string", function()
    local path = sandbox.write(key .. "\n")
    local client = assert(openai{ api_key = false, api_key_file = path })
    os.remove(path)
    assert(client:list_batches())
    local none, why, err = openai{ api_key = false, api_key_file = "/nonexistent/key" }
    assert.is_nil(none)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.truthy(why:find("api_key_file /nonexistent/key", 1, true), why)
  end)

  it("in a file that others may read is told through the hook, once", function()
    local path = sandbox.write(key, "644")
    local warnings = {}
    local client = assert(openai{ api_key = false, api_key_file = path, on_request = function(attempt)
      if attempt.event == "warning" then
        warnings[#warnings + 1] = attempt.message
      end
    end })
    os.remove(path)
    assert(client:list_batches())
    assert(client:list_batches())
    assert.equal(1, #warnings)
    assert.truthy(warnings[1]:find(path .. " is readable by others", 1, true))
  end)

  it("made of a broken key says which number is wrong", function()
    local function with(changes)
      local config = assert(core.decode(sandbox.read(sandbox.app_config)))
      for name, value in pairs(changes) do
        config.jwk[name] = value or nil
      end
      return batchapi.factset{ app_config = config }
    end
    local good = assert(core.decode(sandbox.read(sandbox.app_config))).jwk
    refused("invalid", "missing_field", "jwk.dq is missing", with{ dq = false })
    refused("invalid", "bad_field", "jwk.n is not base64url", with{ n = "!" })
    refused("invalid", "bad_field", "jwk.d is not a string", with{ d = 17 })
    refused("invalid", "crypto", "jwk: ", with{ p = good.q, q = good.q })
    refused("invalid", "bad_field", "jwk.kty must be RSA or EC", with{ kty = "oct" })
    refused("invalid", "bad_field", "jwk.alg must be", with{ alg = "HS256" })
  end)
end)


describe("a token function", function()
  before_each(sandbox.reset)

  it("is asked once for many calls at once, and again when its token has ended or is refused", function()
    local asked = 0
    local client = assert(openai{ api_key = false, token = function()
      asked = asked + 1
      return asked == 1 and "sk-of-yesterday" or key, 3600
    end })
    local list = {}
    for i = 1, 50 do
      list[i] = i
    end
    assert(batchapi.map(list, function()
      return assert(client:list_batches())
    end, { concurrency = 50 }))
    assert.equal(2, asked)
  end)

  it("that fails ends the calls that wait with its reason", function()
    local client = assert(openai{ api_key = false, token = function()
      return nil, "the vault is sealed"
    end })
    local answer, why, err = client:list_batches()
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.truthy(why:find("the vault is sealed", 1, true), why)
    nothing_was_sent()
  end)
end)


describe("core.credential", function()
  it("raises on what it does not know, and shows nothing", function()
    local function misuse(words, given)
      local ok, message = pcall(core.credential, given)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(words, 1, true), message)
    end
    misuse("unknown kind 'magic'", { kind = "magic" })
    misuse("unknown field 'tokn'", { kind = "bearer", tokn = "sk-1" })
    misuse("token is missing", { kind = "bearer" })
    misuse("token must be a string", { kind = "bearer", token = 17 })
    misuse("app_config is missing", { kind = "oauth_client" })
    misuse("client_id is missing", { kind = "oauth_refresh", token_url = "x", refresh_token = "y" })
    local credential = assert(core.credential{ kind = "bearer", token = "sk-secret" })
    assert.equal("batchapi credential (bearer)", tostring(credential))
    assert.equal("bearer", credential:kind())
    assert.is_string(getmetatable(credential))
  end)
end)
