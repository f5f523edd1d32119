local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


--- A job whose batches were made, given up by its process.
local function begun(openai, dir, options, count)
  sandbox.set{ batch = { in_progress = 1 } }
  options = quick(options)
  options.dir = dir
  local job = assert(openai:run(chats(count or 6), options))
  job:close()
  return job
end


local function fails(ok, why, err)
  assert.is_nil(ok)
  assert.is_string(why)
  return err, why
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

  it("holds the requests, the journal and at the end the results, and no secret", function()
    local job = assert(openai:run(chats(3), quick{ dir = dir .. "/deep/er" }))
    all(job)
    local text = ""
    for _, name in ipairs{ "journal.jsonl", "part-00001.jsonl", "results.jsonl" } do
      text = text .. assert(jobs.read(dir .. "/deep/er/" .. name), name)
    end
    assert.is_nil(text:find(os.getenv("OPENAI_API_KEY"), 1, true))
    local count = 0
    for line in io.lines(dir .. "/deep/er/results.jsonl") do
      local result = core.decode(line)
      assert.is_true(result.ok)
      count = count + 1
    end
    assert.are.equal(3, count)
  end)

  it("lets another process go on, by resume", function()
    begun(openai, dir)
    local job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.are.equal(6, #all(job))
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal(1, sandbox.count("requests", "openai.create_file"))
  end)

  it("lets another process go on, by run with the same requests", function()
    local first = begun(openai, dir, { max_requests_per_batch = 2 })
    local job = assert(openai:run(chats(6), quick{ dir = dir, max_requests_per_batch = 2 }))
    assert.are.equal(first.id, job.id)
    assert.are.equal(6, #all(job))
    assert.are.equal(3, sandbox.count("batches", "all"))
    -- Uploads that were under way when the first job was closed are made again.
    local uploads = sandbox.count("requests", "openai.create_file")
    assert.is_true(uploads >= 3 and uploads <= 5, uploads)
  end)

  it("lets run go on where calls needed no intent, and repeats none that has its result", function()
    local graph = assert(batchapi.msgraph{})
    local requests, options = {}, { dir = dir, repeat_writes = true, max_requests_per_batch = 1 }
    for i = 1, 3 do
      requests[i] = { id = "r" .. i, method = i == 1 and "DELETE" or "GET", url = "/" .. i }
    end
    all(assert(graph:run(requests, options)))
    jobs.kill_after(dir, { r1 = true }, { finished = true })
    for _ = 1, 2 do -- the second time it has ended
      assert.are.equal(3, #all(assert(graph:run(requests, options))))
      assert.are.equal(5, sandbox.count("requests", "all"))
    end
    assert.are.equal(1, sandbox.count("graph", "DELETE"))
    requests[2].url = "/other"
    assert.are.equal("input_changed", fails(graph:run(requests, options)).code)
    graph:close()
  end)

  it("takes the client from the environment when none is given", function()
    begun(openai, dir)
    local job = assert(batchapi.resume(dir))
    assert.are.equal(6, #all(job))
  end)

  it("replays a job that has ended, by run and by resume, without asking the service", function()
    all(assert(openai:run(chats(4), quick{ dir = dir, ordered = true })))
    local before = sandbox.count("requests", "all")
    local list = all(assert(openai:run(chats(4), quick{ dir = dir })))
    assert.are.equal(4, #list)
    assert.are.equal(3, list[3].index)
    local job = assert(batchapi.resume(dir, { client = openai }))
    assert.are.equal("done", job:status().state)
    assert.are.equal(4, job:status().ok)
    assert.are.equal(4, #all(job))
    assert.are.equal(before, sandbox.count("requests", "all"))
  end)

  it("refuses other requests once something was submitted", function()
    begun(openai, dir)
    local other = chats(6)
    other[5].body.messages[1].content = "something else"
    local err, why = fails(openai:run(other, quick{ dir = dir }))
    assert.are.equal("job", err.kind)
    assert.are.equal("input_changed", err.code)
    assert.is_truthy(why:find(dir, 1, true))
    err = fails(openai:run(chats(5), quick{ dir = dir }))
    assert.are.equal("input_changed", err.code)
    err = fails(openai:run(chats(7), quick{ dir = dir }))
    assert.are.equal("input_changed", err.code)
    err = fails(openai:run(chats(6), quick{ dir = dir, completion_window = "48h" }))
    assert.are.equal("options_changed", err.code)
  end)

  it("is refused by a client of another origin or service", function()
    begun(openai, dir)
    local elsewhere = assert(batchapi.openai{ base_url = "http://127.0.0.1:9/v1" })
    local err, why = fails(batchapi.resume(dir, { client = elsewhere }))
    assert.are.equal("job", err.kind)
    assert.are.equal("other_origin", err.code)
    assert.is_truthy(why:find("127.0.0.1:9", 1, true))
    assert.are.equal("other_origin", fails(elsewhere:run(chats(6), quick{ dir = dir })).code)
    local groq = assert(batchapi.groq{})
    assert.are.equal("other_service", fails(batchapi.resume(dir, { client = groq })).code)
  end)

  it("goes on from a copy in another place", function()
    begun(openai, dir)
    local copy = jobs.dir()
    os.execute(("cp -r '%s' '%s'"):format(dir, copy))
    os.execute(("rm -rf '%s'"):format(dir))
    assert.are.equal(6, #all(assert(batchapi.resume(copy, { client = openai }))))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("is refused when a newer version made it, not misread", function()
    begun(openai, dir)
    jobs.edit_journal(dir, function(record)
      record.format = record.format and record.format + 1
      return record
    end)
    assert.are.equal("newer_format", fails(batchapi.resume(dir, { client = openai })).code)
    local err, why = fails(openai:run(chats(6), quick{ dir = dir }))
    assert.are.equal("newer_format", err.code)
    assert.is_truthy(why:find("newer version", 1, true))
  end)

  it("is refused when it holds something else", function()
    os.execute(("mkdir '%s'"):format(dir))
    jobs.write(dir .. "/journal.jsonl", '{"hello":1}\n')
    assert.are.equal("not_a_job", fails(batchapi.resume(dir, { client = openai })).code)
    assert.are.equal("not_a_job", fails(openai:run(chats(1), quick{ dir = dir })).code)
    local err = fails(batchapi.resume(dir .. "/none", { client = openai }))
    assert.are.equal("io", err.kind)
    assert.are.equal("ENOENT", err.code)
  end)

  it("with a torn last line goes on; with a damaged one elsewhere it is refused", function()
    begun(openai, dir)
    local text = jobs.read(dir .. "/journal.jsonl")
    jobs.write(dir .. "/journal.jsonl", text .. '{"n":6,"type":"ended","part":1,"outco')
    local job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.are.equal(6, #all(job))
    text = jobs.read(dir .. "/journal.jsonl")
    jobs.write(dir .. "/journal.jsonl", (text:gsub('"uploaded"', '"uploadex"')))
    local err, why = fails(batchapi.resume(dir, { client = openai }))
    assert.are.equal("journal_damaged", err.code)
    assert.is_truthy(why:find("journal.jsonl, line %d: the line is damaged %(it still says: type uploadex, part 1"), why)
    assert.are.equal("uploadex", err.damage[1].known.type)
  end)

  it("torn anywhere behind the last intent goes on to the same end, and nothing is made twice", function()
    sandbox.set{ batch = { in_progress = 10 } }
    local first = assert(openai:run(chats(6), quick{ dir = dir, max_requests_per_batch = 3 }))
    while (first:status().states.created or 0) < 2 do
      assert(first:poll{ timeout = 0.05 })
    end
    first:close()
    local text = jobs.read(dir .. "/journal.jsonl")
    local whole = 0 -- behind the last intent: it was on disk before anything was asked of the service
    for from, behind in text:gmatch("()[^\n]*\n()") do
      if text:sub(from, behind - 1):find('"type":"create"', 1, true) then
        whole = behind - 1
      end
    end
    for at = whole, #text, math.max(1, math.floor((#text - whole) / 5)) do
      local copy = jobs.dir()
      os.execute(("cp -r '%s' '%s'"):format(dir, copy))
      jobs.write(copy .. "/journal.jsonl", text:sub(1, at))
      local job = assert(batchapi.resume(copy, { client = openai, interval = 0.05, settle = 0.1 }))
      assert.are.equal(6, #all(job))
    end
    assert.are.equal(2, sandbox.count("batches", "all"))
  end)

  it("finds a batch whose creation was not written down, on a later page of the list", function()
    begun(openai, dir)
    local text = jobs.read(dir .. "/journal.jsonl")
    jobs.write(dir .. "/journal.jsonl", (text:gsub('[^\n]*"type":"created".*$', "")))
    local file = assert(openai:create_file{ purpose = "batch", file = { filename = "a.jsonl",
      content = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}\n' } })
    local numbers = {}
    for i = 1, 120 do
      numbers[i] = i
    end
    assert(batchapi.map(numbers, function()
      return openai:create_batch{ input_file_id = file.id, endpoint = "/v1/embeddings", completion_window = "24h" }
    end))
    local job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.are.equal(6, #all(job))
    assert.are.equal(121, sandbox.count("batches", "all"))
    assert.are.equal(4, sandbox.count("requests", "openai.list_batches")) -- two pages to find it, and two to see no other
  end)

  it("with torn results takes over what is whole", function()
    local job = assert(openai:run(chats(5), quick{ dir = dir }))
    all(job)
    local results = jobs.read(dir .. "/results.jsonl")
    os.remove(dir .. "/results.jsonl")
    jobs.write(dir .. "/results.jsonl.part", results:sub(1, -20))
    local behind
    jobs.edit_journal(dir, function(record)
      behind = behind or record.type == "settled"
      return not behind and record or nil
    end)
    job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.are.equal(5, #all(job))
    assert.are.equal(0, job:status().duplicates)
    assert.is_nil(io.open(dir .. "/results.jsonl.part"))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("says input_incomplete when the requests were still being read", function()
    local index = 0
    local ok = pcall(function()
      openai:run(function()
        index = index + 1
        if index == 6 then
          error("the process dies here", 0)
        end
        return jobs.chat("text " .. index)
      end, quick{ dir = dir, max_requests_per_batch = 2 })
    end)
    assert.is_false(ok)
    local err, why = fails(batchapi.resume(dir, { client = openai }))
    assert.are.equal("job", err.kind)
    assert.are.equal("input_incomplete", err.code)
    assert.is_truthy(why:find("call run again", 1, true))
    local job = assert(openai:run(chats(7), quick{ dir = dir, max_requests_per_batch = 2 }))
    assert.are.equal(7, #all(job))
    assert.are.equal(4, sandbox.count("batches", "all"))
  end)

  it("skips what is written and uploaded when run again after that", function()
    local index = 0
    pcall(function()
      openai:run(function()
        index = index + 1
        if index == 6 then
          local deadline = core.now() + 5
          while jobs.count_records(dir, "uploaded") < 2 and core.now() < deadline do
            coroutine.wrap(function() end)()
            assert(openai:list_files()) -- gives the uploads' answers time to come
            index = index
            error("the process dies here", 0)
          end
        end
        return jobs.chat("text " .. index)
      end, quick{ dir = dir, max_requests_per_batch = 2 })
    end)
    local uploaded = jobs.count_records(dir, "uploaded")
    local before = sandbox.count("requests", "openai.create_file")
    local job = assert(openai:run(chats(7), quick{ dir = dir, max_requests_per_batch = 2 }))
    assert.are.equal(7, #all(job))
    assert.are.equal(4 - uploaded, sandbox.count("requests", "openai.create_file") - before)
  end)

  it("takes other requests while nothing was submitted", function()
    pcall(function()
      local index = 0
      openai:run(function()
        index = index + 1
        if index == 6 then
          error("the process dies here", 0)
        end
        return jobs.chat("old " .. index)
      end, quick{ dir = dir, max_requests_per_batch = 2 })
    end)
    local job = assert(openai:run(chats(3), quick{ dir = dir, max_requests_per_batch = 2 }))
    local list, by_index = all(job)
    assert.are.equal(3, #list)
    assert.are.equal("echo: text 1", jobs.content(by_index[1]))
    assert.are.equal(2, sandbox.count("batches", "all"))
  end)

  it("is held by one process; another is told its pid, or waits", function()
    os.execute(("mkdir '%s'"):format(dir))
    assert(os.execute(("mkfifo '%s.held'"):format(dir)))
    local holder = io.popen(([[exec %s -e 'local core = require("batchapi.core")
      local lock = assert(core.fs.lock("%s/lock"))
      io.stdout:write(core.pid(), "\n") io.stdout:flush()
      io.open("%s.held"):read("*a")']]):format(os.getenv("BATCHAPI_LUA") or "lua5.4", dir, dir))
    local pid = tonumber(holder:read("*l"))
    local err, why = fails(openai:run(chats(1), quick{ dir = dir }))
    assert.are.equal("locked", err.kind)
    assert.are.equal(pid, err.pid)
    assert.is_truthy(why:find(tostring(pid), 1, true))
    local began = core.now()
    err = fails(openai:run(chats(1), quick{ dir = dir, lock_timeout = 0.3 }))
    assert.are.equal("locked", err.kind)
    assert.is_true(core.now() - began >= 0.3)
    io.open(dir .. ".held", "w"):close() -- the holder reads the end, and ends
    local job = assert(openai:run(chats(1), quick{ dir = dir, lock_timeout = 10 }))
    holder:close()
    os.remove(dir .. ".held")
    assert.are.equal(1, #all(job))
  end)

  it("goes on with another client when the first was closed", function()
    local first = assert(batchapi.openai{})
    local job = assert(first:run(chats(3), quick{ dir = dir }))
    first:close()
    local result, why, err = job:results():next()
    assert.is_nil(result)
    assert.are.equal("closed", err.kind)
    assert.matches("^run: the client was closed before the job ended; resume it with another$", why)
    assert.are.equal("closed", select(3, job:wait()).kind)
    job:close()
    assert.are.equal(3, #all(assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))))
  end)

  it("is held until a refused run has removed its last file, so that nobody else's lock goes", function()
    local lock, left = core.fs.lock, {}
    core.fs.lock = function(...)
      local held, why, err = lock(...)
      return held and { release = function()
        left[#left + 1] = core.fs.stat(dir) and "files are left" or "all is gone"
        return held:release()
      end }, why, err
    end
    local request, err = { custom_id = "twice", body = chats(1)[1].body }, nil
    local ok, why = pcall(batchapi.parallel, function() -- the file thread removes them while others run
      err = fails(openai:run({ request, request }, quick{ dir = dir }))
      return true
    end)
    core.fs.lock = lock
    assert(ok, why)
    assert.are.equal("duplicate_id", err.code)
    assert.are.same({ "all is gone" }, left)
  end)

  it("is made anew for one who waited for it while it went", function()
    local lock, tries = core.fs.lock, 0
    core.fs.lock = function(...)
      tries = tries + 1
      if tries == 1 then
        assert(core.fs.rmdir(dir))
      end
      return lock(...)
    end
    local ok, why = pcall(function()
      assert.are.equal(1, #all(assert(openai:run(chats(1), quick{ dir = dir }))))
    end)
    core.fs.lock = lock
    assert(ok, why)
  end)

  it("is held by a job of the same process too, until it is closed", function()
    local job = assert(openai:run(chats(1), quick{ dir = dir }))
    assert.are.equal("locked", fails(batchapi.resume(dir, { client = openai })).kind)
    job:close()
    assert.are.equal(1, #all(assert(batchapi.resume(dir, { client = openai }))))
  end)
end)
