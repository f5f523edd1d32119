local path = require("batchapi.util.path")

describe("path.get", function()
  local value = { error = { code = "x" }, outputs = { { id = 1 }, { id = 2 } }, ["7"] = "seven" }

  it("follows names and positions", function()
    assert.equal("x", path.get(value, "error.code"))
    assert.equal(2, path.get(value, "outputs.2.id"))
  end)

  it("gives the value itself for the empty path", function()
    assert.equal(value, path.get(value, ""))
  end)

  it("takes a step of digits for a name where there is no such position", function()
    assert.equal("seven", path.get(value, "7"))
  end)

  it("takes null for absent", function()
    assert.is_nil(path.get({ a = require("batchapi.core").null }, "a"))
  end)

  it("gives nil where a step is absent or no table", function()
    assert.is_nil(path.get(value, "error.code.deeper"))
    assert.is_nil(path.get(value, "outputs.3.id"))
    assert.is_nil(path.get(nil, "a"))
  end)
end)

describe("path.first", function()
  it("gives the first value that is there, false too", function()
    assert.equal(false, path.first({ b = false }, { "a", "b" }))
    assert.is_nil(path.first({}, { "a", "b" }))
  end)
end)
