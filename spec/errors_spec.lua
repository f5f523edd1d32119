local errors = require("batchapi.util.errors")

describe("errors.new", function()
  it("begins with the operation and is one line", function()
    local err = errors.new{ kind = "http", operation = "create_batch", message = "a\n  b\tc" }
    assert.equal("create_batch: a b c", err.message)
    assert.equal(err.message, tostring(err))
  end)

  it("fills in what is not said", function()
    local err = errors.new{ kind = "invalid", operation = "x", message = "y" }
    assert.equal(false, err.retryable)
    assert.equal(false, err.sent)
    assert.equal(0, err.attempts)
  end)
end)

describe("errors.fail", function()
  it("gives three values", function()
    local err = errors.new{ kind = "http", operation = "x", message = "y" }
    local value, message, extra = errors.fail(err)
    assert.is_nil(value)
    assert.equal("x: y", message)
    assert.equal(err, extra)
    assert.is_true(errors.is(extra))
  end)
end)

describe("errors.adopt", function()
  it("puts the operation before another layer's message", function()
    local _, message, err = errors.adopt("create_file", { kind = "io", code = "ENOENT", message = "no file" })
    assert.equal("create_file: no file", message)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
  end)

  it("leaves an error that is one already", function()
    local err = errors.new{ kind = "http", operation = "x", message = "y" }
    assert.equal(err, (select(3, errors.adopt("z", err))))
  end)
end)

describe("errors.cut", function()
  it("never cuts within a character", function()
    assert.equal("é…", errors.cut("éé", 3))
    assert.equal("ab", errors.cut("ab", 2))
  end)
end)

describe("errors.misuse", function()
  it("raises at the line of the caller outside the library", function()
    local ok, message = pcall(function()
      errors.misuse("bad %s", "thing")
    end)
    assert.is_false(ok)
    assert.matches("errors_spec%.lua:%d+: bad thing$", message)
  end)
end)
