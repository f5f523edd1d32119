--- Failed requests of a job that has ended: sent again, or written to a file.

local batchapi = require("batchapi")
local face = require("batchapi.job.face")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all, chats, quick = jobs.all, jobs.chats, jobs.quick


local function outcomes(list)
  local codes = {}
  for _, result in ipairs(list) do
    local code = result.ok and "ok" or result.error.code
    codes[code] = (codes[code] or 0) + 1
  end
  return codes
end


local function is(code)
  return function(result)
    return result.error.code == code
  end
end


describe("failed requests of batches", function()
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

  -- 20 requests in four batches: 2, 5, 8 … fail once, 3 for good.
  local function words()
    local list = { [3] = "fail-400-bad" }
    for i = 2, 20, 3 do
      list[i] = "fail-500-times-1"
    end
    return list
  end

  for _, kept in ipairs{ true, false } do
    for _, ordered in ipairs{ true, false } do
      local which = ("dir: %s, ordered: %s"):format(tostring(kept), tostring(ordered))
      it("are sent again once the job has ended; " .. which, function()
        local dir = kept and jobs.dir() or nil
        local job = assert(openai:run(chats(20, words()), quick{ dir = dir, ordered = ordered, max_requests_per_batch = 6 }))
        local count, _, err = job:retry()
        assert.is_nil(count)
        assert.are.equal("not_ended", err.code)
        assert(job:wait())
        assert.are.equal(8, job:status().failed)
        assert.are.equal(8, job:retry{})
        local status = job:status()
        assert.are.same({ "running", 8, 12, 0 }, { status.state, status.repeating, status.settled, status.failed })
        local list, results = all(job)
        assert.are.same({ ok = 19, bad = 1 }, outcomes(list))
        assert.are.equal("echo: text 5", jobs.content(results[5]))
        status = job:status()
        assert.are.same({ 19, 1, 0 }, { status.ok, status.failed, status.maybe_paid_twice })
        assert.are.equal(6, sandbox.count("batches", "all")) -- they are gathered: 6 and 2
        if kept then
          assert.are.same({ ok = 19, bad = 1 }, outcomes(all(job)))
          assert.are.equal(1, job:retry{ only = is("bad"), attempts = 2 })
          assert(job:wait())
          assert.are.equal(7, sandbox.count("batches", "all"))
          assert.are.equal(0, job:retry{ only = is("another") })
          local replay = assert(batchapi.resume(dir, { client = openai }))
          assert.are.same({ ok = 19, bad = 1 }, outcomes(all(replay)))
          assert.are.same({ 19, 1 }, { replay:status().ok, replay:status().failed })
          assert.is_true(assert(batchapi.verify(dir)).ok)
        else
          local _, why = job:retry{}
          assert.matches("closed", why)
        end
      end)
    end
  end

  it("are sent as often as retry allows", function()
    local job = assert(openai:run(chats(3, { [2] = "fail-500-times-3" }), quick{ dir = jobs.dir() }))
    assert(job:wait())
    assert.are.equal(1, job:retry{ attempts = 2 })
    assert.are.same({ ok = 2, server_error = 1 }, outcomes(all(job)))
    assert.are.equal(1, job:retry{})
    assert.are.same({ ok = 3 }, outcomes(all(job)))
    assert.are.equal(4, sandbox.count("batches", "all"))
  end)

  it("that may have been paid are sent again only if they are chosen, and then counted", function()
    local dir = jobs.dir()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lines", drop = 1 } } }
    local job = assert(openai:run(chats(4), quick{ dir = dir, max_requests_per_batch = 2 }))
    assert(job:wait())
    local missing = job:status().missing
    sandbox.faults{}
    if missing == 0 then
      error("the fault drops no line")
    end
    assert.are.equal(0, job:retry{})
    assert.are.equal(missing, job:retry{ only = is("missing") })
    assert.are.same({ ok = 4 }, outcomes(all(job)))
    assert.are.equal(missing, job:status().maybe_paid_twice)
    job = assert(batchapi.resume(dir, { client = openai }))
    assert.are.equal(missing, job:status().maybe_paid_twice)
  end)

  it("go on where a process died while they were sent again", function()
    local dir = jobs.dir()
    local job = assert(openai:run(chats(20, words()), quick{ dir = dir, max_requests_per_batch = 6 }))
    assert(job:wait())
    assert.are.equal(8, job:retry{})
    job:close()
    for _ = 1, 2 do
      job = assert(batchapi.resume(dir, { client = openai }))
      assert.are.same({ 12, 8 }, { job:status().settled, job:status().repeating })
      job:close()
    end
    job = assert(batchapi.resume(dir, { client = openai }))
    assert.are.same({ ok = 19, bad = 1 }, outcomes(all(job)))
    assert.are.equal(6, sandbox.count("batches", "all"))
    assert.are.equal(19, job:status().ok)
  end)

  it("are not sent twice by two processes", function()
    local dir = jobs.dir()
    local job = assert(openai:run(chats(4, { [2] = "fail-500-times-1" }), quick{ dir = dir }))
    assert(job:wait())
    local other = assert(batchapi.resume(dir, { client = openai }))
    assert.are.equal(1, job:retry{})
    local _, _, err = other:retry{}
    assert.are.equal("opened_again", err.code)
    assert(job:wait())
    _, _, err = other:retry{}
    assert.are.equal("opened_again", err.code)
    assert.are.equal(2, sandbox.count("batches", "all"))
  end)

  for _, how in ipairs{ "resume", "run" } do
    it(("are sent again by %s with more attempts than there were"):format(how), function()
      local dir = jobs.dir()
      local requests = chats(9, { [2] = "fail-500-times-1", [5] = "fail-500-times-4", [8] = "fail-400-bad" })
      local options = { dir = dir, max_requests_per_batch = 3 }
      local function again(attempts)
        options.attempts = attempts
        return assert(how == "resume" and batchapi.resume(dir, { client = openai, attempts = attempts })
          or openai:run(requests, quick(options)))
      end
      all(assert(openai:run(requests, quick(options))))
      assert.are.equal(3, sandbox.count("batches", "all"))
      all(again(1))
      assert.are.equal(3, sandbox.count("batches", "all"))
      assert.are.same({ ok = 7, server_error = 1, bad = 1 }, outcomes(all(again(3))))
      assert.are.equal(5, sandbox.count("batches", "all"))
      assert.are.same({ ok = 7, server_error = 1, bad = 1 }, outcomes(all(again(3))))
      assert.are.equal(5, sandbox.count("batches", "all"))
      assert.are.same({ ok = 8, bad = 1 }, outcomes(all(again(5))))
      assert.are.equal(7, sandbox.count("batches", "all"))
    end)
  end

  it("of a cancelled job are sent by retry, and not by resume", function()
    local dir = jobs.dir()
    sandbox.clock{ speed = 0.01 }
    local job = assert(openai:run(chats(4), quick{ dir = dir, max_requests_per_batch = 2, concurrency = 1 }))
    assert(job:cancel())
    sandbox.clock{ speed = 10 }
    assert.are.same({ cancelled = 4 }, outcomes(all(job)))
    assert.are.same({ cancelled = 4 }, outcomes(all(assert(batchapi.resume(dir, { client = openai, attempts = 3 })))))
    assert.are.equal(4, job:retry{})
    assert.are.same({ ok = 4 }, outcomes(all(job)))
    assert.are.equal("done", job:status().state)
  end)

  it("are written to a file that run takes", function()
    local path = jobs.dir()
    local job = assert(openai:run(chats(20, words()), quick{ dir = jobs.dir(), max_requests_per_batch = 6 }))
    assert(job:wait())
    assert.are.equal(8, job:write_failed(path))
    local list = all(assert(openai:run(path, quick{})))
    assert.are.same({ ok = 7, bad = 1 }, outcomes(list))
    assert.are.equal("request-2", list[1].custom_id)
    assert.are.equal(1, job:write_failed(path, { only = is("bad") }))
    assert.are.equal(1, #all(assert(openai:run(path, quick{}))))
    local count, why = job:write_failed("/nowhere/x")
    assert.is_nil(count)
    assert.matches("nowhere", why)
  end)

  describe("whose files are damaged", function()
    local function spoilers(path)
      return { function() jobs.change(path, "text 2", "text X") end, function() assert(os.remove(path)) end }
    end

    -- Four requests in two parts, 2 has failed.
    local function ended(temporary)
      local dir = not temporary and jobs.dir() or nil
      local job = assert(openai:run(chats(4, { [2] = "fail-500-times-1" }), quick{ dir = dir, max_requests_per_batch = 2 }))
      assert(job:wait())
      return job, dir
    end

    it("are not sent, and the job stays what it was", function()
      local job, dir = ended()
      local reading = job:results()
      assert.is_true(assert(reading:next()).index >= 1)
      local path = dir .. "/part-00001.jsonl"
      local whole = jobs.read(path)
      local before = jobs.read(dir .. "/journal.jsonl")
      for _, spoil in ipairs(spoilers(path)) do
        spoil()
        local count, why, err = job:retry{}
        assert.is_nil(count)
        assert.matches("part%-00001", why)
        assert.are.equal("part_damaged", err.code)
        local status = job:status()
        assert.are.same({ "done", 3, 1, 0 }, { status.state, status.ok, status.failed, status.repeating or 0 })
        assert.are.same({ ok = 3, server_error = 1 }, outcomes(all(job)))
        assert.are.equal(before, jobs.read(dir .. "/journal.jsonl"))
        jobs.write(path, whole)
      end
      assert(reading:next()) -- it goes on
      local other = assert(batchapi.resume(dir, { client = openai })) -- nobody holds the directory
      assert.are.same({ ok = 3, server_error = 1 }, outcomes(all(other)))
      other:close()
      assert.are.equal(1, job:retry{})
      assert.are.same({ ok = 4 }, outcomes(all(job)))
    end)

    it("are sent if only another part is damaged", function()
      local job, dir = ended()
      jobs.write(dir .. "/part-00002.jsonl", "no request\n")
      assert.are.equal(1, job:retry{})
      assert.are.same({ ok = 4 }, outcomes(all(job)))
      assert.are.same({ 4, "done" }, { job:status().ok, job:status().state })
    end)

    it("are not sent without dir either", function()
      local job = ended(true)
      local dir = face.engine(job).dir
      jobs.change(dir .. "/part-00001.jsonl", "text 2", "text X")
      local _, _, err = job:retry{}
      assert.are.equal("part_damaged", err.code)
      assert.are.same({ "done", 1 }, { job:status().state, job:status().failed })
      assert.are.same({ ok = 3, server_error = 1 }, outcomes(all(job)))
    end)

    it("are not written, and what is written is whole", function()
      local job, dir = ended()
      local path = jobs.dir()
      jobs.write(dir .. "/part-00002.jsonl", "no request\n")
      assert.are.equal(1, job:write_failed(path))
      assert.matches("text 2", jobs.read(path))
      local part = dir .. "/part-00001.jsonl"
      for _, spoil in ipairs(spoilers(part)) do
        spoil()
        local count, why, err = job:write_failed(path)
        assert.is_nil(count)
        assert.matches("part%-00001", why)
        assert.are.equal("part_damaged", err.code)
        assert.matches("text 2", jobs.read(path))
        assert.is_nil(jobs.read(path .. ".new"))
      end
      assert.are.equal(0, job:write_failed(path, { only = is("another") }))
      assert.are.equal("done", job:status().state)
    end)
  end)

  it("are asked for as they must be", function()
    local job = assert(openai:run(chats(1), quick{}))
    assert.has_error(function() job:retry{ attempts = 0 } end)
    assert.has_error(function() job:retry{ attempts = 1.5 } end)
    assert.has_error(function() job:retry{ only = "bad" } end)
    assert.has_error(function() job:retry{ onyl = print } end)
    assert.has_error(function() job:write_failed() end)
    all(job)
  end)
end)


describe("failed requests of calls", function()
  local asana

  before_each(function()
    sandbox.reset()
    asana = assert(batchapi.asana{ max_retries = 0 })
  end)

  after_each(function()
    asana:close()
    jobs.clear()
  end)

  local function read(i)
    return { method = "get", relative_path = "/tasks/" .. i }
  end

  local function write(name)
    return { method = "post", relative_path = "/tasks", data = { name = name, workspace = "1" } }
  end

  for _, kept in ipairs{ true, false } do
    it(("are sent again: those that read, or were surely not carried out; dir: %s"):format(tostring(kept)), function()
      local dir = kept and jobs.dir() or nil
      local requests = { write("a"), write("b fail-429-times-1"), read(3), write("c fail-500-times-1"), read(5) }
      local job = assert(asana:run(requests, { dir = dir }))
      assert(job:wait())
      assert.are.equal(2, job:status().failed)
      assert.are.equal(1, job:retry{})
      assert(job:wait())
      assert.are.same({ 4, 1, 0 }, { job:status().ok, job:status().failed, job:status().maybe_paid_twice })
      assert.are.equal(1, job:retry{ only = function() return true end })
      if kept then
        job:close()
        job = assert(batchapi.resume(dir, { client = asana }))
        assert.are.equal(4, job:status().settled)
      end
      local list, results = all(job)
      assert.are.same({ ok = 5 }, outcomes(list))
      assert.are.equal("3", results[3].body.data.gid)
      assert.are.equal(1, job:status().maybe_paid_twice)
      for i, result in ipairs(list) do
        assert.are.equal(i, result.index)
      end
      assert.are.equal(3, sandbox.count("requests", "asana.create_batch_request"))
    end)
  end

  it("are written to a file that run takes, with the keys in their order", function()
    local path, copy = jobs.dir(), jobs.dir()
    jobs.write(path, '{"relative_path":"/tasks","method":"post","data":{"workspace":"1","name":"fail-400"}}\n'
      .. '{"relative_path":"/tasks/1","method":"get"}\n')
    local job = assert(asana:run(path, {}))
    assert(job:wait())
    assert.are.equal(1, job:write_failed(copy))
    assert.are.equal('{"relative_path":"/tasks","method":"post","data":{"workspace":"1","name":"fail-400"}}\n',
      jobs.read(copy))
  end)

  for _, kept in ipairs{ true, false } do
    it(("are neither sent nor written if their file is damaged; dir: %s"):format(tostring(kept)), function()
      local copy = jobs.dir()
      local job = assert(asana:run({ write("a"), write("b fail-429-times-1") }, { dir = kept and jobs.dir() or nil }))
      assert(job:wait())
      jobs.change(face.engine(job).dir .. "/requests.jsonl", "b fail", "c fail")
      local _, why, err = job:write_failed(copy)
      assert.are.equal("requests_damaged", err.code)
      assert.matches("requests.jsonl", why, 1, true)
      assert.is_nil(jobs.read(copy))
      _, _, err = job:retry{}
      assert.are.equal("requests_damaged", err.code)
      assert.are.same({ "done", 1 }, { job:status().state, job:status().failed })
      assert.are.equal(2, #all(job))
    end)
  end

  it("are not sent again by resume if their file is damaged", function()
    local dir = jobs.dir()
    local job = assert(asana:run({ write("a"), write("b fail-429-times-1") }, { dir = dir, attempts = 1 }))
    all(job)
    job:close()
    jobs.change(dir .. "/requests.jsonl", "b fail", "c fail")
    local _, _, err = batchapi.resume(dir, { client = asana, attempts = 2 })
    assert.are.equal("requests_damaged", err.code)
    all(assert(batchapi.resume(dir, { client = asana })))
  end)

  it("whose results could not be fetched are asked for by resume, not sent again", function()
    local factset = assert(batchapi.factset{ max_retries = 0 })
    local dir = jobs.dir()
    sandbox.faults{ { match = { operation = "factset.get_batch_job_result" }, fault = { type = "status", status = 404 } } }
    local options = { interval = 0.05, settle = 0.1, dir = dir }
    assert.are.same({ uncollected = 3 }, outcomes(all(assert(factset:run({ "Client:A", "Client:B", "Client:C" }, options)))))
    assert.are.same({ uncollected = 3 }, outcomes(all(assert(batchapi.resume(dir, { client = factset })))))
    local job = assert(batchapi.resume(dir, { client = factset }))
    assert.are.same({ 0, 0 }, { job:status().settled, job:status().failed })
    job:close()
    sandbox.faults{}
    job = assert(factset:run({ "Client:A", "Client:B", "Client:C" }, options))
    assert.are.same({ ok = 3 }, outcomes(all(job)))
    assert.are.same({ 3, 0 }, { job:status().ok, job:status().failed })
    assert.are.equal(3, sandbox.count("requests", "factset.post_batch"))
    local before = sandbox.count("requests", "all")
    assert.are.same({ ok = 3 }, outcomes(all(assert(batchapi.resume(dir, { client = factset })))))
    assert.are.equal(before, sandbox.count("requests", "all"))
    factset:close()
  end)
end)
