-- What an error says one may look at is where the mistake lies.

local batchapi = require("batchapi")
local sandbox = require("support.sandbox")

before_each(function()
  sandbox.reset()
end)

local function client_with(options)
  options = options or {}
  options.max_retries = options.max_retries or 0
  return assert(batchapi.openai(options))
end

local function failure(...)
  local value, message, err = ...
  assert.is_nil(value)
  assert.equal(message, err.message)
  return err
end

local function fault(what)
  sandbox.faults{ { match = { path = "/v1/batches" }, fault = what } }
end

local body = { input_file_id = "file-1", endpoint = "/v1/chat/completions", completion_window = "24h" }


describe("a hint", function()
  it("tells a base URL without its last part, where nothing worked yet", function()
    local base = os.getenv("OPENAI_BASE_URL"):gsub("/v1$", "")
    local client = client_with{ base_url = base }
    local err = failure(client:list_batches())
    assert.equal(404, err.status)
    assert.matches("does not end with /v1, as https://api.openai.com/v1 does", err.message, 1, true)
  end)

  it("does not where the base URL is whole", function()
    local client = client_with()
    local err = failure(client:retrieve_batch("batch_none"))
    assert.matches("; check the id", err.message, 1, true)
    assert.is_nil(err.message:find("does not end", 1, true))
  end)

  it("tells that a cut POST may have been carried out, and not that the address is wrong", function()
    fault{ type = "reset", read = true }
    local err = failure(client_with():create_batch(body))
    assert.equal("connect", err.kind)
    assert.is_true(err.sent)
    assert.matches("may have been carried out all the same", err.message, 1, true)
    assert.is_nil(err.message:find("base_url", 1, true))
    fault{ type = "reset", read = true }
    err = failure(client_with():list_batches())
    assert.is_true(err.sent)
    assert.is_nil(err.message:find("carried out", 1, true))
    assert.is_nil(err.message:find("base_url", 1, true))
  end)

  it("tells that a POST whose answer was cut off may have been carried out", function()
    fault{ type = "truncate", at = 10 }
    local err = failure(client_with():create_batch(body))
    assert.equal("truncated", err.kind)
    assert.matches("nothing of it is handed out; the request may have been carried out", err.message, 1, true)
  end)

  it("tells a proxy that asks for credentials", function()
    fault{ type = "status", status = 407 }
    local err = failure(client_with():list_batches())
    assert.equal(407, err.status)
    assert.matches("the proxy asks for credentials: give them in its URL", err.message, 1, true)
  end)

  it("tells a proxy that is not there", function()
    local client = client_with{ base_url = "https://api.openai.test/v1", proxy = "http://no-proxy.invalid:1" }
    local err = failure(client:list_batches())
    assert.equal("connect", err.kind)
    assert.equal("proxy", err.code)
    assert.matches("is the proxy (option proxy, or the environment's) right", err.message, 1, true)
  end)

  it("names the place that a redirect points to, without what may be secret", function()
    fault{ type = "status", status = 302, headers = { Location = "https://elsewhere.test/path?token=abc#x" } }
    local err = failure(client_with():list_batches())
    assert.equal(302, err.status)
    assert.matches("302, which points to https://elsewhere.test/path: this call follows no redirect", err.message, 1, true)
    assert.is_nil(err.message:find("abc", 1, true))
  end)
end)
