--- Each option does what it says, seen from the server. (Names, types and ranges: options_spec.)

local batchapi = require("batchapi")
local core = require("batchapi.core")
local program = require("support.program")
local sandbox = require("support.sandbox")

local variable = os.getenv
local tls = { base_url = variable("BATCHAPI_SANDBOX_TLS_URL") .. "/v1", ca_file = variable("BATCHAPI_SANDBOX_CA") }

local function openai(options, base)
  local given = {}
  for _, source in ipairs{ base or {}, options or {} } do
    for name, value in pairs(source) do
      given[name] = value
    end
  end
  return assert(batchapi.openai(given))
end

local function ask(client)
  local page, message = client:list_batches{ limit = 1 }
  assert.is_not_nil(page, message)
  return sandbox.last()
end

local function refused(client)
  local page, _, err = client:list_batches{ limit = 1 }
  assert.is_nil(page)
  return err
end

--- What a Lua of its own says, in an environment.
local function run_in(environment, script, argument)
  return program.said(script, "env -u all_proxy -u ALL_PROXY " .. environment, argument)
end

describe("a connection option", function()
  before_each(sandbox.reset)

  it("unix_socket connects to a socket", function()
    local entry = ask(openai{ base_url = "http://localhost/v1", unix_socket = variable("BATCHAPI_SANDBOX_UNIX") })
    assert.equal("localhost", entry.headers.host)
  end)

  it("base_url may name an IPv6 address", function()
    local url = variable("BATCHAPI_SANDBOX_IPV6_URL")
    if not url then
      return pending("there is no IPv6 here")
    end
    local entry = ask(openai{ base_url = url .. "/v1" })
    assert.equal(url, "http://" .. entry.headers.host)
  end)

  it("proxy goes through a proxy, or fails when there is none", function()
    assert.equal("1", ask(openai{ proxy = variable("BATCHAPI_SANDBOX_PROXY_URL") }).headers["x-sandbox-proxied"])
    assert.is_nil(ask(openai{ proxy = "" }).headers["x-sandbox-proxied"])
    assert.equal("connect", refused(openai{ proxy = "http://127.0.0.1:1", max_retries = 0 }).kind)
  end)

  it("proxy is the environment's when none is given, but for the hosts of no_proxy", function()
    local base = variable("OPENAI_BASE_URL"):gsub("127%.0%.0%.1", "sandbox.invalid") -- only the proxy knows it
    local proxy = "http_proxy=" .. variable("BATCHAPI_SANDBOX_PROXY_URL")
    local script = ([[
      local given = arg[1] and { proxy = "" } or {}
      given.base_url, given.allow_insecure, given.max_retries = %q, true, 0
      local page, _, err = require("batchapi").openai(given):list_batches{ limit = 1 }
      io.write(page and "answered" or err.kind)
    ]]):format(base)
    assert.equal("answered", run_in(proxy .. " no_proxy=elsewhere.invalid", script))
    assert.equal("1", sandbox.last().headers["x-sandbox-proxied"])
    assert.equal("connect", run_in(proxy .. " no_proxy=.invalid", script))
    assert.equal("connect", run_in(proxy .. " no_proxy=", script, "none"))
    assert.equal("connect", run_in("http_proxy= no_proxy=", script))
  end)

  it("ca_file trusts an authority", function()
    ask(openai({}, tls))
    assert.equal("tls", refused(openai{ base_url = tls.base_url, max_retries = 0 }).kind)
  end)

  it("client_cert and client_key show who asks", function()
    local mtls = { base_url = variable("BATCHAPI_SANDBOX_MTLS_URL") .. "/v1", ca_file = tls.ca_file }
    assert.equal(400, refused(openai({ max_retries = 0 }, mtls)).status)
    ask(openai({
      client_cert = variable("BATCHAPI_SANDBOX_CLIENT_CERT"), client_key = variable("BATCHAPI_SANDBOX_CLIENT_KEY"),
    }, mtls))
  end)

  it("http_version is kept to, whatever connection another client has left behind", function()
    local by_name = tls.base_url:gsub("127%.0%.0%.1", "localhost") -- its connections are others
    for url, versions in pairs{ [tls.base_url] = { "2", "1.1", "2" }, [by_name] = { "1.1", "2", "1.1" } } do
      for _, version in ipairs(versions) do
        local client = openai({ base_url = url, http_version = version }, tls)
        assert.equal(version == "2" and "HTTP/2.0" or "HTTP/1.1", ask(client).protocol)
      end
      assert.equal("HTTP/2.0", ask(openai({ base_url = url }, tls)).protocol)
    end
  end)

  it("stall_timeout ends an answer that stops, timeout the whole call", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "stall", where = "body", at = 5 } } }
    local begun = core.now()
    local err = refused(openai{ stall_timeout = 0.5, max_retries = 0 })
    assert.equal("timeout", err.kind)
    assert.matches("stall_timeout", err.message)
    err = refused(openai{ timeout = 0.5, max_retries = 50 })
    assert.equal("timeout", err.kind)
    assert.is_true(core.now() - begun < 5)
  end)

  it("stall_timeout does not count while the server thinks, over HTTP/1.1 and HTTP/2", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "stall", seconds = 0.8 } } }
    for _, version in ipairs{ "1.1", "2" } do
      local client = openai({ stall_timeout = 0.2, max_retries = 0, http_version = version }, tls)
      assert(client:list_batches())
      local _, _, err = client:create_batch{ input_file_id = "none", endpoint = "/v1/embeddings", completion_window = "24h" }
      assert.equal(400, err.status)
    end
  end)

  it("a call that a silent server held until its timeout may have been carried out, and says so", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "stall" } } }
    local client = openai{ stall_timeout = 0.1, timeout = 0.5 }
    local _, why, err = client:create_batch{ input_file_id = "f", endpoint = "/v1/embeddings", completion_window = "24h" }
    assert.equal("timeout", err.kind)
    assert.is_true(err.sent)
    assert.matches("may have been carried out", why)
  end)

  it("max_retries counts the attempts after the first", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "status", status = 503, retry_after = 0.01 } } }
    assert.equal(1, refused(openai{ max_retries = 0 }).attempts)
    assert.equal(4, refused(openai{ max_retries = 3 }).attempts)
  end)

  it("max_header_bytes and max_body_bytes cap an answer", function()
    local err = refused(openai{ max_header_bytes = 10, max_retries = 0 })
    assert.equal("too_large", err.kind)
    assert.matches("raise max_header_bytes$", err.message)
    assert.equal("too_large", refused(openai{ max_body_bytes = 5, max_retries = 0 }).kind)
  end)

  it("max_header_bytes is at most what libcurl takes; more is too_large as well", function()
    assert.has_error(function()
      batchapi.openai{ max_header_bytes = 307201 }
    end)
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "headers", bytes = 400000, line = 4096 } } }
    local err = refused(openai{ max_header_bytes = 307200 })
    assert.equal("too_large", err.kind)
    assert.equal(1, err.attempts)
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "headers", bytes = 280000, line = 4096 } } }
    assert.equal("too_large", refused(openai{}).kind)
    ask(openai{ max_header_bytes = 307200 })
  end)

  it("a file of the connection that cannot be read is io with the errno's name", function()
    for _, name in ipairs{ "ca_file", "client_cert" } do
      local client, message, err = batchapi.openai{ [name] = "/nonexistent.pem" }
      assert.is_nil(client)
      assert.equal("openai: " .. name .. " /nonexistent.pem: No such file or directory", message)
      assert.same({ "io", "ENOENT" }, { err.kind, err.code })
    end
  end)
end)

describe("a credential option", function()
  before_each(sandbox.reset)

  local key = variable("OPENAI_API_KEY")

  it("api_key_file holds the key", function()
    local name = program.file(key .. "\n")
    ask(openai{ api_key_file = name })
    os.remove(name)
    local client, message, err = batchapi.openai{ api_key_file = "/nonexistent" }
    assert.is_nil(client)
    assert.equal("io", err.kind)
    assert.matches("^openai: api_key_file /nonexistent", message)
  end)

  it("token is a token, or a function that is asked once", function()
    ask(openai{ token = key })
    local asked = 0
    local client = openai{ token = function()
      asked = asked + 1
      return key, 3600
    end }
    ask(client)
    ask(client:with{ timeout = 5 })
    assert.equal(1, asked)
  end)

  it("a token function that fails says why, one that raises raises at the call", function()
    local err = refused(openai{ max_retries = 0, token = function()
      return nil, "the vault is shut"
    end })
    assert.equal("auth", err.kind)
    assert.matches("the vault is shut", err.message)
    local client = openai{ token = function()
      error("broken vault", 0)
    end }
    local ok, raised = pcall(client.list_batches, client)
    assert.is_false(ok)
    assert.matches("broken vault", tostring(raised))
  end)

  it("app_config is a path or a table, and goes before a user and key of the environment", function()
    local path = variable("BATCHAPI_SANDBOX_APP_CONFIG")
    local client = assert(batchapi.factset{ app_config = path })
    assert(client:get_documents{ directoryPath = "Client" })
    assert.matches("^Bearer", sandbox.last().headers.authorization)
    local file = assert(io.open(path))
    local content = core.decode(file:read("*a"))
    file:close()
    assert(assert(batchapi.factset{ app_config = content }):get_documents{ directoryPath = "Client" })
    assert(assert(batchapi.factset{}):get_documents{ directoryPath = "Client" })
    assert.matches("^Basic", sandbox.last().headers.authorization)
  end)

  it("oauth renews Asana's token, and on_token is told of a new refresh token", function()
    sandbox.set{ asana = { rotate_refresh_tokens = true } }
    local told = {}
    local client = assert(batchapi.asana{
      oauth = {
        client_id = variable("ASANA_CLIENT_ID"), client_secret = variable("ASANA_CLIENT_SECRET"),
        refresh_token = variable("ASANA_REFRESH_TOKEN"),
      },
      on_token = function(token)
        told[#told + 1] = token
      end,
    })
    local actions = { data = { actions = { { method = "get", relative_path = "/users/me" } } } }
    assert(client:create_batch_request(actions))
    assert(client:create_batch_request(actions))
    assert.equal(1, #told)
    assert.is_string(told[1])
  end)
end)

describe("host", function()
  it("names how calls wait, and block is one", function()
    sandbox.reset()
    ask(openai{ host = "block" })
  end)
end)
