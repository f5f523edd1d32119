local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


-- How many results there are of each code; of those without a fault, "ok".
local function codes_of(list)
  local codes = {}
  for _, result in ipairs(list) do
    local code = result.ok and "ok" or result.error.code
    codes[code] = (codes[code] or 0) + 1
  end
  return codes
end


describe("a batch that has ended", function()
  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
  end)

  local services = {
    openai = {}, azure = {}, groq = {},
    mistral = { endpoint = "/v1/chat/completions" },
  }
  for name, more in pairs(services) do
    it("is ready when it names its files: " .. name, function()
      local client = assert(batchapi[name]{})
      more.metadata, more.interval = { sandbox = "unnamed=4" }, 0.05
      local list = all(assert(client:run(chats(4, { [2] = "fail-400" }), quick(more))))
      assert.are.equal(3, codes_of(list).ok)
      for _, result in ipairs(list) do
        assert.is_true(result.ok or result.status == 400)
      end
      client:close()
    end)
  end

  it("is waited for so by client:wait too, and the trouble is told", function()
    local openai = assert(batchapi.openai{})
    local file = assert(openai:create_file{ purpose = "batch", file = { filename = "in.jsonl", content =
      '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}\n' } })
    local batch = assert(openai:create_batch{ input_file_id = file.id, endpoint = "/v1/chat/completions",
      completion_window = "24h", metadata = { sandbox = "unnamed=5" } })
    local unnamed = 0
    local ended = assert(openai:wait(batch.id, { interval = 0.05, on_update = function(answer)
      local named = answer.output_file_id or answer.error_file_id
      unnamed = unnamed + (answer.status == "completed" and not named and 1 or 0)
    end }))
    assert.is_true(unnamed > 0)
    assert.is_string(ended.output_file_id or ended.error_file_id)
    openai:close()
  end)

  it("shows what it waits for in its job's status", function()
    local openai = assert(batchapi.openai{})
    local seen
    local job = assert(openai:run(chats(2), quick{ metadata = { sandbox = "unnamed=5" }, on_update = function(status)
      seen = seen or status.trouble
    end }))
    assert.are.same({ ok = 2 }, codes_of(all(job)))
    assert.is_truthy(seen.message:find("does not name its output_file_id", 1, true))
    assert.is_number(seen.since)
    assert.is_true(seen.count >= 1)
    assert.is_nil(job:status().trouble)
    openai:close()
  end)
end)


describe("while a job waits", function()
  local openai

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{ max_retries = 0 })
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  local passing = {
    ["single 404s"] = { nth = { 1, 3 }, fault = { type = "status", status = 404 } },
    ["pages in place of JSON"] = { first = 2, fault = { type = "html", status = 200 } },
    ["gateways that fail"] = { first = 3, faults = { { type = "status", status = 522 }, { type = "html", status = 502 },
      { type = "reset" }, { type = "status", status = 425 }, { type = "status", status = 423 } } },
    ["rate limits"] = { first = 3, fault = { type = "status", status = 429, retry_after = 0.05 } },
  }
  for name, rule in pairs(passing) do
    it(name .. " pass", function()
      sandbox.faults{ { match = { operation = "openai.retrieve_batch", nth = rule.nth, first = rule.first },
        fault = rule.fault, faults = rule.faults } }
      local job = assert(openai:run(chats(2), quick()))
      assert.are.same({ ok = 2 }, codes_of(all(job)))
    end)

    it(name .. " pass, in client:wait too", function()
      local job = assert(openai:run(chats(2), quick()))
      local id = job:status().parts[1].batch_id
      sandbox.faults{ { match = { operation = "openai.retrieve_batch", nth = rule.nth, first = rule.first },
        fault = rule.fault, faults = rule.faults } }
      assert.are.equal("completed", assert(openai:wait(id, { interval = 0.02 })).status)
      job:close()
    end)
  end

  it("an outage shows in its status", function()
    sandbox.faults{ { match = { operation = "openai.retrieve_batch", first = 4 },
      fault = { type = "status", status = 503 } } }
    local most, part = 0, nil
    local job = assert(openai:run(chats(2), quick()))
    assert(job:wait{ on_update = function(status)
      most = math.max(most, status.trouble and status.trouble.count or 0)
      part = part or status.parts[1].trouble
    end })
    assert.are.equal(4, most)
    assert.is_truthy(part.message:find("503", 1, true))
  end)

  it("a key that is refused ends the wait at once, and the job can be waited for again", function()
    local job = assert(openai:run(chats(2), quick()))
    sandbox.faults{ { match = { operation = "openai.retrieve_batch" }, fault = { type = "status", status = 401 } } }
    local status, why, err = job:wait()
    assert.is_nil(status)
    assert.are.equal("auth", err.kind)
    assert.is_truthy(why:find("wait for the job again", 1, true))
    sandbox.faults{}
    assert.are.equal("done", assert(job:wait()).state)
    assert.are.same({ ok = 2 }, codes_of(all(job)))
  end)
end)


describe("a part of a job", function()
  local openai

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{ max_retries = 0 })
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  -- The outcome of each request, in the order they came.
  local function in_order(list)
    local codes = {}
    for i, result in ipairs(list) do
      codes[i] = result.ok and "ok" or result.error.code
    end
    return codes
  end

  -- Of three parts with two requests each one went wrong, with this code: the order stays.
  local function check_one_of_three(list, code)
    local codes, wrong = in_order(list), nil
    assert.are.equal(6, #codes)
    for first = 1, 5, 2 do
      assert.are.equal(codes[first], codes[first + 1])
      wrong = codes[first] ~= "ok" and list[first] or wrong
      assert.are.equal(first, list[first].index)
    end
    assert.are.same({ ok = 4, [code] = 2 }, codes_of(list))
    return wrong
  end

  it("whose batch is gone fails alone, in its place", function()
    sandbox.faults{ { match = { operation = "openai.retrieve_batch", batch = 2 },
      fault = { type = "status", status = 404 } } }
    local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, ordered = true, settle = 0.3 }))
    local wrong = check_one_of_three(all(job), "gone")
    assert.is_truthy(wrong.error.message:find("does not know the batch any more", 1, true))
    assert.is_true(sandbox.count("requests", "openai.retrieve_batch") >= 5)
    assert.are.equal("done", job:status().state)
  end)

  it("is not gone before the settling time is over", function()
    sandbox.faults{ { match = { operation = "openai.retrieve_batch", batch = 2, first = 4 },
      fault = { type = "status", status = 404 } } }
    local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, settle = 5 }))
    assert.are.same({ ok = 6 }, codes_of(all(job)))
  end)

  it("whose answers cannot be fetched fails alone", function()
    sandbox.faults{ { match = { operation = "openai.download_file", batch = 2 },
      fault = { type = "status", status = 404 } } }
    local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, ordered = true, cleanup = true }))
    local wrong = check_one_of_three(all(job), "uncollected")
    assert.is_truthy(wrong.error.message:find("404", 1, true))
    assert.are.equal(2, #assert(openai:list_files()).data) -- what could not be had is left there
  end)

  it("has the answers of the file that could be fetched", function()
    sandbox.faults{ { match = { operation = "openai.download_file", nth = { 1, 2, 3, 4 } },
      fault = { type = "status", status = 404 } } }
    local list = all(assert(openai:run(chats(3, { [2] = "fail-400" }), quick{ ordered = true })))
    assert.are.equal("uncollected", list[1].error.code)
    assert.are.equal(400, list[2].status)
    assert.are.equal("uncollected", list[3].error.code)
  end)

  it("whose file is refused fails alone", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 2 }, fault = { type = "status", status = 422 } } }
    local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, ordered = true, concurrency = 1 }))
    check_one_of_three(all(job), "invalid_request_error")
  end)
end)
