local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")
local chats, quick, all = jobs.chats, jobs.quick, jobs.all

describe("what could not be fetched", function()
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

  local function outcomes(list)
    local codes = {}
    for _, result in ipairs(list) do
      local code = result.ok and "ok" or result.error.code
      codes[code] = (codes[code] or 0) + 1
    end
    return codes
  end

  for _, ordered in ipairs{ true, false } do
    it("is asked for again by whoever takes the job up, and each request has one result: its newest; ordered = "
      .. tostring(ordered), function()
      local dir = jobs.dir()
      sandbox.faults{ { match = { operation = "openai.download_file", batch = 2 },
        fault = { type = "status", status = 404 } } }
      local options = quick{ max_requests_per_batch = 2, ordered = ordered, dir = dir, settle = 0.1 }
      local job = assert(openai:run(chats(6), options))
      assert.are.same({ ok = 4, uncollected = 2 }, outcomes(all(job)))
      assert.are.equal("uncollected", job:status().errors[1].code)
      -- still refused: the same again
      job = assert(batchapi.resume(dir, { client = openai }))
      assert.are.same({ ok = 4, uncollected = 2 }, outcomes(all(job)))
      assert.are.equal(2, job:status().failed)
      sandbox.faults{}
      job = assert(openai:run(chats(6), options))
      local list = all(job)
      assert.are.same({ ok = 6 }, outcomes(list))
      local status = job:status()
      assert.are.same({ 6, 0, 0 }, { status.ok, status.failed, #status.errors })
      assert.are.equal("done", status.state)
      for i, result in ipairs(list) do
        assert.are.equal("echo: text " .. result.index, jobs.content(result))
        assert.is_nil(result.round)
        assert.is_true(not ordered or result.index == i)
      end
      -- and then it is over: a replay asks nobody
      local before = sandbox.count("requests", "all")
      local replay = assert(batchapi.resume(dir, { client = openai }))
      assert.are.same({ ok = 6 }, outcomes(all(replay)))
      assert.are.same({ 6, 0 }, { replay:status().ok, replay:status().failed })
      assert.are.equal(before, sandbox.count("requests", "all"))
      assert.are.equal(3, sandbox.count("batches", "all"))
    end)
  end

  it("is taken up where a process died on the way", function()
    local dir = jobs.dir()
    sandbox.faults{ { match = { operation = "openai.download_file", batch = 1 },
        fault = { type = "status", status = 404 } } }
    local job = assert(openai:run(chats(4), quick{ max_requests_per_batch = 2, dir = dir, settle = 0.1 }))
    assert.are.same({ ok = 2, uncollected = 2 }, outcomes(all(job)))
    for _ = 1, 3 do -- opened again, and left at once
      assert(batchapi.resume(dir, { client = openai })):close()
    end
    sandbox.faults{}
    job = assert(batchapi.resume(dir, { client = openai }))
    assert.are.same({ ok = 4 }, outcomes(all(job)))
    assert.are.same({ 4, 0 }, { job:status().ok, job:status().failed })
    assert.are.same({ ok = 4 }, outcomes(all(assert(batchapi.resume(dir, { client = openai })))))
  end)
end)

describe("a job's status", function()
  it("tells at a look how it went", function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    local openai = assert(batchapi.openai{})
    local job = assert(openai:run(chats(8, { [2] = "fail-400-bad", [3] = "fail-400-bad", [5] = "fail-404-gone" }),
      quick{ max_requests_per_batch = 4 }))
    job:wait()
    local status = job:status()
    assert.are.same({ { "bad", 2 }, { "gone", 1 } }, { { status.errors[1].code, status.errors[1].count },
      { status.errors[2].code, status.errors[2].count } })
    local text = tostring(status)
    for _, words in ipairs{ "8 requests: 5 ok, 3 failed", "parts: 2 settled", "error: 2 × bad: ", "error: 1 × gone: ",
      "used: ", "input_tokens" } do
      assert.is_truthy(text:find(words, 1, true), text)
    end
    job:close()
    openai:close()
  end)

  it("says what is repeated", function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    local openai = assert(batchapi.openai{})
    local lines, seen = {}, nil
    local job = assert(openai:run(chats(6, { [1] = "fail-500-times-1", [2] = "fail-500-times-1" }), quick{ attempts = 2 }))
    local progress = batchapi.progress{ terminal = false, file = { write = function(_, ...)
      lines[#lines + 1] = table.concat{ ... }
    end, flush = function() end } }
    assert(job:wait{ on_update = function(status)
      progress(status)
      seen = seen or status.repeating > 0 and tostring(status) or nil
    end })
    assert.is_truthy(seen:find("repeating 2", 1, true), seen)
    assert.are.equal(0, job:status().repeating)
    job:close()
    openai:close()
  end)
end)


describe("what an ended job has left at the service", function()
  it("is deleted when a later process asks for it", function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    local openai, dir = assert(batchapi.openai{ max_retries = 0 }), jobs.dir()
    jobs.all(assert(openai:run(jobs.chats(4), jobs.quick{ dir = dir, max_requests_per_batch = 2 })))
    local function files()
      return #assert(openai:list_files{}).data
    end
    assert.are.equal(4, files())
    local before = sandbox.count("requests", "all")
    local job = assert(batchapi.resume(dir, { client = openai, cleanup = true }))
    assert.are.equal(4, #jobs.all(job))
    assert.are.equal("done", job:status().state)
    assert.are.equal(0, files())
    assert.are.equal(before + 5, sandbox.count("requests", "all")) -- four of them, and our own look
    job = assert(batchapi.resume(dir, { client = openai, cleanup = true })) -- nothing is left to do
    assert.are.equal("done", job:status().state)
    assert.are.equal(4, #jobs.all(job))
    openai:close()
    jobs.clear()
  end)
end)
