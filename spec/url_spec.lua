local url = require("batchapi.util.url")

describe("url.encode", function()
  it("keeps only unreserved characters", function()
    assert.equal("AZaz09-._~", url.encode("AZaz09-._~"))
    assert.equal("Client%3A%2FACFP%2FScenario_01", url.encode("Client:/ACFP/Scenario_01"))
    assert.equal("a%20b%2Cc%25", url.encode("a b,c%"))
    assert.equal("%C3%A9", url.encode("é"))
  end)
end)

describe("url.fill", function()
  it("puts each segment in its place, encoded", function()
    assert.equal("/a/x%2Fy/b/%7Bz%7D", url.fill("/a/{one}/b/{two}", { "x/y", "{z}" }))
  end)
end)

describe("url.fill with {+name}", function()
  it("keeps slashes, and a whole URL as it is", function()
    assert.equal("/v1/batches/1%3F:cancel", url.fill("/v1/{+name}:cancel", { "batches/1?" }))
    assert.equal("https://x.example/a?b=c%20d", url.fill("{+url}", { "https://x.example/a?b=c%20d" }))
  end)
end)

describe("url.scalar", function()
  it("writes whole numbers without a point", function()
    assert.equal("5", url.scalar(5.0))
    assert.equal("-3", url.scalar(-3))
    assert.equal("true", url.scalar(true))
  end)

  it("writes fractions so that they read back equal", function()
    assert.equal(0.1, tonumber(url.scalar(0.1)))
  end)
end)

describe("url.add", function()
  local function query(name, value, style)
    local list = {}
    url.add(list, name, value, style)
    return url.query(list)
  end

  it("joins an array with commas, encoded", function()
    assert.equal("opt_fields=body%2Cheaders", query("opt_fields", { "body", "headers" }))
  end)

  it("repeats or brackets the name where that is the style", function()
    assert.equal("s=a&s=b", query("s", { "a", "b" }, "repeat"))
    assert.equal("s%5B%5D=a&s%5B%5D=b", query("s", { "a", "b" }, "bracket"))
  end)

  it("leaves an empty array out", function()
    assert.equal("", query("s", {}))
  end)
end)
