local batchapi = require("batchapi")
local core = require("batchapi.core")
local definition = require("batchapi.definition")
local wait = require("batchapi.client.wait")

local openai, factset = definition.load("openai"), definition.load("factset")

-- A client that answers polls from a list; the last answer stays.
local function client_of(service, answers)
  local client = { _definition = service, _settings = {}, _context = { host = "block" }, polls = 0 }
  client._core = { closed = function()
    return client.closed
  end }
  function client:_call(name, arguments, overrides)
    self.polls = self.polls + 1
    self.last = { name = name, id = arguments[1], timeout = overrides.timeout }
    local answer = answers[math.min(self.polls, #answers)]
    if type(answer) == "function" then
      answer = answer(self)
    end
    if type(answer) == "string" then
      return nil, answer, { kind = "http", message = answer }
    end
    return answer, nil, { status = answer.http or 200, retry_after = answer.retry_after, attempts = 1,
      ratelimit = answer.ratelimit }
  end
  return client
end

local quick = { interval = 0.001, max_interval = 0.002, timeout = 5 }

describe("wait", function()
  it("polls until the work has ended, and shows each answer", function()
    local seen = {}
    local client = client_of(openai, { { status = "validating" }, { status = "in_progress" }, { status = "completed" } })
    local answer, why, response = wait.wait(client, "b", {
      interval = 0.001, on_update = function(batch)
        seen[#seen + 1] = batch.status
      end,
    })
    assert.equal("completed", answer.status)
    assert.is_nil(why)
    assert.equal(200, response.status)
    assert.same({ "validating", "in_progress", "completed" }, seen)
    assert.equal("retrieve_batch", client.last.name)
    assert.equal("b", client.last.id)
  end)

  it("returns what was cancelled or has expired", function()
    for _, status in ipairs{ "cancelled", "expired", "COMPLETED", "Expired" } do
      assert.equal(status, wait.wait(client_of(openai, { { status = status } }), "b", quick).status)
    end
  end)

  it("takes an unknown state for running", function()
    local client = client_of(openai, { { status = "pre_schedule" }, { status = "completed" } })
    assert.equal("completed", wait.wait(client, "b", quick).status)
    assert.equal(2, client.polls)
  end)

  it("gives the service's reasons when nothing ran", function()
    local failed = { status = "failed", errors = { data = {
      { code = "invalid_json_line", message = "not JSON", line = 3 }, { code = "empty_file", message = "empty" },
    } } }
    local answer, why, err = wait.wait(client_of(openai, { failed }), "batch_1", quick)
    assert.is_nil(answer)
    assert.equal("wait: batch_1 ended as failed: line 3: invalid_json_line: not JSON; empty_file: empty", why)
    assert.equal("job", err.kind)
    assert.equal("invalid_json_line", err.code)
    assert.equal(failed, err.body)
  end)

  it("ends at its own deadline with the last answer", function()
    local client = client_of(openai, { { status = "in_progress" } })
    local begun = core.now()
    local answer, why, err = wait.wait(client, "b", { interval = 0.01, timeout = 0.1 })
    assert.is_nil(answer)
    assert.equal("timeout", err.kind)
    assert.is_true(err.retryable)
    assert.equal("in_progress", err.body.status)
    assert.matches("^wait: b is still in_progress after 0.1 s", why)
    assert.is_true(core.now() - begun < 2)
    assert.is_true(client.last.timeout <= 0.1)
  end)

  it("slows down to the longest interval", function()
    local client = client_of(openai, { { status = "in_progress" } })
    wait.wait(client, "b", { interval = 0.01, max_interval = 0.05, timeout = 0.5 })
    assert.is_true(client.polls >= 5 and client.polls <= 20, tostring(client.polls))
  end)

  it("waits as long as the service asks", function()
    local client = client_of(openai, { { status = "in_progress", retry_after = 0.3 }, { status = "completed" } })
    local begun = core.now()
    assert.truthy(wait.wait(client, "b", quick))
    assert.is_true(core.now() - begun >= 0.29)
  end)

  it("waits for the rate window when nothing is left in it", function()
    local client = client_of(openai, {
      { status = "in_progress", ratelimit = { remaining = 0, reset = 0.3 } },
      { status = "completed", ratelimit = { remaining = 0, reset = 0.3 } },
    })
    local begun = core.now()
    assert.truthy(wait.wait(client, "b", quick))
    assert.is_true(core.now() - begun >= 0.29)
  end)

  it("hands on the failure of a poll", function()
    local answer, why = wait.wait(client_of(openai, { "retrieve_batch: 404: no" }), "b", quick)
    assert.is_nil(answer)
    assert.equal("retrieve_batch: 404: no", why)
  end)

  it("ends as closed when the client is closed meanwhile", function()
    local client = client_of(openai, { function(self)
      self.closed = true
      return { status = "in_progress" }
    end })
    local _, _, err = wait.wait(client, "b", quick)
    assert.equal("closed", err.kind)
  end)

  it("raises on misuse", function()
    local client = client_of(openai, { { status = "completed" } })
    assert.has_error(function() wait.wait(client) end)
    assert.has_error(function() wait.wait(client, "b", { intervall = 1 }) end)
    assert.has_error(function() wait.wait(client, "b", { interval = 0 }) end)
    assert.has_error(function() wait.wait(client_of(definition.load("robotoff"), {}), "b") end)
  end)
end)

describe("wait for FactSet", function()
  it("trusts the body over the status code", function()
    local client = client_of(factset, {
      { data = { status = "executing" }, http = 201 }, { data = { status = "completed" }, http = 202 },
    })
    assert.equal("completed", wait.wait(client, "b", quick).data.status)
    assert.equal(2, client.polls)
  end)

  it("takes the status code where the body says nothing", function()
    local client = client_of(factset, { { http = 202 }, { http = 201 } })
    assert.truthy(wait.wait(client, "b", quick))
    assert.equal(2, client.polls)
  end)
end)

describe("wait for a service without a state", function()
  it("looks at what is left", function()
    local counting = definition.load{
      name = "counting", base_url = "https://example.org",
      operations = { { name = "get", method = "GET", path = "/b/{id}" } },
      wait = { operation = "get", status = "status", done = {},
        pending = { zero = "state.pending", positive = "state.all" } },
    }
    local client = client_of(counting, {
      { state = { pending = 0, all = 0 } }, { state = { pending = 1, all = 2 } }, { state = { pending = 0, all = 2 } },
    })
    assert.truthy(wait.wait(client, "b", quick))
    assert.equal(3, client.polls)
  end)
end)

describe("client:wait", function()
  it("raises when there is nothing to wait for", function()
    local client = assert(batchapi.robotoff{ batch_job_key = "k" })
    assert.has_error(function()
      client:wait("x")
    end)
  end)
end)
