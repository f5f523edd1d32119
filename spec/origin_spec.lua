local batchapi = require("batchapi")
local origin = require("batchapi.util.origin")
local sandbox = require("support.sandbox")

describe("origin.of", function()
  it("is scheme, host and port, in lower case, the default port left out", function()
    assert.equal("https://a.example", origin.of("HTTPS://A.Example:443/x?y"))
    assert.equal("http://a.example", origin.of("http://a.example:80"))
    assert.equal("http://a.example:443", origin.of("http://a.example:443/"))
    assert.equal("https://a.example:8443", origin.of("https://a.example:8443/v1"))
  end)
end)

describe("a request to another origin", function()
  it("carries nothing that the client's options say", function()
    sandbox.reset()
    local client = assert(batchapi.openai{ organization = "org-1", headers = { ["X-Mine"] = "yes" } })
    local url = os.getenv("BATCHAPI_SANDBOX_OTHER_URL") .. "/v1/files"
    local _, _, err = client:request{ path = url, headers = { ["X-Asked"] = "yes" } }
    assert.equal(401, err.status)
    local headers = sandbox.last().headers
    assert.equal("yes", headers["x-asked"])
    for _, name in ipairs{ "authorization", "openai-organization", "x-mine" } do
      assert.is_nil(headers[name], name)
    end
    assert(client:request{ path = os.getenv("OPENAI_BASE_URL") .. "/files" })
    assert.equal("yes", sandbox.last().headers["x-mine"])
  end)
end)
