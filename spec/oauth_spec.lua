-- OAuth against the sandbox: FactSet's signed assertion, Asana's refresh token and code.

local batchapi = require("batchapi")
local program = require("support.program")
local sandbox = require("support.oauth")

local unpack = unpack or table.unpack -- luacheck: ignore

local asana_oauth = {
  client_id = os.getenv("ASANA_CLIENT_ID"), client_secret = os.getenv("ASANA_CLIENT_SECRET"),
  refresh_token = os.getenv("ASANA_REFRESH_TOKEN"),
}

local function numbers(n)
  local list = {}
  for i = 1, n do
    list[i] = i
  end
  return list
end

local count = os.getenv("BATCHAPI_SLOW") and 20 or 100


describe("OAuth client credentials (FactSet)", function()
  before_each(sandbox.reset)

  local function factset(options)
    local given = { app_config = sandbox.app_config, timeout = 20 }
    for name, value in pairs(options or {}) do
      given[name] = value
    end
    return batchapi.factset(given)
  end

  local function ask(client)
    return client:post_batch{ data = { documentName = "Client:Scenario_01" } }
  end

  it("goes from the configuration file to an answer", function()
    local client = assert(factset())
    local answer, _, response = ask(client)
    assert.truthy(answer.data)
    assert.equal(202, response.status)
    assert(ask(client))
    assert.equal(1, sandbox.token_requests())
    assert.equal(1, sandbox.totals().oauth.discovery_requests)
  end)

  it("takes the configuration as a table", function()
    local config = assert(require("batchapi.core").decode(sandbox.read(sandbox.app_config)))
    assert(ask(assert(factset{ app_config = config })))
  end)

  it("makes one token request for many calls at once on a cold client", function()
    local client = assert(factset())
    local answers = assert(batchapi.map(numbers(count), function()
      return assert(ask(client))
    end, { concurrency = count }))
    assert.equal(count, #answers)
    assert.equal(1, sandbox.token_requests())
  end)

  it("renews a revoked token once for many calls at once", function()
    local client = assert(factset())
    assert(ask(client))
    sandbox.revoke()
    assert(batchapi.map(numbers(count), function(i)
      return assert(client:get_batch_status("batch-" .. i) or true)
    end, { concurrency = count }))
    assert.equal(2, sandbox.token_requests())
  end)

  it("does both also when the token endpoint first answers 503", function()
    local busy = { match = { path = "/as/token.oauth2", nth = 1 },
      fault = { type = "status", status = 503 } }
    local client = assert(factset())
    sandbox.faults{ busy }
    assert(batchapi.map(numbers(count), function()
      return assert(ask(client))
    end, { concurrency = count }))
    assert.equal(1, sandbox.totals().oauth.tokens_issued)
    sandbox.revoke()
    sandbox.faults{ busy }
    assert(batchapi.map(numbers(count), function(i)
      return assert(client:get_batch_status("batch-" .. i) or true)
    end, { concurrency = count }))
    assert.equal(2, sandbox.totals().oauth.tokens_issued)
  end)

  it("signs anew when the answer to a token request was lost", function()
    sandbox.faults{ { match = { path = "/as/token.oauth2", nth = 1 }, fault = { type = "lost" } } }
    local client = assert(factset())
    assert(ask(client)) -- the same assertion again would be refused as replayed
    assert.equal(2, sandbox.token_requests())
  end)

  it("fetches a new token before the old one ends", function()
    sandbox.set{ token_lifetime = 2 }
    local client = assert(factset())
    assert(ask(client))
    local core = require("batchapi.core")
    local deadline = core.now() + 10
    repeat
      assert(ask(client))
    until sandbox.token_requests() > 1 or core.now() > deadline
    assert.is_true(sandbox.token_requests() > 1)
    for _, entry in ipairs(sandbox.requests("/analytics")) do
      assert.not_equal(401, entry.status) -- no call met a dead token; 429 is for those who ask so often
    end
  end)

  it("tells a refused assertion with the server's own words", function()
    local core = require("batchapi.core")
    local config = assert(core.decode(sandbox.read(sandbox.app_config)))
    config.jwk.kid = "another"
    local answer, why, err = ask(assert(factset{ app_config = config }))
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.equal("invalid_client", err.code)
    assert.truthy(why:find("unknown key", 1, true), why)
    assert.equal(0, #sandbox.requests("/analytics"))
  end)

  it("tells a token endpoint that stays busy from one that refuses", function()
    sandbox.faults{ { match = { path = "/as/token.oauth2" },
      fault = { type = "status", status = 503 } } }
    local answer, why, err = ask(assert(factset{ max_retries = 1 }))
    assert.is_nil(answer)
    assert.equal("http", err.kind)
    assert.truthy(why:find("token request", 1, true), why)
    assert.equal(0, #sandbox.requests("/analytics"))
  end)

  it("tells a discovery document that is not one", function()
    sandbox.faults{ { match = { path = "/.well-known/openid-configuration" },
      fault = { type = "html", status = 200 } } }
    local answer, why, err = ask(assert(factset()))
    assert.is_nil(answer)
    assert.equal("decode", err.kind, why)
    assert.truthy(why:find("discovery document", 1, true), why)
  end)

  it("says what is wrong with a configuration", function()
    local client, why, err = factset{ app_config = "/nonexistent/app-config.json" }
    assert.is_nil(client)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.truthy(why:find("/nonexistent/app-config.json", 1, true))
    client, why, err = factset{ app_config = { clientId = "x", jwk = { kty = "RSA", n = "AQAB" } } }
    assert.is_nil(client)
    assert.equal("invalid", err.kind)
    assert.truthy(why:find("jwk.e is missing", 1, true), why)
  end)

  it("warns once through the hook when others may read the file", function()
    local path = sandbox.write(sandbox.read(sandbox.app_config), "644")
    local warnings = {}
    local client = assert(factset{ app_config = path, on_request = function(attempt)
      if attempt.event == "warning" then
        warnings[#warnings + 1] = attempt.message
      end
    end })
    os.remove(path)
    assert(ask(client))
    assert(ask(client))
    assert.equal(1, #warnings)
    assert.truthy(warnings[1]:find("readable by others", 1, true))
  end)
end)


describe("OAuth refresh token (Asana)", function()
  before_each(function()
    collectgarbage() -- clients that are there share what they know of the token
    collectgarbage()
    sandbox.reset()
  end)

  local function asana(options)
    local given = { oauth = asana_oauth, timeout = 20 }
    for name, value in pairs(options or {}) do
      given[name] = value
    end
    return batchapi.asana(given)
  end

  local function ask(client)
    return client:create_batch_request{ data = {
      actions = { { method = "get", relative_path = "/users/me" } } } }
  end

  it("fetches an access token and uses it", function()
    local client = assert(asana())
    assert(ask(client))
    assert(ask(client))
    assert.equal(1, sandbox.token_requests())
  end)

  it("hands a renewed refresh token to on_token, and uses it from then on", function()
    sandbox.set{ asana = { rotate_refresh_tokens = true } }
    local renewed = {}
    local client = assert(asana{ on_token = function(token)
      renewed[#renewed + 1] = token
    end })
    assert(ask(client))
    assert.equal(1, #renewed)
    assert.not_equal(asana_oauth.refresh_token, renewed[1])
    sandbox.revoke()
    assert(ask(client)) -- the first refresh token is dead by now
    assert.equal(2, #renewed)
    assert.not_equal(renewed[1], renewed[2])
  end)

  it("uses no access token before on_token has returned", function()
    sandbox.set{ asana = { rotate_refresh_tokens = true } }
    local sent
    local client = assert(asana{ on_token = function()
      sent = #sandbox.requests("/api/1.0/batch")
    end })
    assert(ask(client))
    assert.equal(0, sent)
    assert.equal(1, #sandbox.requests("/api/1.0/batch"))
  end)

  it("asks the refresh token's function again when another process has renewed it", function()
    sandbox.set{ asana = { rotate_refresh_tokens = true } }
    local kept, asked = asana_oauth.refresh_token, 0
    local client = assert(asana{ oauth = {
      client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
      refresh_token = function()
        asked = asked + 1
        return kept
      end,
    } })
    kept = program.said(([[
      local client = require("batchapi").asana{ oauth = { client_id = %q, client_secret = %q, refresh_token = %q },
        on_token = io.write }
      assert(client:create_batch_request{ data = { actions = { { method = "get", relative_path = "/users/me" } } } })
    ]]):format(asana_oauth.client_id, asana_oauth.client_secret, kept))
    assert(ask(client))
    assert.equal(2, asked)
  end)

  it("is one for all clients of a process: one renews it, all go on, and all are told", function()
    sandbox.set{ asana = { rotate_refresh_tokens = true } }
    local told = { {}, {} }
    local function client(i, token)
      return assert(asana{
        oauth = { client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
          refresh_token = token or asana_oauth.refresh_token },
        on_token = told[i] and function(renewed)
          table.insert(told[i], renewed)
        end,
      })
    end
    local clients = { client(1), client(2), client(3) }
    local asked = {}
    for i, one in ipairs(clients) do
      asked[i] = function() return ask(one) end
    end
    assert(batchapi.parallel(unpack(asked)))
    assert.equal(1, sandbox.token_requests())
    assert.equal(1, #told[1])
    assert.same(told[1], told[2])
    sandbox.revoke()
    assert(ask(clients[3]))
    assert(ask(clients[1]))
    assert.equal(2, #told[2])
    assert.same(told[1], told[2])
    assert(ask(client(4, told[1][2]))) -- by what it is now, and by what it was
    assert(ask(client(5, told[1][1])))
    assert(ask(client(6)))
    assert.equal(2, sandbox.token_requests())
  end)

  it("is not looked for in a client that was just collected", function()
    for _ = 1, 3 do
      assert(asana()) -- nobody holds it
      collectgarbage() -- its finaliser runs; as a key of a weak table it is seen until the next time
      assert(asana())
    end
  end)

  it("is not looked for in a client that is just collected", function()
    local made, why
    local function again()
      made, why = asana()
    end
    local function leave()
      assert(asana())
      local proxy = newproxy and newproxy(true) -- younger than the client: finalised before it
      if proxy then
        getmetatable(proxy).__gc = again
      else
        setmetatable({}, { __gc = again })
      end
    end
    leave()
    collectgarbage()
    collectgarbage()
    assert(made, why)
    assert(ask(assert(made:with{ timeout = 10 })))
  end)

  it("is shared by any number of clients that have secrets of their own", function()
    local first = assert(asana{ headers = { ["X-Token"] = "token-of-the-first" } })
    for i = 1, 50 do
      assert(asana{ headers = { ["X-Token"] = ("token-of-number-%02d"):format(i) } })
    end
    local headers = {}
    for i = 1, 17 do
      headers["X-Token-" .. i] = ("one-of-too-many-%02d"):format(i)
    end
    local client, why, err = asana{ headers = headers }
    assert.is_nil(client)
    assert.equal("invalid", err.kind)
    assert.truthy(why:find("at most 16", 1, true))
    assert(ask(first))
  end)

  it("is not shared with who has another secret, or is another application", function()
    local first = assert(asana())
    local others = { { client_secret = "another" }, { client_id = "another" }, { refresh_token = "another" } }
    assert(ask(first))
    for _, other in ipairs(others) do
      local oauth = { client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
        refresh_token = asana_oauth.refresh_token }
      for word, value in pairs(other) do
        oauth[word] = value
      end
      local answer, _, err = ask(assert(asana{ oauth = oauth }))
      assert.is_nil(answer)
      assert.equal("auth", err.kind)
    end
    assert(ask(first))
  end)

  it("tells the refusal when the function has nothing newer, or nothing", function()
    local answers = { "a-refresh-token-nobody-gave", "a-refresh-token-nobody-gave" }
    local client = assert(asana{ oauth = {
      client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
      refresh_token = function()
        return table.remove(answers), "the vault is closed"
      end,
    } })
    local answer, why, err = ask(client)
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.equal("invalid_grant", err.code)
    assert.is_nil(why:find("a-refresh-token-nobody-gave", 1, true))
    answer, why, err = ask(client)
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.truthy(why:find("the vault is closed", 1, true), why)
    local none, because = asana{ oauth = {
      client_id = "x", client_secret = "y", refresh_token = function() return nil, "not yet" end } }
    assert.is_nil(none)
    assert.truthy(because:find("not yet", 1, true), because)
  end)

  it("says that the refresh token is refused", function()
    local client = assert(asana{ oauth = {
      client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
      refresh_token = "a-refresh-token-nobody-gave",
    } })
    local answer, why, err = ask(client)
    assert.is_nil(answer)
    assert.equal("auth", err.kind)
    assert.equal("invalid_grant", err.code)
    assert.is_nil(why:find("a-refresh-token-nobody-gave", 1, true))
  end)
end)


describe("oauth.authorize_url and oauth.exchange", function()
  before_each(sandbox.reset)

  local redirect_uri = "https://me.example/callback?x=1&y=2"

  local function authorize(more)
    local given = { service = "asana", client_id = asana_oauth.client_id, redirect_uri = redirect_uri }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    return batchapi.oauth.authorize_url(given)
  end

  -- What the user's browser does.
  local function visit(url)
    local client = assert(batchapi.client({ name = "browser", base_url = sandbox.url, auth = {},
      operations = {} }))
    local _, _, err = client:request{ path = url }
    assert.equal(302, err.status)
    local location = err.response.headers.location
    return location:match("[?&]code=([^&]+)"), location:match("[?&]state=([^&]+)")
  end

  local function exchange(more)
    local given = {
      service = "asana", client_id = asana_oauth.client_id,
      client_secret = asana_oauth.client_secret, redirect_uri = redirect_uri,
    }
    for name, value in pairs(more) do
      given[name] = value
    end
    return batchapi.oauth.exchange(given)
  end

  it("gives a URL with a challenge, and a new state and verifier each time", function()
    local url, state, verifier = authorize{ scope = "tasks:read default" }
    local _, state2, verifier2 = authorize()
    assert.not_equal(state, state2)
    assert.not_equal(verifier, verifier2)
    assert.equal(43, #verifier)
    assert.is_true(#state >= 32)
    assert.truthy(url:find("response_type=code", 1, true))
    assert.truthy(url:find("code_challenge_method=S256", 1, true))
    assert.truthy(url:find("scope=tasks%3Aread%20default", 1, true))
    assert.truthy(url:find("redirect_uri=https%3A%2F%2Fme.example%2Fcallback%3Fx%3D1%26y%3D2", 1, true))
    assert.is_nil(url:find(verifier, 1, true))
  end)

  it("goes from the code to tokens that the client takes", function()
    local url, state, verifier = authorize()
    local code, came_back = visit(url)
    assert.equal(state, came_back)
    local tokens = assert(exchange{ code = code, code_verifier = verifier })
    assert.is_string(tokens.access_token)
    assert.is_string(tokens.refresh_token)
    local client = assert(batchapi.asana{ oauth = {
      client_id = asana_oauth.client_id, client_secret = asana_oauth.client_secret,
      refresh_token = tokens.refresh_token } })
    assert(client:create_batch_request{ data = {
      actions = { { method = "get", relative_path = "/users/me" } } } })
  end)

  it("is refused with another verifier, a wrong secret, or a used code", function()
    local tokens, _, err = exchange{ code = visit((authorize())), code_verifier = ("a"):rep(43) }
    assert.is_nil(tokens)
    assert.equal("auth", err.kind)
    assert.equal("invalid_grant", err.code)
    local url, _, verifier = authorize()
    local code, why = (visit(url))
    tokens, why, err = exchange{ code = code, code_verifier = verifier,
      client_secret = "a-secret-nobody-gave" }
    assert.is_nil(tokens)
    assert.equal("auth", err.kind)
    assert.is_nil(why:find("a-secret-nobody-gave", 1, true))
    url, _, verifier = authorize()
    code = visit(url)
    assert(exchange{ code = code, code_verifier = verifier })
    assert.is_nil(exchange{ code = code, code_verifier = verifier })
  end)

  it("repeats nothing and sends nothing that could be injected", function()
    sandbox.faults{ { match = { path = "/-/oauth_token" }, fault = { type = "status", status = 503 } } }
    local tokens, _, err = exchange{ code = "code-1234" }
    assert.is_nil(tokens)
    assert.equal(503, err.status)
    assert.equal(1, #sandbox.requests("/-/oauth_token"))
    tokens, _, err = exchange{ code = "code\r\nX-Evil: 1" }
    assert.is_nil(tokens)
    assert.equal("invalid", err.kind)
    tokens, _, err = exchange{ code = "code-1234", service = false or nil,
      token_url = "http://token.example/t" }
    assert.is_nil(tokens)
    assert.equal("insecure", err.code)
    assert.equal(1, #sandbox.requests("/-/oauth_token"))
  end)

  it("raises on misuse", function()
    local function misuse(words, f, given)
      local ok, message = pcall(f, given)
      assert.is_false(ok)
      assert.truthy(tostring(message):find(words, 1, true), message)
    end
    misuse("client_id is missing", batchapi.oauth.authorize_url, { redirect_uri = "x" })
    misuse("no option 'clientid'", batchapi.oauth.authorize_url, { clientid = "x" })
    misuse("give service or authorize_url", batchapi.oauth.authorize_url,
      { client_id = "x", redirect_uri = "y" })
    misuse("has no authorize_url", batchapi.oauth.authorize_url,
      { service = "openai", client_id = "x", redirect_uri = "y" })
    misuse("code is missing", batchapi.oauth.exchange, { client_id = "x", redirect_uri = "y" })
    misuse("the options must be a table", batchapi.oauth.exchange, nil)
  end)
end)
