-- What an answer says of a batch: the one place that reads states.

local backoff = require("batchapi.watch.backoff")
local states = require("batchapi.watch.states")

-- A definition whose wait has these words besides.
local function definition(wait, watch)
  wait.operation, wait.status = "look", wait.status or "status"
  wait.done = wait.done or { "Completed", "expired", "cancelled" }
  wait.failed = wait.failed or { "FAILED" }
  return { wait = wait, run = { watch = watch or { expired = { "expired" }, cancelled = { "cancelled" } } } }
end

local function outcome(described, answer, status)
  return states.read(described, answer, status, true).outcome
end


describe("the state of a batch", function()
  it("is read without regard to case, and an unknown one runs", function()
    local words = definition{}
    for word, expected in pairs{ completed = "completed", COMPLETED = "completed", Failed = "failed", expired = "expired",
      cancelled = "cancelled" } do
      assert.are.equal(expected, outcome(words, { status = word }))
    end
    for _, word in ipairs{ "in_progress", "whatever comes", "" } do
      assert.is_nil(outcome(words, { status = word }))
    end
    assert.is_nil(outcome(words, {}))
    assert.is_nil(outcome(words, { status = 7 }))
  end)

  it("goes before the HTTP status, which counts only where there is none", function()
    local words = definition{ done_statuses = { 201 } }
    assert.are.equal("completed", outcome(words, {}, 201))
    assert.is_nil(outcome(words, {}, 200))
    assert.is_nil(outcome(words, { status = "running" }, 201))
  end)

  it("is read from counts where the service has no words", function()
    local words = definition{ pending = { zero = "left", positive = "all" } }
    assert.are.equal("completed", outcome(words, { left = 0, all = 3 }))
    assert.is_nil(outcome(words, { left = 1, all = 3 }))
    assert.is_nil(outcome(words, { left = 0, all = 0 }))
  end)

  it("is an end where the service names when it ended", function()
    local words = definition{ ended = "ended_at" }
    assert.are.equal("completed", outcome(words, { status = "weird", ended_at = 5 }))
    assert.is_nil(outcome(words, { status = "weird" }))
  end)

  it("is not ready while it does not name what it made", function()
    local words = definition{ needs = {
      { any = { "output" }, count = "counts.done" }, { any = { "errors" }, count = "counts.bad" },
    } }
    local function lacks(answer)
      return states.read(words, answer, nil, true).lacks
    end
    assert.are.equal("output", lacks{ status = "completed", counts = { done = 2, bad = 0 } })
    assert.are.equal("errors", lacks{ status = "completed", output = "f", counts = { done = 2, bad = 1 } })
    assert.is_nil(lacks{ status = "completed", output = "f", counts = { done = 2, bad = 0 } })
    assert.is_nil(lacks{ status = "failed", counts = { done = 2 } })
    assert.is_nil(lacks{ status = "in_progress", counts = { done = 2 } })
  end)
end)


describe("what a batch tells besides", function()
  it("is how far it is, in numbers alone", function()
    local run = { watch = { counts = { total = "c.t", completed = "c.d", failed = "c.f" } } }
    assert.are.same({ total = 3, completed = 1 }, states.counts(run, { c = { t = 3, d = 1, f = "x" } }))
    assert.is_nil(states.counts({}, { c = {} }))
  end)

  it("is why it failed, in a list or alone", function()
    local listed = definition{ reasons = { list = "errors", code = "code", message = "text", line = "at" } }
    assert.are.same({ { code = "a", message = "b", line = 3 }, { code = "7" } },
      states.reasons(listed, { errors = { { code = "a", text = "b", at = 3 }, { code = 7, text = {} } } }))
    local alone = definition{ reasons = { message = "why" } }
    assert.are.same({ { message = "it broke" } }, states.reasons(alone, { why = "it broke" }))
    assert.is_nil(states.reasons(definition{}, {}))
  end)
end)


describe("pauses between tries", function()
  it("grow to a bound, and are what the service asks for", function()
    local pauses = backoff.new(1, 5)
    assert.are.same({ 1, 2, 4, 5, 5 }, { pauses:next(), pauses:next(), pauses:next(), pauses:next(), pauses:next() })
    pauses = backoff.new(1, 60, 1.5)
    assert.are.same({ 1, 30, 2.25 }, { pauses:next(), pauses:next(30), pauses:next() })
    assert.are.equal(2, backoff.new(9, 2):next())
  end)
end)
