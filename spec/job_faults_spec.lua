local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


describe("a job in trouble", function()
  local openai

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{ max_retries = 1 })
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  local function words(text, more)
    local options = quick(more)
    options.metadata = { sandbox = text }
    return options
  end

  describe("submits once", function()
    for _, fault in ipairs{
      { type = "lost" }, { type = "lost", how = "close" }, { type = "status", status = 500, after = true },
      { type = "status", status = 503, after = true }, { type = "truncate" }, { type = "html", status = 200 },
      { type = "empty", status = 502 },
    } do
      it(("when the create's answer is spoilt: %s %s"):format(fault.type, fault.status or fault.how or ""), function()
        sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = fault } }
        local job = assert(openai:run(chats(3), quick{ settle = 0.5 }))
        assert.are.equal(3, #all(job))
        assert.are.equal(1, sandbox.count("batches", "all"))
        assert.are.equal(1, sandbox.totals().parts[job.id .. "/1"])
      end)
    end

    it("and repeats what never arrived, after the settling time", function()
      sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } } }
      local dir = jobs.dir()
      local job = assert(openai:run(chats(3), quick{ settle = 0.3, dir = dir }))
      assert.are.equal(3, #all(job))
      assert.are.equal(1, sandbox.count("batches", "all"))
      assert.is_true(sandbox.count("requests", "openai.list_batches") >= 2)
      assert.are.same({ 1, 1 }, { jobs.count_records(dir, "fencing"), jobs.count_records(dir, "fenced") })
    end)
  end)

  describe("waits", function()
    it("for a file that is not visible yet", function()
      sandbox.set{ file_visibility_delay = 6 }
      local job = assert(openai:run(chats(2), quick()))
      assert.are.equal(2, #all(job))
      assert.are.equal(1, sandbox.count("batches", "all"))
    end)

    it("for other batches when too many tokens are enqueued", function()
      sandbox.set{ enqueued_token_limit = 1, batch = { in_progress = 3600 } } -- none is taken, however slow this machine is
      local dir = jobs.dir()
      local job = assert(openai:run(chats(20), quick{ max_requests_per_batch = 5, dir = dir }))
      for _ = 1, 100 do
        job:wait{ timeout = 0.1 }
        if jobs.count_records(dir, "requeued") > 0 then
          break
        end
      end
      sandbox.set{ enqueued_token_limit = 300 } -- no two at once
      sandbox.clock{ speed = 20000 }
      local list = all(job)
      assert.are.equal(20, #list)
      for _, result in ipairs(list) do
        assert.is_true(result.ok, batchapi.show(result))
      end
      assert.is_true(jobs.count_records(dir, "requeued") > 0, jobs.read(dir .. "/journal.jsonl"))
    end)

    it("through an outage while the batch runs", function()
      sandbox.faults{ { match = { operation = "openai.retrieve_batch", first = 6 },
        fault = { type = "status", status = 502 } } }
      local job = assert(openai:run(chats(2), quick()))
      assert.are.equal(2, #all(job))
    end)
  end)

  describe("collects from both files", function()
    local kinds = { null = "null", ["an empty string"] = "empty_string", ["an empty file"] = "empty_file" }
    for name, value in pairs(kinds) do
      it("when the error file is " .. name, function()
        sandbox.set{ empty_error_file = value }
        local list = all(assert(openai:run(chats(3), quick())))
        assert.are.equal(3, #list)
        assert.is_true(list[1].ok and list[2].ok and list[3].ok)
      end)
    end

    it("when every line failed and there is no output file", function()
      local _, by_index = all(assert(openai:run(chats(2, { "fail-400", "fail-404" }), quick())))
      assert.are.equal(400, by_index[1].status)
      assert.are.equal(404, by_index[2].status)
      assert.is_string(by_index[1].error.message)
    end)

    it("what an expired batch has finished, and the rest says so", function()
      local job = assert(openai:run(chats(10), words("expire=0.5 window=1")))
      local list = all(job)
      local done, expired = 0, 0
      for _, result in ipairs(list) do
        if result.ok then
          done = done + 1
        else
          assert.are.equal("batch_expired", result.error.code)
          assert.is_nil(result.status)
          expired = expired + 1
        end
      end
      assert.are.equal(5, done)
      assert.are.equal(5, expired)
    end)

    -- How many results there are of each code; of those without a fault, "ok".
    local function codes_of(list)
      local codes = {}
      for _, result in ipairs(list) do
        local code = result.ok and "ok" or result.error.code
        codes[code] = (codes[code] or 0) + 1
      end
      return codes
    end

    it("what an expired batch has finished; a line it left out is missing where it reports the others", function()
      local job = assert(openai:run(chats(10), words("expire=0.5 window=1 drop=2")))
      local codes = codes_of(all(job))
      assert.are.same({ ok = 3, batch_expired = 5, missing = 2 }, codes)
      assert.are.equal(2, job:status().missing)
    end)

    it("what a batch reported before its process died, and calls missing what it had not", function()
      local dir = jobs.dir()
      local first = assert(openai:run(chats(10), words("expire=0.5 window=1 drop=2", { dir = dir })))
      local reported = {}
      for _, result in ipairs(all(first)) do
        reported[result.custom_id] = result.ok or result.error.code ~= "missing"
      end
      jobs.kill_after(dir, reported, { settled = true, finished = true })
      local job = assert(batchapi.resume(dir, { client = openai }))
      assert.are.same({ ok = 3, batch_expired = 5, missing = 2 }, codes_of(all(job)))
      assert.are.equal(2, job:status().missing)
      assert.are.same(first:status().usage, job:status().usage)
    end)

    it("nothing of an expired batch that reports no line: all are expired", function()
      local job = assert(openai:run(chats(10), words("expire=0 window=1 drop=10")))
      assert.are.same({ expired = 10 }, codes_of(all(job)))
      assert.are.equal(0, job:status().missing)
    end)

    it("what a cancelled batch has finished; the lines it left out are cancelled", function()
      sandbox.set{ batch = { in_progress = 8, validating = 0 } }
      local job = assert(openai:run(chats(20), quick()))
      local cancelled
      assert(job:wait{ on_update = function(status)
        local counts = status.parts[1].counts
        if counts and counts.completed and counts.completed > 2 and not cancelled then
          cancelled = true
          assert(job:cancel())
        end
      end })
      local list = all(job)
      local status = job:status()
      assert.are.equal(20, #list)
      assert.is_true(status.ok > 2 and status.ok < 20)
      assert.are.same({ ok = status.ok, cancelled = 20 - status.ok }, codes_of(list))
      assert.are.equal(0, status.missing)
    end)
  end)

  describe("accounts for every line", function()
    it("that was dropped, doubled, unknown or broken", function()
      local dir = jobs.dir()
      local job = assert(openai:run(chats(12), words("drop=2 duplicate=3 stranger=2 garbage=1 no_newline", { dir = dir })))
      local list = all(job)
      local status = job:status()
      assert.are.equal(12, #list)
      assert.are.equal(2, status.missing)
      assert.are.equal(10, status.ok)
      assert.are.equal(3, status.duplicates)
      assert.are.equal(2, status.strangers)
      assert.are.equal(1, status.broken)
      local missing = 0
      for _, result in ipairs(list) do
        if not result.ok then
          assert.are.equal("missing", result.error.code)
          missing = missing + 1
        end
      end
      assert.are.equal(2, missing)
    end)

    it("when a download ends early, by fetching the rest", function()
      sandbox.faults{ { match = { operation = "openai.download_file", first = 2 },
        faults = { { type = "truncate", at = 500 }, { type = "reset_body", at = 300 } } } }
      local list = all(assert(openai:run(chats(30), quick())))
      assert.are.equal(30, #list)
      for _, result in ipairs(list) do
        assert.is_true(result.ok)
      end
    end)

    it("or says that the answers cannot be had, and tries again when asked", function()
      sandbox.faults{ { match = { operation = "openai.download_file" }, fault = { type = "status", status = 403 } } }
      local job = assert(openai:run(chats(2), quick{ dir = jobs.dir() }))
      local results = job:results()
      local value, why, err = results:next()
      assert.is_nil(value)
      assert.are.equal("auth", err.kind)
      assert.is_truthy(why:find("download_file", 1, true))
      sandbox.faults{}
      assert.is_table(results:next())
      assert.is_table(results:next())
      assert.is_nil(results:next())
    end)
  end)

  describe("repeats what failed, with attempts", function()
    it("lines that were rate-limited or met a 5xx, not a 400, in a new batch", function()
      local dir = jobs.dir()
      local job = assert(openai:run(chats(6, { [1] = "fail-429-times-1", [2] = "fail-500-times-2", [3] = "fail-400-times-1",
        [4] = "fail-503" }), quick{ attempts = 3, dir = dir }))
      local list, by_index = all(job)
      assert.are.equal(6, #list)
      assert.is_true(by_index[1].ok)
      assert.is_true(by_index[2].ok)
      assert.are.equal(400, by_index[3].status)
      assert.are.equal(503, by_index[4].status)
      assert.is_true(by_index[5].ok)
      assert.are.equal(3, sandbox.count("batches", "all"))
      local sizes = {}
      for i, part in ipairs(job:status().parts) do
        sizes[i] = part.requests .. "/" .. part.attempt
      end
      assert.are.same({ "6/1", "3/2", "2/3" }, sizes)
    end)

    it("lines that expired", function()
      sandbox.faults{}
      local job = assert(openai:run(chats(8), words("expire=0.5 window=1", { attempts = 2 })))
      local list = all(job)
      assert.are.equal(8, #list)
      local done = 0
      for _, result in ipairs(list) do
        done = done + (result.ok and 1 or 0)
      end
      assert.are.equal(6, done) -- half, then half of the rest
    end)

    it("and gives them in order", function()
      local job = assert(openai:run(chats(9, { [2] = "fail-429-times-1", [7] = "fail-429-times-1" }),
        quick{ attempts = 2, ordered = true, max_requests_per_batch = 5 }))
      for i, result in ipairs(all(job)) do
        assert.are.equal(i, result.index)
        assert.is_true(result.ok)
      end
    end)
  end)

  describe("cleans up", function()
    it("files at the service, when asked", function()
      local job = assert(openai:run(chats(4, { [2] = "fail-400" }), quick{ cleanup = true, max_requests_per_batch = 2 }))
      assert.are.equal(4, #all(job))
      assert.are.equal(0, #assert(openai:list_files()).data)
    end)

    it("and sets expiries on upload and output", function()
      local job = assert(openai:run(chats(1), quick{ expires_after = 7200, output_expires_after = { anchor = "created_at",
        seconds = 3600 } }))
      all(job)
      local upload = sandbox.log{ operation = "openai.create_batch" }[1]
      assert.is_truthy(upload.body:find('"seconds":3600', 1, true))
      for _, file in ipairs(assert(openai:list_files{ purpose = "batch" }).data) do
        assert.are.equal(7200, file.expires_at - file.created_at)
      end
    end)
  end)

  it("says the disk is full, and goes on when there is room", function()
    if os.execute("test -w /dev/full") ~= true and os.execute("test -w /dev/full") ~= 0 then
      return
    end
    local dir, core = jobs.dir(), require("batchapi.core")
    local writer = core.writer
    core.writer = function(disk, name, options)
      if name == "part-00001.jsonl.new" then
        return writer("/dev/full")
      end
      return writer(disk, name, options)
    end
    local job, why, err = openai:run(chats(3), quick{ dir = dir })
    core.writer = writer
    assert.is_nil(job)
    assert.are.equal("io", err.kind)
    assert.are.equal("ENOSPC", err.code)
    assert.is_truthy(why:find("No space left", 1, true))
    assert.are.equal(0, sandbox.count("batches", "all"))
    assert.are.equal(3, #all(assert(openai:run(chats(3), quick{ dir = dir }))))
  end)

  it("tells ids apart whose hashes collide", function()
    local core = require("batchapi.core")
    local ledger = core.ledger
    -- As if the hash had eight bits: with 400 requests nearly all collide.
    core.ledger = function(seed)
      return ledger(seed, 8)
    end
    local dir = jobs.dir()
    local job = assert(openai:run(chats(400), quick{ dir = dir, max_requests_per_batch = 150 }))
    core.ledger = ledger
    local list, by_index = all(job)
    assert.are.equal(400, #list)
    for i = 1, 400 do
      assert.are.equal("request-" .. i, by_index[i].custom_id)
      assert.are.equal("echo: text " .. i, jobs.content(by_index[i]))
    end
  end)
end)
