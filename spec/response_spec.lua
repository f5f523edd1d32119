local core = require("batchapi.core")
local response = require("batchapi.call.response")

describe("response.reset_seconds", function()
  it("reads seconds, durations, epochs and dates", function()
    assert.equal(30, response.reset_seconds("30"))
    assert.equal(1, response.reset_seconds("1s"))
    assert.equal(360, response.reset_seconds("6m0s"))
    assert.equal(0.12, response.reset_seconds("120ms"))
    assert.equal(3723, response.reset_seconds("1h2m3s"))
    local soon = response.reset_seconds(tostring(math.floor(core.wall()) + 100))
    assert.is_true(soon > 90 and soon <= 100)
    local date = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(core.wall()) + 100)
    local left = response.reset_seconds(date)
    assert.is_true(left > 90 and left <= 101)
  end)

  it("takes the zone of a date into account", function()
    local east = os.date("!%Y-%m-%dT%H:%M:%S+02:00", math.floor(core.wall()) + 7300)
    local left = response.reset_seconds(east)
    assert.is_true(left > 90 and left <= 101)
  end)

  it("gives nil for what it does not know", function()
    assert.is_nil(response.reset_seconds("soon"))
    assert.is_nil(response.reset_seconds(nil))
  end)
end)

describe("response.of", function()
  local words = { response = { request_id = { "x-key" }, limit = { "l" }, remaining = { "r" }, reset = { "t" } } }

  it("finds the id and the limits where the definition says", function()
    local made = response.of(words, {
      status = 200, headers = { ["x-key"] = "k", l = "10", r = "9", t = "2s" }, attempts = 1, elapsed = 0.5,
      reused = true,
    })
    assert.same({ limit = 10, remaining = 9, reset = 2 }, made.ratelimit)
    assert.equal("k", made.request_id)
    assert.is_true(made.reused)
  end)

  it("has a table of limits even when nothing is said", function()
    assert.same({}, response.of(words, { status = 200, headers = {}, attempts = 1 }).ratelimit)
  end)

  it("is nothing when no answer came", function()
    assert.is_nil(response.of(words, { status = 0 }))
  end)
end)
