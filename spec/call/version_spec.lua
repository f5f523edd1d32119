-- batchapi.version(): what runs, and what it was built with.

local batchapi = require("batchapi")
local core = require("batchapi.core")

describe("batchapi.version", function()
  it("tells each library's version as it was built with and as it runs", function()
    local version = batchapi.version()
    assert.equal(batchapi._VERSION, "batchapi " .. version.batchapi)
    assert.equal(core.versions().libcurl.running, version.libcurl.running)
    assert.matches("^%d+%.%d+", version.openssl.built)
    assert.is_boolean(version.features.http2)
  end)

  it("prints as one line, which names what differs and what libcurl lacks", function()
    local version = batchapi.version()
    version.libcurl = { built = "7.88.1", running = "8.14.1" }
    version.zlib = { built = "1.2.13", running = "1.2.13" }
    for feature in pairs(version.features) do
      version.features[feature] = feature ~= "zstd" and feature ~= "brotli"
    end
    local text = tostring(version)
    assert.matches("libcurl 8.14.1 (built with 7.88.1); ", text, 1, true)
    assert.matches("; zlib 1.2.13; libcurl without brotli, zstd$", text)
    assert.is_nil(text:find("\n"))
  end)
end)
