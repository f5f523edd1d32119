-- What is on disk is believed only where it proves itself, and only if nobody else can have put it there.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


local function fails(ok, why, err)
  assert.is_nil(ok)
  assert.is_string(why)
  return err, why
end


local function run(command, ...)
  local ok = os.execute(command:format(...))
  assert(ok == true or ok == 0, command)
end


local function mode_of(path)
  local pipe = io.popen(("stat -c %%a '%s'"):format(path))
  local mode = pipe:read("*l")
  pipe:close()
  return mode
end


describe("a job's directory", function()
  local openai, dir

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{})
    dir = jobs.dir()
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  local function finish(count, options)
    options = quick(options)
    options.dir = dir
    local job = assert(openai:run(chats(count), options))
    assert.are.equal(count, #all(job))
    job:close()
  end

  local function change(name, what, by)
    local text = jobs.read(dir .. "/" .. name)
    local changed, count = text:gsub(what, by, 1)
    assert.are.equal(1, count)
    jobs.write(dir .. "/" .. name, changed)
  end

  describe("that is damaged", function()
    it("is found to be by verify, which says where and what is still known, and changes nothing", function()
      finish(4, { max_requests_per_batch = 2 })
      local found = assert(batchapi.verify(dir))
      assert.is_true(found.ok, tostring(found))
      assert.are.equal(4, found.results)
      assert.are.equal(4, found.requests)
      assert.are.equal(2, found.parts)
      assert.is_true(found.finished)
      assert.matches("nothing is damaged", tostring(found))
      change("results.jsonl", "echo: text 3", "echo: text 2")
      change("journal.jsonl", '"created"', '"creaked"')
      change("part-00002.jsonl", "text 4", "text 5")
      local before = jobs.read(dir .. "/journal.jsonl")
      found = assert(batchapi.verify(dir))
      assert.is_false(found.ok)
      local files = {}
      for _, damage in ipairs(found.damage) do
        files[damage.file] = damage
      end
      assert.are.equal("request-3", files["results.jsonl"].known.custom_id)
      assert.is_string(files["journal.jsonl"].known.batch_id)
      assert.is_truthy(files["part-00002.jsonl"])
      assert.matches("line %d: the line is damaged %(it still says: type creaked", tostring(found))
      assert.are.equal(before, jobs.read(dir .. "/journal.jsonl"))
      assert.are.equal("ENOENT", fails(batchapi.verify(dir .. "/none")).code)
      assert.has_error(function() batchapi.verify(7) end)
    end)

    it("gives no result that was changed; salvaged, it gives the rest, and that one as damaged", function()
      finish(4)
      change("results.jsonl", "echo: text 3", "echo: text 2")
      local err, why = fails(batchapi.resume(dir, { client = openai }))
      assert.are.equal("results_damaged", err.code)
      assert.matches("results.jsonl, line %d", why)
      assert.matches("salvage = true", why)
      local list, by_index = all(assert(batchapi.resume(dir, { client = openai, salvage = true })))
      assert.are.equal(4, #list)
      assert.are.equal("damaged", by_index[3].error.code)
      assert.are.equal("request-3", by_index[3].custom_id)
      assert.are.equal("echo: text 4", jobs.content(by_index[4]))
      assert.matches("echo: text 2.*echo: text 2", jobs.read(dir .. "/results-damaged-1.jsonl"))
      by_index = select(2, all(assert(batchapi.resume(dir, { client = openai }))))
      assert.are.equal("damaged", by_index[3].error.code)
      assert.are.equal(1, sandbox.count("batches", "all"))
    end)

    it("salvaged while failed requests are sent again, keeps what came before it was left", function()
      local again = { [2] = "fail-500-times-1", [4] = "fail-500-times-1", [5] = "fail-500-times-1" }
      local options = quick{ dir = dir, max_requests_per_batch = 1, concurrency = 1 }
      local job = assert(openai:run(chats(6, again), options))
      assert(job:wait())
      assert.are.equal(3, job:retry())
      job:close()
      change("results.jsonl.part", "echo: text 1", "echo: text 9")
      local salvaged = assert(batchapi.resume(dir, { client = openai, salvage = true, settle = 0.3 }))
      repeat
        local status = assert(salvaged:poll{ timeout = 1 })
      until status.ok >= 3 or status.state == "done"
      salvaged:close()
      local _, by_index = all(assert(batchapi.resume(dir, { client = openai })))
      assert.are.equal("damaged", by_index[1].error.code)
      for index = 2, 6 do
        assert.is_true(by_index[index].ok, index)
      end
    end)

    it("creates nothing again when the record of a create is damaged: the batch is looked for", function()
      sandbox.set{ batch = { in_progress = 1 } }
      assert(openai:run(chats(2), quick{ dir = dir })):close()
      change("journal.jsonl", '"created"', '"creaked"')
      assert.are.equal("journal_damaged", fails(batchapi.resume(dir, { client = openai })).code)
      assert.are.equal("journal_damaged", fails(openai:run(chats(2), quick{ dir = dir })).code)
      local list = all(assert(batchapi.resume(dir, { client = openai, salvage = true, settle = 0.3 })))
      assert.are.equal(2, #list)
      assert.is_true(list[1].ok and list[2].ok)
      assert.are.equal(1, sandbox.count("batches", "all"))
      assert.matches("creaked", jobs.read(dir .. "/journal-damaged-1.jsonl"))
    end)

    it("is salvaged whole when the line that says what the job is, or how many requests it has, is damaged", function()
      for _, word in ipairs{ "completion_window", "requests" } do
        sandbox.reset()
        sandbox.set{ batch = { in_progress = 1 } }
        assert(openai:run(chats(3), quick{ dir = dir, max_requests_per_batch = 2 })):close()
        change("journal.jsonl", word == "requests" and '"requests":3' or word, word == "requests" and '"requests":2' or "x")
        local err, why = fails(batchapi.resume(dir, { client = openai }))
        assert.are.equal("journal_damaged", err.code)
        assert.matches("salvage = true", why)
        assert.are.equal("journal_damaged", fails(openai:run(chats(3), quick{ dir = dir })).code)
        assert.is_false(assert(batchapi.verify(dir)).ok)
        assert.are.equal(3, batchapi.status(dir).requests)
        local list = all(assert(batchapi.resume(dir, { client = openai, salvage = true, settle = 0.3 })))
        assert.are.equal(3, #list)
        assert.is_true(list[1].ok and list[2].ok and list[3].ok)
        assert.are.equal(2, sandbox.count("batches", "all"))
        assert.is_true(assert(batchapi.verify(dir)).ok)
        run("rm -rf '%s'", dir)
      end
    end)

    it("begins anew when nothing was sent: the line about the requests was never written", function()
      sandbox.faults{ { match = { operation = "openai.create_file" }, fault = { type = "status", status = 401 } } }
      assert.is_nil((openai:run(chats(4), quick{ dir = dir, max_requests_per_batch = 1 })))
      sandbox.faults{}
      local records = jobs.journal(dir)
      jobs.write_journal(dir, { records[1], records[2], records[3] })
      os.remove(dir .. "/journal-copy.jsonl")
      fails(batchapi.resume(dir, { client = openai })) -- writes the copy: what there is of it
      change("journal.jsonl", '"span":1', '"span":2')
      local err = fails(batchapi.resume(dir, { client = openai, salvage = true }))
      assert.are.equal("input_incomplete", err.code)
      assert.are.equal(4, #all(assert(openai:run(chats(4), quick{ dir = dir, max_requests_per_batch = 1 }))))
    end)

    it("hands out no line of nobody that was changed, and says so; the others it does", function()
      finish(4, { metadata = { sandbox = "stranger=3 ordered" } })
      local name = "part-00001.unclaimed.jsonl"
      change(name, "stranger%-request%-2", "stranger-request-7")
      local damage = assert(batchapi.verify(dir)).damage
      assert.are.equal(1, #damage)
      assert.are.equal(name, damage[1].file)
      local lines = assert(batchapi.resume(dir, { client = openai })):unclaimed()
      assert.matches("stranger%-request%-1", lines:next())
      local err, why = fails(lines:next())
      assert.are.equal("unclaimed_damaged", err.code)
      assert.are.equal(2, err.line)
      assert.matches("line 2: the line is damaged", why)
      assert.matches("stranger%-request%-3", lines:next())
      assert.is_nil((lines:next()))
      local whole = jobs.read(dir .. "/" .. name)
      jobs.write(dir .. "/" .. name, whole:match("[^\n]*\n"))
      lines = assert(batchapi.resume(dir, { client = openai })):unclaimed()
      assert.matches("stranger%-request%-1", lines:next())
      assert.are.equal(2, fails(lines:next()).damage[1].lines)
      assert.is_nil((lines:next()))
    end)

    it("uploads no part that is not what was written", function()
      sandbox.faults{ { match = { operation = "openai.create_file" }, fault = { type = "status", status = 401 } } }
      assert.is_nil((openai:run(chats(2), quick{ dir = dir })))
      sandbox.faults{}
      change("part-00001.jsonl", "text 1", "text 7")
      assert.are.equal("part_damaged", fails(batchapi.resume(dir, { client = openai })).code)
      local list = all(assert(batchapi.resume(dir, { client = openai, salvage = true })))
      assert.are.equal("damaged", list[1].error.code)
      assert.are.equal("damaged", list[2].error.code)
      assert.are.equal(0, sandbox.count("requests", "openai.create_batch"))
    end)

    it("that says what cannot be is refused at once", function()
      finish(2)
      local begun = core.now()
      for _, edit in ipairs{
        function(record) record.requests = record.requests and 3e9 end,
        function(record) record.requests = record.requests and 2 ^ 28 end,
        function(record) record.hash = record.hash and 7 end,
        function(record) record.first = record.first and 1.5 end,
        function(record) record.span = record.span and 2 ^ 27 end,
        function(record) record.type = record.type == "settled" and "unsettled" or record.type end,
        function(record) record.part = record.type == "created" and 9 or record.part end,
      } do
        local records = jobs.journal(dir)
        jobs.edit_journal(dir, function(record)
          edit(record)
          return record
        end)
        assert.are.equal("journal_damaged", fails(batchapi.resume(dir, { client = openai })).code)
        jobs.write_journal(dir, records)
      end
      assert.is_true(core.now() - begun < 2)
    end)
  end)

  describe("of the first format", function()
    -- Makes of the directory one as it was written before lines had numbers and checksums.
    local function make_old()
      local lines = {}
      for i, record in ipairs(jobs.journal(dir)) do
        record.n, record.crc, record.family, record.body, record.digest = nil, nil, nil, nil, nil
        record.format = record.format and 1
        record.file = record.type == "part" and "part-00001.jsonl" or nil
        lines[i] = core.encode(record) .. "\n"
      end
      jobs.write(dir .. "/journal.jsonl", table.concat(lines))
      local results = jobs.read(dir .. "/results.jsonl")
      if results then
        local old = {}
        for line in results:gmatch("[^\n]+") do
          local r = core.decode(line, { null = "keep" })
          old[#old + 1] = core.encode{ index = r.index, custom_id = r.custom_id, ok = r.ok, status = r.status,
            body = r.line.response.body } .. "\n"
        end
        jobs.write(dir .. "/results.jsonl", table.concat(old))
      end
    end

    it("becomes one of today's, and its journal is kept", function()
      finish(3)
      make_old()
      local old = jobs.read(dir .. "/journal.jsonl")
      local list, by_index = all(assert(batchapi.resume(dir, { client = openai })))
      assert.are.equal(3, #list)
      assert.are.equal("echo: text 2", jobs.content(by_index[2]))
      assert.are.equal(old, jobs.read(dir .. "/journal-1.jsonl"))
      assert.are.equal(2, jobs.journal(dir)[1].format)
      assert.is_true(assert(batchapi.verify(dir)).ok)
    end)

    it("goes on where it was, also when the process died while it was changed", function()
      sandbox.set{ batch = { in_progress = 1 } }
      assert(openai:run(chats(3), quick{ dir = dir })):close()
      make_old()
      jobs.write(dir .. "/journal.jsonl.new", "half a li")
      assert.are.equal(3, #all(assert(openai:run(chats(3), quick{ dir = dir }))))
      assert.are.equal(1, sandbox.count("batches", "all"))
    end)
  end)

  describe("is a boundary:", function()
    it("nobody else can read what is in it, or write to it", function()
      run("mkdir '%s' && chmod 755 '%s'", dir, dir)
      finish(2)
      assert.are.equal("700", mode_of(dir))
      for _, name in ipairs{ "journal.jsonl", "results.jsonl", "part-00001.jsonl", "lock" } do
        assert.are.equal("600", mode_of(dir .. "/" .. name), name)
      end
      run("chmod 777 '%s'", dir)
      local err, why = fails(batchapi.resume(dir, { client = openai }))
      assert.are.equal("EPERM", err.code)
      assert.matches("everyone may write to it", why)
    end)

    it("a link in it is refused, and what it leads to is not touched", function()
      local precious = dir .. ".precious"
      for _, name in ipairs{ "lock", "results.jsonl.part", "part-00001.jsonl.new", "journal.jsonl" } do
        jobs.write(precious, "precious")
        run("mkdir -p '%s' && ln -s '%s' '%s/%s'", dir, precious, dir, name)
        local job, why, err = openai:run(chats(2), quick{ dir = dir })
        if job then
          why, err = select(2, job:wait())
          job:close()
        end
        assert.are.equal("ELOOP", (err or {}).code, name .. ": " .. tostring(why))
        assert.are.equal("precious", jobs.read(precious))
        run("rm -rf '%s'", dir)
      end
      os.remove(precious)
    end)

    it("a record names no file outside of it", function()
      jobs.write(dir .. ".precious", "precious")
      sandbox.set{ batch = { in_progress = 1 } }
      assert(openai:run(chats(2), quick{ dir = dir })):close()
      jobs.edit_journal(dir, function(record)
        record.file = record.type == "part" and "../" .. dir:match("[^/]*$") .. ".precious" or nil
        return record
      end)
      assert.are.equal(2, #all(assert(batchapi.resume(dir, { client = openai }))))
      assert.are.equal("precious", jobs.read(dir .. ".precious"))
      os.remove(dir .. ".precious")
    end)
  end)
end)
