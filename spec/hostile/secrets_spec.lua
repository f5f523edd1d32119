-- Whose secrets go where: definitions that extend others, other origins, what is hidden and shown.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local loopback = require("support.loopback")

local KEY = "sk-of-this-spec-0123456789"

local server

setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)


local function sibling(more)
  local definition = { extends = "openai", name = "made-up", base_url = "http://127.0.0.1:9/v1" }
  for word, value in pairs(more or {}) do
    definition[word] = value
  end
  return definition
end

local function on_loopback(options)
  options.unix_socket, options.api_key = server.socket, KEY
  return assert(batchapi.client({
    name = "there", base_url = "http://localhost", auth = { { kind = "bearer", option = "api_key" } },
    operations = { { name = "echo", method = "POST", path = "/echo", body = { type = "any" } } },
  }, options))
end


describe("a definition that extends another", function()
  it("has none of its variables at an address of its own", function()
    assert.is_truthy(os.getenv("OPENAI_API_KEY")) -- the sandbox sets it, and OPENAI_BASE_URL
    local client, why, err = batchapi.client(sibling(), {})
    assert.is_nil(client)
    assert.equal("auth", err.kind)
    assert.is_nil(why:find("OPENAI_API_KEY", 1, true))
  end)

  it("keeps its address", function()
    local client = assert(batchapi.client(sibling(), { api_key = KEY }))
    assert.matches("127.0.0.1:9/v1", tostring(client), nil, true)
  end)

  it("has them when it says so, and its clients say whose they are", function()
    local client = assert(batchapi.client(sibling{ credentials = "inherit", environment = "NOT_SET_HERE" }, {}))
    assert.matches("127.0.0.1:9/v1, with the credentials of openai", tostring(client), nil, true)
  end)

  it("has them when it has no address of its own", function()
    local client = assert(batchapi.client({ extends = "openai", name = "same" }, {}))
    assert.matches(os.getenv("OPENAI_BASE_URL"), tostring(client), nil, true)
    assert.is_nil(tostring(client):find("with the credentials", 1, true))
  end)

  it("says it in a word that means something", function()
    assert.has_error(function() batchapi.client(sibling{ credentials = "all" }, {}) end)
    assert.has_error(function()
      batchapi.client({ name = "x", base_url = "http://127.0.0.1:9", credentials = "inherit", operations = {} }, {})
    end)
  end)
end)


describe("a secret", function()
  it("is hidden in a good answer that echoes it, in its body and in its headers", function()
    local client = on_loopback{}
    local answer, _, response = client:request{ method = "POST", path = "/echo", body = { mine = KEY, other = "stays" } }
    assert.equal(("*"):rep(#KEY), answer.mine or core.decode(answer).mine)
    assert.equal("Bearer " .. ("*"):rep(#KEY), response.headers["x-authorization"])
  end)

  it("may be a header's or a proxy's, too", function()
    local client = on_loopback{ headers = { ["X-Secret-Token"] = "token-of-a-header-0123456789" },
      proxy = "http://someone:pass%20word-of-a-proxy@127.0.0.1:9" }
    local text = "a token-of-a-header-0123456789 b pass word-of-a-proxy c c29tZW9uZTpwYXNzIHdvcmQtb2YtYS1wcm94eQ== d " .. KEY
    local hidden = client._credential:redact(text)
    assert.matches("^a %*+ b %*+ c %*+ d %*+$", hidden)
  end)

  it("does not stand in a URL", function()
    local client = on_loopback{}
    local answer, why, err = client:request{ path = "http://user:word@localhost/echo" }
    assert.is_nil(answer)
    assert.equal("invalid", err.kind)
    assert.is_nil(why:find("word@", 1, true))
    assert.has_error(function() on_loopback{ base_url = "http://user:word@localhost" } end)
  end)
end)


describe("a text of a server", function()
  it("comes to a terminal as letters", function()
    local cases = {
      ["plain, Ünï 日本 🙂"] = "plain, Ünï 日本 🙂",
      ["\27[31mred\7"] = " [31mred ",
      ["a\0b\127c"] = "a b c",
      ["\194\155x"] = "??x",           -- CSI of one character
      ["\226\128\174evil"] = "???evil", -- turns the direction of writing
      ["\255\254"] = "??",
      ["\226\128"] = "??",
      [""] = "",
    }
    for text, shown in pairs(cases) do
      assert.equal(shown, core.printable(text))
    end
  end)
end)


describe("a text of a service in a job", function()
  local outcomes = require("batchapi.job.answer.outcome")
  local CONTROLS = "[%z\1-\8\11-\31\127]"

  it("comes as letters into a result's error", function()
    local outcome = outcomes.new{ result = { status = "response.status_code", body = "response.body",
      code = { "response.body.error.code" }, message = { "response.body.error.message" } } }
    local result = outcome:read({ response = { status_code = 400, body = { error = {
      code = "\27[31mred", message = "line 1\nline 2 \226\128\174evil\7" } } } })
    assert.is_false(result.ok)
    assert.equal(" [31mred", result.error.code)
    assert.is_nil(result.error.message:find(CONTROLS))
    assert.is_nil(result.error.message:find("\226\128\174", 1, true))
    result = outcome:read({ response = { status_code = 400, body = { error = { code = "c", message = "line 1\nÜnï" } } } })
    assert.equal("line 1\nÜnï", result.error.message)
  end)

  it("comes as letters into the status of a job whose batch failed", function()
    local client = assert(batchapi.openai{})
    local job = assert(client:run({ { body = { model = "m", messages = {} } } },
      { endpoint = "/v1/chat/completions", interval = 0.05, metadata = { sandbox = "fail=a\27[2Jb\7" } }))
    for result in job:results() do
      assert.is_false(result.ok)
      assert.is_nil(result.error.code:find(CONTROLS))
      assert.is_nil(result.error.message:find(CONTROLS))
    end
    local status = tostring(job:status())
    assert.matches("a [2Jb", status, 1, true)
    assert.is_nil(status:find("[%z\1-\8\11-\31\127]"))
    job:close()
  end)
end)


describe("the authorities of the environment", function()
  local program = require("support.program")

  local function said(environment)
    return program.said([[
      local batchapi = require("batchapi")
      local url = os.getenv("BATCHAPI_SANDBOX_TLS_URL") .. "/v1"
      local client, why = batchapi.openai{ base_url = url, api_key = "sk-x", timeout = 10, max_retries = 0 }
      if not client then
        print("none", why)
        return
      end
      local answer, message, err = client:list_batches{ limit = 1 }
      print(answer and "ok" or err.kind, err and err.status, message)
    ]], environment)
  end

  it("count: CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR", function()
    local ca = os.getenv("BATCHAPI_SANDBOX_CA")
    assert.matches("^tls", said("env -u CURL_CA_BUNDLE -u SSL_CERT_FILE -u SSL_CERT_DIR"))
    assert.is_nil(said("env -u CURL_CA_BUNDLE SSL_CERT_FILE=" .. ca):find("tls", 1, true))
    local directory = os.tmpname()
    local commands = ("rm DIR && mkdir DIR && cp %s DIR/ca.pem && openssl rehash DIR"):format(ca)
    assert(os.execute((commands:gsub("DIR", directory))))
    local by_directory = said("env -u CURL_CA_BUNDLE -u SSL_CERT_FILE SSL_CERT_DIR=" .. directory)
    os.execute("rm -r " .. directory)
    assert.is_nil(by_directory:find("tls", 1, true), by_directory)
    local both = ("env CURL_CA_BUNDLE=%s SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"):format(ca)
    assert.is_nil(said(both):find("tls", 1, true))
    assert.matches("^none.*CURL_CA_BUNDLE /nonexistent", said("env CURL_CA_BUNDLE=/nonexistent"))
  end)
end)
