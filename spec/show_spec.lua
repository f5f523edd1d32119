local batchapi = require("batchapi")
local errors = require("batchapi.util.errors")

describe("batchapi.show", function()
  it("writes small tables in one line, keys in order", function()
    assert.equal('{ 1, 2, a = "x", b = true }', batchapi.show{ 1, 2, b = true, a = "x" })
  end)

  it("tells an empty array from an empty table, and null", function()
    assert.equal("[]", batchapi.show(batchapi.array{}))
    assert.equal("{}", batchapi.show{})
    assert.equal("null", batchapi.show(batchapi.null))
  end)

  it("breaks what is long over lines", function()
    local text = batchapi.show{ first = ("a"):rep(50), second = ("b"):rep(50) }
    assert.matches('^{\n  first = "a+",\n  second = "b+"\n}$', text)
  end)

  it("shortens long strings, long lists and deep tables", function()
    assert.matches('^"x+…" %(500 bytes%)$', batchapi.show(("x"):rep(500)))
    local list = {}
    for i = 1, 50 do
      list[i] = i
    end
    assert.matches("… and 30 more", batchapi.show(list))
    assert.equal("{ a = { b = { … } } }", batchapi.show({ a = { b = { c = 1 } } }, { depth = 2 }))
  end)

  it("stands a table that holds itself", function()
    local loop = {}
    loop.me = loop
    assert.equal("{ me = { … itself … } }", batchapi.show(loop))
  end)

  it("keeps control characters on their line", function()
    assert.equal('"a\\n\\"b\\0"', batchapi.show("a\n\"b\0"))
  end)

  it("shows an error's fields", function()
    local err = errors.new{ kind = "http", operation = "x", message = "y", status = 404 }
    assert.matches("status = 404", batchapi.show(err))
  end)

  it("raises on an option it does not have", function()
    assert.has_error(function()
      batchapi.show({}, { dept = 1 })
    end)
  end)
end)
