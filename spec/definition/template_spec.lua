-- Templates: "$name" stands for what is known.

local template = require("batchapi.definition.template")


describe("a template", function()
  it("is filled with values, their fields, and texts that only look alike", function()
    local known = { id = "b1", part = { file = { name = "f" } }, list = { 1, 2 } }
    assert.are.same({ a = "b1", b = "f", c = "$id", d = 3, e = { 1, 2 }, f = "cost: $5" }, template.fill(
      { a = "$id", b = "$part.file.name", c = "$$id", d = 3, e = "$list", f = "cost: $5" }, known))
    assert.are.equal("b1", template.fill("$id", known))
    assert.is_false(template.fill("$no", { no = false }))
  end)

  it("leaves out what is not known, and a table of nothing but that", function()
    assert.are.same({ a = 1 }, template.fill({ a = 1, b = "$x" }, {}))
    assert.are.same({ a = 1 }, template.fill({ a = 1, expires = { anchor = "created", seconds = "$x" } }, {}))
    assert.are.same({ expires = { anchor = "created", seconds = 5 } },
      template.fill({ expires = { anchor = "created", seconds = "$x" } }, { x = 5 }))
    assert.are.same({ inner = { fixed = 1 } }, template.fill({ inner = { fixed = 1 } }, {}))
  end)

  it("leaves what it was made of as it was", function()
    local made = { a = { b = "$x" } }
    template.fill(made, { x = 1 })
    assert.are.same({ a = { b = "$x" } }, made)
  end)

  it("keeps arguments in their places", function()
    local arguments = template.arguments({ "$a", "$b", { c = "$c" } }, { c = 3 })
    assert.are.equal(3, arguments.n)
    assert.is_nil(arguments[1])
    assert.is_nil(arguments[2])
    assert.are.same({ c = 3 }, arguments[3])
  end)

  it("tells the names it has, and whether a text is one of its values", function()
    local made = { { a = "$x.y", b = { "$z", "$$no" } }, 5 }
    assert.are.same({ x = true, z = true }, template.names(made, {}))
    assert.is_true(template.has(made, "$z"))
    assert.is_false(template.has(made, "$x"))
  end)

  it("puts a value at a path without touching what it was", function()
    local request = { body = { input = { 1 } }, url = "/x" }
    local changed = template.put(request, "body.page.offset", 7)
    assert.are.same({ body = { input = { 1 }, page = { offset = 7 } }, url = "/x" }, changed)
    assert.are.same({ body = { input = { 1 } }, url = "/x" }, request)
    assert.are.same({ a = 1 }, template.put(nil, "a", 1))
    assert.are.same({}, template.put({ a = 1 }, "a", nil))
  end)
end)
