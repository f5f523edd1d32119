-- runs on: lua5.4
-- FactSet's whole flow against an OpenID provider that nobody here wrote: npm's oidc-provider, in
-- spec/node/oidc_provider.mjs. The signatures made here are judged by it, by Node's crypto, and by
-- openssl. The provider is JavaScript and does not care which Lua asks: one will do.

local batchapi = require("batchapi")
local core = require("batchapi.core")

local node_folder = "spec/node"
local here, provider, control


local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end


local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end


local function run(command)
  local ok = os.execute(command)
  return ok == true or ok == 0
end


-- Starts the provider; it ends when its standard input does, that is with us.
local function start()
  here = os.tmpname()
  os.remove(here)
  assert(run("mkdir -m 700 " .. here))
  local script = ("cd %s && exec node oidc_provider.mjs > %s/out 2> %s/err"):format(node_folder, here, here)
  provider = assert(io.popen(script, "w"))
  local deadline = core.now() + 60
  repeat
    local file = io.open(here .. "/out", "rb")
    local line = file and file:read("*l")
    if file then
      file:close()
    end
    if line and #line > 0 then
      return assert(core.decode(line))
    end
    run("sleep 0.05")
  until core.now() > deadline
  error("the provider did not start: " .. read(here .. "/err"))
end


local function client(config, options)
  local given = {
    app_config = config, base_url = control.origin .. "/analytics/asset-cash-flow-projections/v0",
    timeout = 20,
  }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  return assert(batchapi.factset(given))
end


local function ask(one)
  return one:get_batch_status("batch-1")
end


local function order(wish)
  return assert(control.client:request{ method = "POST", path = "/_test", body = wish })
end


local function bytes_of(hex)
  return (hex:gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end))
end


-- An ASN.1 INTEGER of big-endian bytes.
local function der_integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  if bytes == "" or bytes:byte() >= 0x80 then
    bytes = "\0" .. bytes
  end
  return "\2" .. string.char(#bytes) .. bytes
end


-- openssl wants an ECDSA signature in DER, where JWS has r and s side by side.
local function for_openssl(algorithm, signature)
  if algorithm ~= "ES256" then
    return signature
  end
  local pair = der_integer(signature:sub(1, 32)) .. der_integer(signature:sub(33))
  return "\48" .. string.char(#pair) .. pair
end


local function openssl_verifies(algorithm)
  local padding = algorithm == "PS256"
    and "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32" or ""
  return run(("cd %s && openssl dgst -sha256 -verify key.pem %s -signature signature input > dgst 2>&1")
    :format(here, padding))
end


describe("against oidc-provider", function()
  setup(function()
    assert(run("tools/node-packages > /dev/null"), "the provider's packages cannot be installed")
    control = start()
    control.client = assert(batchapi.client({
      name = "control", base_url = control.origin, auth = {}, operations = {},
    }))
  end)

  teardown(function()
    if provider then
      provider:close()
    end
    run("rm -rf " .. here)
  end)

  after_each(function()
    order{ clock = 0, busy = 0, revoke = true }
  end)

  for _, algorithm in ipairs{ "RS256", "PS256", "ES256" } do
    it("gets a token with " .. algorithm .. ", and two others verify the signature", function()
      local answer, why = ask(client(control.configs[algorithm]))
      assert.truthy(answer, why)
      assert.equal("finished", answer.data.status)
      local last = order{}.last
      assert.is_true(last.verified) -- Node's crypto, from the JWK
      assert.equal(algorithm, last.header.alg)
      assert.equal("key-" .. algorithm, last.header.kid)
      write(here .. "/key.pem", last.pem)
      write(here .. "/signature", for_openssl(algorithm, bytes_of(last.signature_hex)))
      write(here .. "/input", (last.assertion:match("^(.*)%.")))
      assert.is_true(openssl_verifies(algorithm))
      write(here .. "/input", last.assertion:match("^(.*)%.") .. "x")
      assert.is_false(openssl_verifies(algorithm))
    end)
  end

  it("states its claims as FactSet's guideline says", function()
    assert(ask(client(control.configs.RS256)))
    local claims = order{}.last.claims
    assert.equal("client-RS256", claims.iss)
    assert.equal("client-RS256", claims.sub)
    assert.same({ control.origin }, claims.aud)
    assert.matches("^%d+$", tostring(claims.iat)) -- a whole number
    assert.equal(claims.iat, claims.nbf)
    assert.equal(claims.iat + 300, claims.exp)
    assert.is_true(math.abs(claims.iat + 30 - os.time()) <= 2) -- clocks differ
    assert.equal(43, #claims.jti)
  end)

  local function refused(config, words)
    local before = order{}
    local answer, why, err = ask(client(config))
    local after = order{}
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.equal("invalid_client", err.code)
    assert.truthy(why:find("token request to " .. control.origin, 1, true), why)
    assert.equal(before.resource, after.resource) -- the call itself was not sent
    local reason = after.refusals[#after.refusals]
    assert.truthy(reason:find(words, 1, true), reason)
    return why
  end

  it("is refused with another key", function()
    refused(control.configs.wrong_key, "signature")
  end)

  it("is refused as a client nobody knows", function()
    refused(control.configs.unknown_client, "client")
  end)

  it("is refused with another audience", function()
    refused(control.configs.wrong_audience, "aud")
  end)

  it("is refused when the assertion has expired on the provider's clock", function()
    order{ clock = 3600 }
    refused(control.configs.RS256, "exp")
  end)

  it("makes no assertion twice: the provider refuses one that is sent again", function()
    local one = client(control.configs.RS256)
    assert(ask(one))
    local first = order{}.last.assertion
    order{ revoke = true }
    assert(ask(one))
    assert.not_equal(first, order{}.last.assertion)
    local answer, _, err = control.client:request{
      method = "POST", path = "/token", headers = {
        ["Content-Type"] = "application/x-www-form-urlencoded" },
      body = "grant_type=client_credentials&client_assertion_type="
        .. "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=" .. first,
    }
    assert.is_nil(answer)
    assert.equal("invalid_client", err.code)
    local refusals = order{}.refusals
    assert.truthy(refusals[#refusals]:find("only be used once", 1, true), refusals[#refusals])
  end)

  it("asks once for 100 calls on a cold client, renews once, also past a 503", function()
    for _, busy in ipairs{ 0, 1 } do
      local one = client(control.configs.ES256)
      local list = {}
      for i = 1, 100 do
        list[i] = i
      end
      local function all()
        assert(batchapi.map(list, function()
          return assert(ask(one))
        end, { concurrency = 100 }))
      end
      local before = order{ busy = busy }
      all()
      local cold = order{ revoke = true, busy = busy }
      assert.equal(1 + busy, cold.token_requests - before.token_requests)
      all()
      local renewed = order{}
      assert.equal(1 + busy, renewed.token_requests - cold.token_requests)
      assert.equal(1, renewed.tokens)
    end
  end)
end)
