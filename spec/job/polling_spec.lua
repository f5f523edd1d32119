local definition = require("batchapi.definition")
local polling = require("batchapi.watch.polling")
local windows = require("batchapi.watch.window")

local openai, mistral = definition.load("openai"), definition.load("mistral")

-- A polling on a clock of its own; `poll` takes what one poll came to after so many seconds.
local function start(more)
  more = more or {}
  local now = 1000
  local clock = { now = function() return now end, wall = function() return now + 1.7e9 end }
  local self = polling.new(more.definition or openai, clock, more.settle or 60, more.heard, true)
  return function(seconds, answer, err)
    now = now + seconds
    return self:take(answer, err and err.message or "failed", err or { status = 200 })
  end, self
end

local running = { status = "in_progress" }
local down = { kind = "http", status = 503, message = "503" }
local unknown = { kind = "http", status = 404, message = "404" }

describe("polling a batch", function()
  it("goes on through an outage of hours, once there was a good answer", function()
    local poll, self = start()
    assert.are.equal("again", (poll(1, running)))
    for _ = 1, 300 do
      assert.are.equal("again", (poll(60, nil, down)))
    end
    assert.are.equal(300, self.trouble.count)
    assert.are.equal("503", self.trouble.message)
    assert.are.equal(1.7e9 + 1061, self.trouble.since)
    assert.are.equal("again", (poll(1, running)))
    assert.is_nil(self.trouble)
  end)

  it("gives up after two minutes without one good answer", function()
    local poll = start()
    for _ = 1, 11 do
      assert.are.equal("again", (poll(10, nil, { kind = "connect", message = "refused" })))
    end
    assert.are.equal("stop", (poll(10, nil, { kind = "connect", message = "refused" })))
  end)

  it("takes no answer that asks to come again for a refusal, however long it says so", function()
    local poll = start()
    local verdict
    for _ = 1, 60 do
      verdict = poll(30, nil, { kind = "http", status = 408, message = "in a moment" })
      assert.is_true(verdict == "again" or verdict == "stop", verdict) -- the wait may end; the batch is not given up
    end
    assert.are.equal("stop", verdict)
  end)

  it("takes a rate limit with Retry-After for an answer", function()
    local poll = start()
    for _ = 1, 30 do
      assert.are.equal("again", (poll(60, nil, { kind = "rate_limit", status = 429, retry_after = 60, message = "429" })))
    end
  end)

  it("waits out what may pass, and nothing else", function()
    for _, status in ipairs{ 408, 409, 423, 425, 500, 502, 503, 504, 520, 522, 524 } do
      assert.are.equal("again", (start{ heard = true }(500, nil, { kind = "http", status = status, message = "x" })))
    end
    for _, kind in ipairs{ "connect", "timeout", "truncated", "rate_limit", "tls" } do
      assert.are.equal("again", (start{ heard = true }(500, nil, { kind = kind, message = "x" })))
    end
    assert.are.equal("again", (start{ heard = true }(500, nil, { kind = "decode", status = 200, message = "HTML" })))
    for _, err in ipairs{ { kind = "auth", status = 401 }, { kind = "auth", status = 403 }, { kind = "closed" },
      { kind = "http", status = 307 }, { kind = "http", status = 429, retryable = false }, { kind = "io" } } do
      err.message = "x"
      assert.are.equal("stop", (start{ heard = true }(1, nil, err)), tostring(err.status))
    end
    assert.are.equal("stop", (start()(1, nil, { kind = "tls", message = "an unknown authority" })))
  end)

  it("believes that a batch is gone after three 404s over the settling time", function()
    local poll = start{ heard = true }
    assert.are.equal("again", (poll(1, nil, unknown)))
    for _ = 1, 3 do
      assert.are.equal("again", (poll(20, nil, unknown)))
    end
    assert.are.equal("gone", (poll(20, nil, unknown)))
    poll = start{ heard = true }
    assert.are.equal("again", (poll(1, nil, unknown)))
    assert.are.equal("again", (poll(100, nil, unknown)))
    assert.are.equal("again", (poll(1, running)))
    assert.are.equal("again", (poll(1, nil, unknown))) -- counted anew
    assert.are.equal("again", (poll(100, nil, unknown)))
    assert.are.equal("gone", (poll(1, nil, unknown)))
  end)

  it("does not take an outage for 404s that follow each other", function()
    local poll = start{ heard = true }
    for _ = 1, 5 do
      assert.are.equal("again", (poll(1, nil, unknown)))
      assert.are.equal("again", (poll(3600, nil, down)))
      assert.are.equal("again", (poll(3600, nil, unknown)))
      assert.are.equal("again", (poll(3600, nil, down)))
    end
  end)

  it("asks again soon while a 404 is believed or not, and never before it is asked to", function()
    local poll, self = start{ heard = true }
    poll(1, nil, unknown)
    assert.are.equal(30, self:pause(600))
    assert.are.equal(45, self:pause(600, { retry_after = 45 }))
    poll(1, running)
    assert.are.equal(600, self:pause(600))
    assert.are.equal(700, self:pause(600, { ratelimit = { remaining = 0, reset = 700 } }))
  end)

  it("waits half an hour for the files that a batch does not name", function()
    local late = { status = "completed", request_counts = { total = 2, completed = 1, failed = 1 }, error_file_id = "e" }
    local poll, self = start()
    assert.are.equal("again", (poll(1, late)))
    assert.is_truthy(self.trouble.message:find("output_file_id", 1, true))
    assert.are.equal("again", (poll(1790, late)))
    local verdict, state = poll(10, late)
    assert.are.equal("late", verdict)
    assert.are.same({ outcome = "completed", word = "completed", lacks = "output_file_id" }, state)
    late.output_file_id = "o"
    assert.are.equal("ended", (poll(1, late)))
  end)

  it("does not wait for files that there is nothing for", function()
    local none = { total = 2, completed = 0, failed = 0 }
    assert.are.equal("ended", (start()(1, { status = "expired", request_counts = none })))
    assert.are.equal("ended", (start()(1, { status = "cancelled" })))
    assert.are.equal("ended", (start()(1, { status = "failed", request_counts = none })))
    assert.are.equal("again", (start()(1, { status = "completed", request_counts = none })))
    local some = { total = 2, completed = 1, failed = 0 }
    assert.are.equal("again", (start()(1, { status = "expired", request_counts = some })))
    local inline = { status = "SUCCESS", succeeded_requests = 1, outputs = { {} } }
    assert.are.equal("ended", (start{ definition = mistral }(1, inline)))
    assert.are.equal("again", (start{ definition = mistral }(1, { status = "SUCCESS", succeeded_requests = 1 })))
  end)

  it("knows a batch that has ended by what is there only then", function()
    local own = definition.load{
      name = "own", base_url = "https://example.org", operations = { { name = "get", method = "GET", path = "/b/{id}" } },
      wait = { operation = "get", status = "status", done = {}, ended = "cancel_time" },
    }
    assert.are.equal("again", (start{ definition = own }(1, { status = "running" })))
    assert.are.equal("ended", (start{ definition = own }(1, { status = "running", cancel_time = "2026-01-01" })))
  end)
end)

describe("the completion window", function()
  it("is read in every form", function()
    local day = 86400
    for text, seconds in pairs{ ["24h"] = day, ["7d"] = 7 * day, ["168h"] = 7 * day, ["30m"] = 1800, ["2 weeks"] = 14 * day,
      ["14 days"] = 14 * day, P7D = 7 * day, PT24H = day, P1DT12H = 1.5 * day, ["3600"] = 3600 } do
      assert.are.equal(seconds, windows.seconds(text), text)
    end
    assert.are.equal(48 * 3600, windows.seconds(48, "h"))
    for _, value in ipairs{ "soon", "", "d", -1, 0, "P", {}, true } do
      assert.is_nil(windows.seconds(value))
    end
  end)

  it("and an hour is how long a job is waited for", function()
    assert.are.equal(90000, windows.timeout(openai.run, { completion_window = "24h" }))
    assert.are.equal(7 * 86400 + 3600, windows.timeout(openai.run, { completion_window = "7d" }))
    assert.are.equal(7 * 86400 + 3600, windows.timeout(mistral.run, { timeout_hours = 168 }))
    assert.are.equal(90000, windows.timeout(mistral.run, {}))
    assert.are.equal(90000, windows.timeout(nil, nil))
  end)
end)
