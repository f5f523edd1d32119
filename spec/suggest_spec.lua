local suggest = require("batchapi.util.suggest")

describe("suggest.nearest", function()
  local known = { "timeout", "connect_timeout", "headers", "api_key" }

  it("finds the word with the fewest letters to change", function()
    assert.equal("timeout", suggest.nearest("timout", known))
    assert.equal("connect_timeout", suggest.nearest("conect_timeout", known))
    assert.equal("api_key", suggest.nearest("apikey", known))
  end)

  it("does not mind the case", function()
    assert.equal("headers", suggest.nearest("Headers", known))
  end)

  it("names nothing when nothing is near", function()
    assert.is_nil(suggest.nearest("zebra", known))
    assert.is_nil(suggest.nearest("x", {}))
  end)
end)

describe("suggest.hint", function()
  it("is a clause for a message, or empty", function()
    assert.equal("; did you mean 'headers'?", suggest.hint("header", { "headers" }))
    assert.equal("", suggest.hint("zebra", { "headers" }))
  end)
end)
