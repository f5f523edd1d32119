-- Runs traffic of every kind with the hook on, failures included, and looks for each secret in
-- whatever a program could print or log: hooks, errors, messages, tostring of every object, the
-- service's answers, standard error. It also proves that it would find one.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local sandbox = require("support.oauth")

local config = assert(core.decode(sandbox.read(sandbox.app_config)))
local secrets, shown = {}, {}

local function add(secret)
  secrets[#secrets + 1] = secret
end

for _, name in ipairs{ "OPENAI_API_KEY", "ASANA_ACCESS_TOKEN", "ASANA_CLIENT_SECRET", "ASANA_REFRESH_TOKEN",
  "FACTSET_API_KEY", "BATCH_JOB_KEY" } do
  add(assert(os.getenv(name), name))
end
for _, number in ipairs{ "d", "p", "q", "dp", "dq", "qi" } do
  add(config.jwk[number])
end
add("U0FOREJPWC0xMjM0NTY6") -- base64 of SANDBOX-123456: …, as basic authentication sends it
add("sk-wrong-0123456789abcdef")
add("token-of-the-vault-0123456789")
add("proxy-password-0123456789")
add("whsec_c2VjcmV0IG9mIHRoZSB3ZWJob29r")
add("refresh-nobody-gave-0123456789")


-- Everything that a value shows, keys and metatables' tostring included.
local function show(value, seen)
  if type(value) == "table" then
    seen = seen or {}
    if seen[value] then
      return
    end
    seen[value] = true
    for key, one in pairs(value) do
      show(key, seen)
      show(one, seen)
    end
  end
  shown[#shown + 1] = tostring(value)
end

local function hook(attempt)
  show(attempt)
end

-- What a call returned, or raised.
local function showing(...)
  for i = 1, select("#", ...) do
    show((select(i, ...)))
  end
  return ...
end

local function client_of(service, options)
  options.on_request, options.timeout = hook, 10
  options.max_retries = options.max_retries or 1
  local client = assert(batchapi[service](options))
  shown[#shown + 1] = tostring(client) .. tostring(client._credential) .. tostring(client._core)
  show(client:stats())
  return client
end

-- Is it there, also in other clothes?
local function found(secret, text)
  if text:find(secret, 1, true) then
    return true
  end
  local escaped = secret:gsub("[^%w]", function(c)
    return ("%%%02X"):format(c:byte())
  end)
  return text:find(escaped, 1, true) ~= nil
end

local function expect_no_secret()
  local text = table.concat(shown, "\n")
  assert.is_true(#text > 100)
  for i, secret in ipairs(secrets) do
    if found(secret, text) then
      local at = text:find(secret, 1, true) or 1
      error(("secret %d is shown: %s"):format(i, text:sub(math.max(1, at - 200), at + 60)), 0)
    end
  end
  assert.is_nil(text:find("Bearer [%w%-_]"), "a bearer token is shown")
  assert.is_nil(text:find("client_assertion=ey", 1, true))
end


describe("no secret is shown", function()
  before_each(function()
    sandbox.reset()
    shown = {}
  end)

  after_each(function()
    shown = {}
  end)

  it("and this spec would see one", function()
    show{ deep = { { key = "x " .. secrets[1] .. " y" } } }
    show(("."):rep(100))
    assert.has_error(expect_no_secret)
    shown = { ("."):rep(100), "Authorization: Bearer abc" }
    assert.has_error(expect_no_secret)
  end)

  it("by calls that succeed", function()
    local openai = client_of("openai", {})
    local file = showing(assert(openai:create_file{ file = { content = "{}\n", filename = "a.jsonl" },
      purpose = "batch" }))
    showing(openai:retrieve_file(file.id))
    showing(openai:list_batches{ limit = 1 })
    show(openai:each("list_batches"))
    local asana = client_of("asana", {})
    showing(asana:create_batch_request{ data = {
      actions = { { method = "get", relative_path = "/users/me" } } } })
    local factset = client_of("factset", {})
    showing(factset:post_batch{ data = { documentName = "Client:Scenario_01" } })
    local robotoff = client_of("robotoff", {})
    showing(robotoff:batch_import_post{ job_type = "ingredients_spellcheck", batch_dir = "run-7" })
    show(batchapi.help("openai"))
    show(batchapi.show(openai))
    expect_no_secret()
  end)

  it("by OAuth, its renewals and its refusals", function()
    local factset = client_of("factset", { app_config = sandbox.app_config })
    showing(factset:post_batch{ data = { documentName = "Client:Scenario_01" } })
    sandbox.revoke()
    showing(factset:post_batch{ data = { documentName = "Client:Scenario_01" } })
    config.jwk.kid = "another"
    showing(client_of("factset", { app_config = config }):get_batch_status("1"))
    local oauth = { client_id = os.getenv("ASANA_CLIENT_ID"), client_secret = os.getenv("ASANA_CLIENT_SECRET"),
      refresh_token = os.getenv("ASANA_REFRESH_TOKEN") }
    local actions = { data = { actions = { { method = "get", relative_path = "/users/me" } } } }
    showing(client_of("asana", { oauth = oauth }):create_batch_request(actions))
    oauth.refresh_token = "refresh-nobody-gave-0123456789"
    showing(client_of("asana", { oauth = oauth }):create_batch_request(actions))
    showing(batchapi.oauth.exchange{ service = "asana", client_id = oauth.client_id,
      client_secret = oauth.client_secret, code = "code-1", redirect_uri = "https://me.example/" })
    expect_no_secret()
  end)

  it("by refusals that quote the credential", function()
    local wrong = "sk-wrong-0123456789abcdef"
    for _, body in ipairs{
      '{"error":{"message":"Incorrect API key provided: %s.","type":"invalid_request_error","code":"invalid_api_key"}}',
      '{"error":"%s is wrong"}', "<html>%s</html>", '{"%s":1}', '{"error":{"message":"...%s',
    } do
      for _, status in ipairs{ 400, 401, 403, 429, 500 } do
        sandbox.faults{ { match = { path = "/v1" },
          fault = { type = "status", status = status, body = body:format(wrong) } } }
        showing(client_of("openai", { api_key = wrong, max_retries = 0 }):list_batches())
      end
    end
    expect_no_secret()
  end)

  it("by an answer with a status of success that quotes it and is not JSON", function()
    local wrong = "sk-wrong-0123456789abcdef"
    sandbox.faults{ { match = { path = "/v1" }, fault = { type = "body", status = 200, body = "oops " .. wrong } } }
    showing(client_of("openai", { api_key = wrong }):list_batches())
    expect_no_secret()
  end)

  it("by failures of the network, of a proxy, of a token function", function()
    sandbox.faults{ { match = { path = "/v1" }, fault = { type = "reset" } } }
    showing(client_of("openai", {}):list_batches())
    showing(client_of("openai", { proxy = "http://user:proxy-password-0123456789@127.0.0.1:9",
      base_url = "http://localhost:9/v1" }):list_batches())
    showing(client_of("openai", { proxy = "http://user:proxy-password-0123456789@127.0.0.1:9",
      base_url = "https://api.example.com/v1" }):list_batches())
    sandbox.faults{}
    showing(client_of("openai", { token = function()
      return "token-of-the-vault-0123456789"
    end }):list_batches())
    local raised = { pcall(function()
      return client_of("openai", { token = function()
        return 17
      end }):list_batches()
    end) }
    show(raised)
    expect_no_secret()
  end)

  it("by options that are refused", function()
    local wrong = "sk-wrong-0123456789abcdef"
    showing(pcall(batchapi.openai, { api_key = wrong .. "\r\n" }))
    showing(pcall(batchapi.openai, { api_key = { wrong } }))
    showing(pcall(batchapi.openai, { api_key = wrong, base_url = "http://api.example.com/v1" }))
    showing(pcall(batchapi.openai, { api_key = wrong, tiemout = 3 }))
    showing(pcall(batchapi.openai, { api_key = wrong, headers = { Authorization = "Bearer " .. wrong } }))
    showing(pcall(batchapi.openai, { api_key = wrong, base_url = "https://user:" .. wrong .. "@api.example.com" }))
    showing(pcall(batchapi.factset, { app_config = { clientId = "x", jwk = { kty = "RSA", d = config.jwk.d } } }))
    showing(pcall(batchapi.factset, { username = "a:b", api_key = wrong }))
    showing(batchapi.webhook.verify({}, "body", "whsec_c2VjcmV0IG9mIHRoZSB3ZWJob29r"))
    shown[#shown + 1] = ("."):rep(100)
    expect_no_secret()
  end)

  it("by what the process writes to its standard error, also when it dies of an error", function()
    local script = sandbox.write([[
      local batchapi = require("batchapi")
      local client = assert(batchapi.openai{ api_key = "sk-wrong-0123456789abcdef" })
      io.stderr:write(tostring(client), "\n")
      assert(client:list_batches())
    ]])
    local output = os.tmpname()
    os.execute(("BATCHAPI_DEBUG=1 %s %s > %s 2>&1"):format(
      os.getenv("BATCHAPI_LUA") or "lua5.4", script, output))
    shown[1] = sandbox.read(output)
    os.remove(script)
    os.remove(output)
    assert.truthy(shown[1]:find("list_batches: 401", 1, true), shown[1])
    expect_no_secret()
  end)
end)
