-- runs on: lua5.4
-- The sandbox's OpenAI batches: states, clock, validation, results.

local cjson = require("cjson")
local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local line = sandbox.line


local function freeze()
  sandbox.control("POST", "/clock", { freeze = true })
end


describe("a batch of the sandbox", function()
  before_each(function()
    sandbox.control("POST", "/reset")
    freeze()
  end)

  it("goes through its states as the clock is moved", function()
    local batch = sandbox.create(line("a") .. line("b") .. line("c") .. line("d"), { metadata = { who = "spec" } })
    assert.equal("validating", batch.status)
    assert.same({ total = 0, completed = 0, failed = 0 }, batch.request_counts)
    assert.equal(cjson.null, batch.in_progress_at)
    assert.equal(batch.created_at + 86400, batch.expires_at)
    sandbox.advance(0.1)
    assert.equal("in_progress", sandbox.batch(batch.id).status)
    sandbox.advance(0.16)
    assert.same({ total = 4, completed = 2, failed = 0 }, sandbox.batch(batch.id).request_counts)
    sandbox.advance(0.15)
    assert.equal("finalizing", sandbox.batch(batch.id).status)
    sandbox.advance(0.1)
    local done = sandbox.batch(batch.id)
    assert.equal("completed", done.status)
    assert.same({ total = 4, completed = 4, failed = 0 }, done.request_counts)
    assert.equal("spec", done.metadata.who)
    assert.equal(cjson.null, done.error_file_id)
    assert.equal(cjson.null, done.errors)
  end)

  it("answers every line by the rules of the README", function()
    local batch = sandbox.create(line("a") .. line("b",
      '"model":"fail-429","messages":[{"role":"user","content":"x"}]'))
    sandbox.advance(2)
    local done = sandbox.batch(batch.id)
    local good, bad = sandbox.results(done.output_file_id), sandbox.results(done.error_file_id)
    assert.equal(1, #good)
    local result = cjson.decode(good[1])
    assert.equal("a", result.custom_id)
    assert.equal(cjson.null, result.error)
    assert.equal(200, result.response.status_code)
    assert.equal("echo: a", result.response.body.choices[1].message.content)
    result = cjson.decode(bad[1])
    assert.equal("b", result.custom_id)
    assert.equal(429, result.response.status_code)
    assert.equal("rate_limit_exceeded", result.response.body.error.code)
    assert.equal(1, done.usage.input_tokens)
  end)

  it("expires with what was finished, and says so of the rest", function()
    local batch = sandbox.create(line("a") .. line("b", '"model":"never"') .. line("c"))
    sandbox.advance(3600)
    assert.equal("in_progress", sandbox.batch(batch.id).status)
    sandbox.advance(86400)
    local done = sandbox.batch(batch.id)
    assert.equal("expired", done.status)
    assert.same({ total = 3, completed = 2, failed = 0 }, done.request_counts)
    assert.equal(2, #sandbox.results(done.output_file_id))
    local result = cjson.decode(sandbox.results(done.error_file_id)[1])
    assert.equal(cjson.null, result.response)
    assert.equal("batch_expired", result.error.code)
  end)

  it("is cancelled after a while, with what was finished", function()
    local batch = sandbox.create(line("a") .. line("b") .. line("c") .. line("d"))
    sandbox.advance(0.25)
    assert.equal("cancelling", sandbox.call("POST", "/batches/" .. batch.id .. "/cancel").json.status)
    sandbox.advance(0.3)
    local done = sandbox.batch(batch.id)
    assert.equal("cancelled", done.status)
    assert.equal(2, #sandbox.results(done.output_file_id))
    assert.equal(409, sandbox.call("POST", "/batches/" .. batch.id .. "/cancel").status)
  end)

  it("follows the words of its metadata", function()
    local five = line("a") .. line("b") .. line("c") .. line("d") .. line("e")
    local batch = sandbox.create(five, { metadata = { sandbox = "ordered drop=1 duplicate=1 stranger=1 garbage=1" } })
    sandbox.advance(2)
    local lines = sandbox.results(sandbox.batch(batch.id).output_file_id)
    local ids = {}
    for i, text in ipairs(lines) do
      ids[i] = text:match('"custom_id":"([^"]*)"') or "broken"
    end
    assert.same({ "b", "b", "stranger-b", "broken", "c", "d", "e" }, ids)
    batch = sandbox.create(five, { metadata = { sandbox = "window=1 expire=0.4" } })
    sandbox.advance(2)
    batch = sandbox.batch(batch.id)
    assert.equal("expired", batch.status)
    assert.same({ total = 5, completed = 2, failed = 0 }, batch.request_counts)
  end)

  it("has results that go wrong by a rule for its creation", function()
    sandbox.control("POST", "/faults", { { match = { operation = "openai.create_batch", nth = 1 },
      fault = { type = "lines", drop = 2, duplicate = 1, no_newline = true } } })
    local broken, whole = sandbox.create(line("a") .. line("b") .. line("c")), sandbox.create(line("a"))
    sandbox.advance(2)
    local id = sandbox.batch(broken.id).output_file_id
    local text = sandbox.call("GET", "/files/" .. id .. "/content").body
    assert.equal(2, select(2, text:gsub('"custom_id":"c"', "")))
    assert.is_nil(text:find('"custom_id":"[ab]"'))
    assert.is_nil(text:find("\n$"))
    assert.equal(1, #sandbox.results(sandbox.batch(whole.id).output_file_id))
  end)

  it("gives its results in another order, the same for the same seed", function()
    local text, ids = "", {}
    for i = 1, 50 do
      text = text .. line("r" .. i)
    end
    for run = 1, 2 do
      sandbox.control("POST", "/reset")
      freeze()
      local batch = sandbox.create(text)
      sandbox.advance(2)
      local order = {}
      for i, result in ipairs(sandbox.results(sandbox.batch(batch.id).output_file_id)) do
        order[i] = cjson.decode(result).custom_id
      end
      ids[run] = table.concat(order, " ")
      assert.equal(50, #order)
    end
    assert.equal(ids[1], ids[2])
    assert.is_nil(ids[1]:find("^r1 r2 r3 r4 r5"))
  end)

  local faults = {
    { "invalid_json_line", line("a") .. "{oops\n", 2 },
    { "invalid_json_line", line("a") .. "\n" .. line("b"), 2 },
    { "duplicate_custom_id", line("a") .. line("b") .. line("a"), 3 },
    { "url_mismatch", line("a") .. (line("b"):gsub("/v1/chat/completions", "/v1/embeddings")), 2 },
    { "model_mismatch", line("a") .. line("b", '"model":"other","messages":[]'), 2 },
    { "model_not_found", line("a", '"model":"no-such-model","messages":[]'), 1 },
    { "missing_required_parameter", '{"method":"POST","url":"/v1/chat/completions","body":{}}\n', 1, "custom_id" },
    { "invalid_method", (line("a"):gsub("POST", "GET")), 1 },
    { "invalid_request", line("a", '"model":"m","stream":true'), 1 },
    { "empty_file", "", cjson.null },
  }
  for _, fault in ipairs(faults) do
    it("fails with " .. fault[1] .. " at line " .. tostring(fault[3]), function()
      local batch = sandbox.create(fault[2])
      sandbox.advance(1)
      batch = sandbox.batch(batch.id)
      assert.equal("failed", batch.status)
      assert.equal(fault[1], batch.errors.data[1].code)
      assert.equal(fault[3], batch.errors.data[1].line)
      assert.equal(fault[4] or batch.errors.data[1].param, batch.errors.data[1].param)
      assert.equal(cjson.null, batch.output_file_id)
    end)
  end

  it("fails when it has too many lines, or too many tokens are enqueued", function()
    sandbox.control("POST", "/settings", { max_batch_lines = 2 })
    local batch = sandbox.create(line("a") .. line("b") .. line("c"))
    sandbox.advance(0.1)
    sandbox.control("POST", "/settings", { max_batch_lines = 50000, enqueued_token_limit = 10 })
    local other = sandbox.create(line("a"))
    sandbox.advance(1)
    assert.equal("too_many_tasks", sandbox.batch(batch.id).errors.data[1].code)
    assert.equal("token_limit_exceeded", sandbox.batch(other.id).errors.data[1].code)
  end)

  it("is refused with the parameter's name", function()
    local long = ("k"):rep(65)
    local many = {}
    for i = 1, 17 do
      many["k" .. i] = "v"
    end
    local file = sandbox.upload(line("a")).id
    local cases = {
      { { endpoint = cjson.null }, "missing_required_parameter", "endpoint" },
      { { input_file_id = cjson.null }, "missing_required_parameter", "input_file_id" },
      { { completion_window = "1h" }, "invalid_value", "completion_window" },
      { { endpoint = "/v1/nope" }, "invalid_value", "endpoint" },
      { { metadata = many }, "object_above_max_properties", "metadata" },
      { { metadata = { [long] = "v" } }, "string_above_max_length", "metadata" },
      { { metadata = { k = ("v"):rep(513) } }, "string_above_max_length", "metadata.k" },
      { { metadata = { k = 1 } }, "invalid_type", "metadata.k" },
      { { output_expires_after = { anchor = "created_at", seconds = 5 } }, "invalid_value",
        "output_expires_after.seconds" },
      { { input_file_id = "file-nope" }, cjson.null, "file_id" },
    }
    for _, case in ipairs(cases) do
      local wish = { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" }
      for name, value in pairs(case[1]) do
        wish[name] = value
      end
      local answer = sandbox.call("POST", "/batches", { json = wish })
      assert.equal(400, answer.status, answer.body)
      assert.equal(case[2], answer.json.error.code)
      assert.equal(case[3], answer.json.error.param)
      assert.is_string(answer.headers["x-request-id"])
    end
  end)

  it("can be missing from the list at first, and there can be too many in an hour", function()
    sandbox.control("POST", "/settings", { batch_visibility_delay = 10, max_batches_per_hour = 1 })
    local file = sandbox.upload(line("a")).id
    local wish = { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" }
    local id = sandbox.call("POST", "/batches", { json = wish }).json.id
    assert.equal(0, #sandbox.call("GET", "/batches").json.data)
    assert.equal(id, sandbox.batch(id).id)
    local answer = sandbox.call("POST", "/batches", { json = wish })
    assert.same({ 429, "rate_limit_exceeded" }, { answer.status, answer.json.error.code })
    sandbox.advance(tonumber(answer.headers["retry-after"]))
    assert.equal(1, #sandbox.call("GET", "/batches").json.data)
    assert.equal(200, sandbox.call("POST", "/batches", { json = wish }).status)
  end)

  it("appears in pages, newest first", function()
    local file, made = sandbox.upload(line("a")).id, {}
    for i = 1, 5 do
      local wish = { input_file_id = file, endpoint = "/v1/chat/completions", completion_window = "24h" }
      made[6 - i] = sandbox.call("POST", "/batches", { json = wish }).json.id
    end
    local page = sandbox.call("GET", "/batches?limit=2").json
    assert.same({ made[1], made[2] }, { page.data[1].id, page.data[2].id })
    assert.is_true(page.has_more)
    assert.equal(made[2], page.last_id)
    page = sandbox.call("GET", "/batches?limit=2&after=" .. made[4]).json
    assert.equal(made[5], page.data[1].id)
    assert.is_false(page.has_more)
    for _, limit in ipairs { "0", "101", "x" } do
      local answer = sandbox.call("GET", "/batches?limit=" .. limit)
      assert.equal(400, answer.status)
      assert.equal("limit", answer.json.error.param)
    end
  end)
end)


describe("the sandbox's clock", function()
  before_each(function()
    sandbox.control("POST", "/reset")
  end)

  it("stands, moves and hastens", function()
    freeze()
    local before = sandbox.control("GET", "/clock")
    assert.is_true(before.frozen)
    assert.equal(before.now, sandbox.control("GET", "/clock").now)
    sandbox.advance(100)
    assert.near(before.now + 100, sandbox.control("GET", "/clock").now, 0.001)
    sandbox.control("POST", "/clock", { freeze = false, speed = 1000 })
    local text = line("a")
    local batch = sandbox.create(text, { metadata = { sandbox = "in_progress=200" } })
    local status
    for _ = 1, 5000 do
      status = sandbox.batch(batch.id).status
      if status == "completed" then
        break
      end
    end
    assert.equal("completed", status)
  end)

  it("refuses what it cannot do", function()
    for _, wish in ipairs { { speed = 0 }, { advance = -1 }, { freeze = "yes" } } do
      assert.equal(400, curl.request("POST", sandbox.url .. "/_control/clock", { json = wish }).status)
    end
  end)
end)
