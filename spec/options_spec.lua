local batchapi = require("batchapi")

local constructors = {
  openai = { api_key = "k" }, asana = { access_token = "k" }, factset = { username = "U-1", api_key = "k" },
  robotoff = { batch_job_key = "k" }, groq = { api_key = "k" }, anthropic = { api_key = "k" },
  mistral = { api_key = "k" }, msgraph = { access_token = "k" },
  azure = { api_key = "k", endpoint = "https://x.example.org" },
}

-- Runs a function with an environment of its own.
local function with_environment(variables, f)
  local real = os.getenv
  os.getenv = function(name) -- luacheck: ignore
    return variables[name]
  end
  local results = { pcall(f) }
  os.getenv = real -- luacheck: ignore
  assert(results[1], results[2])
  return results[2], results[3], results[4]
end

local function misuse(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

describe("a constructor", function()
  it("makes a client of its credentials alone", function()
    with_environment({}, function()
      for name, options in pairs(constructors) do
        local client = assert(batchapi[name](options))
        assert.matches("^batchapi%.client %(" .. name .. ", https://", tostring(client))
      end
    end)
  end)

  it("reads credentials, address and more from the environment", function()
    local client = with_environment({
      OPENAI_API_KEY = "k", OPENAI_BASE_URL = "http://127.0.0.1:9/v1/", OPENAI_ORG_ID = "org", OPENAI_PROJECT_ID = "p",
    }, function()
      return assert(batchapi.openai())
    end)
    assert.matches("http://127.0.0.1:9/v1,", tostring(client), 1, true)
    with_environment({ ASANA_ACCESS_TOKEN = "k", ASANA_BASE_URL = "http://127.0.0.1:9" }, function()
      assert.matches("http://127.0.0.1:9,", tostring(assert(batchapi.asana())), 1, true)
    end)
    with_environment({ FACTSET_USERNAME = "u", FACTSET_API_KEY = "k", FACTSET_BASE_URL = "http://127.0.0.1:9" }, function()
      assert(batchapi.factset())
    end)
    with_environment({ BATCH_JOB_KEY = "k", ROBOTOFF_BASE_URL = "http://127.0.0.1:9" }, function()
      assert(batchapi.robotoff{})
    end)
  end)

  it("takes an option before the environment, and an empty variable for none", function()
    with_environment({ OPENAI_API_KEY = "", OPENAI_BASE_URL = "http://127.0.0.1:8" }, function()
      assert.is_nil((batchapi.openai{}))
      local client = assert(batchapi.openai{ api_key = "k", base_url = "http://127.0.0.1:9" })
      assert.matches("127.0.0.1:9,", tostring(client), 1, true)
    end)
  end)

  it("says which option and variable are missing", function()
    local expected = {
      openai = { "api_key", "OPENAI_API_KEY" }, asana = { "access_token", "ASANA_ACCESS_TOKEN" },
      factset = { "username", "FACTSET_USERNAME", "api_key", "FACTSET_API_KEY", "app_config", "FACTSET_APP_CONFIG" },
      robotoff = { "batch_job_key", "BATCH_JOB_KEY" },
    }
    for name, words in pairs(expected) do
      local client, message, err = with_environment({}, function()
        return batchapi[name]{}
      end)
      assert.is_nil(client)
      assert.equal("auth", err.kind)
      assert.equal(message, tostring(err))
      for _, word in ipairs(words) do
        assert.truthy(message:find(word, 1, true), message)
      end
    end
  end)

  it("names the half that is missing", function()
    local client, message = with_environment({}, function()
      return batchapi.factset{ username = "u" }
    end)
    assert.is_nil(client)
    assert.matches("api_key is missing: give the option api_key or the variable FACTSET_API_KEY", message)
  end)

  it("raises on an unknown option, at the caller's line, and names the nearest", function()
    misuse("options_spec%.lua:%d+: openai has no option 'api_kye'; did you mean 'api_key'", function()
      batchapi.openai{ api_kye = "k" }
    end)
    misuse("did you mean 'max_retries'", batchapi.openai, { api_key = "k", max_retrys = 3 })
    misuse("no option 'organization'", batchapi.asana, { access_token = "k", organization = "x" })
  end)

  it("raises on values that do not fit", function()
    local function with(name, value)
      return function()
        batchapi.openai{ api_key = "k", [name] = value }
      end
    end
    misuse("option timeout must be a number, got a string", with("timeout", "5"))
    misuse("option timeout must be more than 0, got 0", with("timeout", 0))
    misuse("option max_retries must be an integer", with("max_retries", 1.5))
    misuse("option max_connections must be between 1 and", with("max_connections", 0))
    misuse("option host must be one of .* did you mean 'openresty'", with("host", "openrestry"))
    misuse("option http_version must be one of 1.1, 2", with("http_version", "3"))
    misuse("option headers: 'a b' is no header name", with("headers", { ["a b"] = "c" }))
    misuse("option headers: a must be a string of one line", with("headers", { a = "b\r\nc" }))
    misuse("give credentials as options", with("headers", { Authorization = "Bearer x" }))
    misuse("option base_url must begin with", with("base_url", "example.org"))
    misuse("must hold no user or password", with("base_url", "https://a:b@example.org"))
    misuse("must hold no query", with("base_url", "https://example.org/?a=b"))
    misuse("option api_key must be a string, got a number", function()
      batchapi.openai{ api_key = 5 }
    end)
    misuse("option client_key needs client_cert", with("client_key", "k.pem"))
    misuse("option json must have", with("json", {}))
    misuse("announces no changes", with("on_change", print))
    misuse("option on_token needs oauth", with("on_token", print))
    misuse("the options must be a table", batchapi.openai, "key")
  end)

  it("does not take two ways to authenticate", function()
    misuse("either app_config or api_key, not both", batchapi.factset,
      { username = "u", api_key = "k", app_config = "x.json" })
    misuse("either api_key or api_key_file, not both", batchapi.openai, { api_key = "k", api_key_file = "f" })
    misuse("api_key_file does not go with oauth", batchapi.asana,
      { api_key_file = "f", oauth = { client_id = "a", client_secret = "b", refresh_token = "c" } })
    misuse("option oauth.refresh_token is missing", batchapi.asana, { oauth = { client_id = "a", client_secret = "b" } })
  end)

  it("sends no credential over plain http to another machine unless told to", function()
    local client, message, err = batchapi.openai{ api_key = "k", base_url = "http://example.org" }
    assert.is_nil(client)
    assert.equal("invalid", err.kind)
    assert.matches("^openai: ", message)
    assert.truthy(batchapi.openai{ api_key = "k", base_url = "http://example.org", allow_insecure = true })
  end)

  it("does not keep or change the table of options", function()
    local options = { api_key = "secret-key-1", timeout = 5 }
    local client = assert(batchapi.openai(options))
    assert.same({ api_key = "secret-key-1", timeout = 5 }, options)
    assert.is_nil(batchapi.show(client._settings):find("secret-key-1", 1, true))
    assert.is_nil(tostring(client):find("secret-key-1", 1, true))
  end)
end)

describe("the defaults that help shows", function()
  it("are the core's", function()
    local options = require("batchapi.client.options").general
    local file = assert(io.open("src/include/batchapi/defaults.h"))
    local header = file:read("*a")
    file:close()
    for _, name in ipairs{
      "timeout", "connect_timeout", "stall_timeout", "max_retries", "max_connections", "max_header_bytes",
      "max_body_bytes",
    } do
      local number, shift = header:match("#define BA_DEFAULT_" .. name:upper() .. " %(?([%d.]+)u?%s*<?<?%s*(%d*)")
      local value = tonumber(number) * 2 ^ (tonumber(shift) or 0)
      assert.equal(value, options[name].default, name)
    end
  end)
end)

describe("client:with", function()
  local client = assert(batchapi.openai{ api_key = "k", base_url = "http://127.0.0.1:9/v1", timeout = 7 })

  it("differs in what is named only", function()
    local derived = assert(client:with{ max_retries = 0 })
    assert.equal(7, derived._settings.timeout)
    assert.equal(0, derived._settings.max_retries)
    assert.is_nil(client._settings.max_retries)
    assert.equal(client._credential, derived._credential)
  end)

  it("raises on an unknown option", function()
    misuse("openai has no option 'timout'", client.with, client, { timout = 5 })
    misuse("a table of options expected", client.with, client)
  end)

  it("wants the credentials again for another origin", function()
    local derived, message = with_environment({}, function()
      return client:with{ base_url = "http://127.0.0.1:10/v1" }
    end)
    assert.is_nil(derived)
    assert.matches("no credentials", message)
    assert.truthy(client:with{ base_url = "http://127.0.0.1:10/v1", api_key = "other" })
    assert.truthy(client:with{ base_url = "http://127.0.0.1:9/v2" })
  end)

  it("is closed apart", function()
    local derived = assert(client:with{ timeout = 1 })
    derived:close()
    misuse("list_batches: the client is closed", function()
      derived:list_batches()
    end)
    assert.matches("in flight", tostring(client))
  end)
end)
