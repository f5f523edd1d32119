--- What was received is kept until it was handed out, whatever it looks like.

local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all, chats, content, quick = jobs.all, jobs.chats, jobs.content, jobs.quick


describe("the answers of a batch", function()
  local openai

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 20 }
    openai = assert(batchapi.openai{ max_retries = 1 })
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)


  local function run(count, words, more)
    local options = quick(more)
    options.metadata = { sandbox = words .. " ordered" }
    return assert(openai:run(chats(count), options))
  end

  -- With a directory and without one.
  local function each_way(name, f)
    it(name .. ", without dir", function()
      f({})
    end)
    it(name .. ", with dir, and again when it is replayed", function()
      local dir = jobs.dir()
      f({ dir = dir })
      f({ dir = dir })
    end)
  end

  for _, case in ipairs{
    { "surrogate", "\239\191\189", "half of a surrogate pair became U%+FFFD at byte %d+" },
    { "control", "\v", "a raw control character was kept at byte %d+" },
    { "utf8", "\233", "a byte that is not UTF%-8 was kept at byte %d+" },
    { "nan", "", "a number that JSON does not have was read at byte %d+" },
    { "bom", "", "a byte order mark was skipped at byte 1" },
  } do
    each_way(("that are not quite JSON (%s) are ok, and say so"):format(case[1]), function(more)
      local job = run(2, case[1] .. "=1", more)
      local _, results = all(job)
      assert.is_true(results[1].ok and results[2].ok)
      assert.are.equal(case[2] .. "echo: text 1", content(results[1]))
      assert.are.equal("echo: text 2", content(results[2]))
      assert.matches("^" .. case[3] .. "$", results[1].repaired)
      assert.is_nil(results[2].repaired)
      assert.are.equal(0, job:status().unclaimed)
    end)
  end

  it("are ok with CR LF, and without the last line feed, and need no mend", function()
    for _, words in ipairs{ "crlf", "no_newline", "crlf no_newline" } do
      local list = all(run(2, words))
      assert.is_true(list[1].ok and list[2].ok)
      assert.is_nil(list[1].repaired or list[2].repaired)
    end
  end)

  it("with NaN tokens do not spoil the sum of the others", function()
    local job = run(2, "nan=1")
    all(job)
    local usage = job:status().usage
    assert.is_true(usage.total_tokens > 0 and usage.total_tokens < 100)
  end)

  each_way("that cannot be read are given to the request whose id stands in them", function(more)
    local job = run(3, "cut=1", more)
    local _, results = all(job)
    assert.is_false(results[1].ok)
    assert.are.equal("unreadable", results[1].error.code)
    assert.matches("not valid JSON", results[1].error.message)
    assert.matches('^{"id":"batch_req_%x+","custom_id":"request%-1","response":{.*[^}]$', results[1].raw)
    assert.is_true(results[2].ok and results[3].ok)
    assert.are.equal(0, job:status().unclaimed)
    assert.are.equal(1, job:status().broken)
  end)

  it("that cannot be read do not stand for one that can", function()
    sandbox.faults{ { match = { operation = "openai.download_file" }, fault = { type = "body",
      body = '{"custom_id":"request-1","response":{"status_c\n'
        .. '{"custom_id":"request-1","response":{"status_code":200,"body":{"whole":true}},"error":null}\n' } } }
    local job = run(1, "")
    local list = all(job)
    assert.is_true(list[1].ok and list[1].body.whole)
    assert.are.equal(1, job:status().unclaimed)
  end)

  each_way("that are as deep as can be read are kept as they are", function(more)
    local lines = {}
    for i, depth in ipairs{ 505, 507, 508, 509 } do -- and three levels around
      lines[i] = ('{"custom_id":"request-%d","response":{"status_code":200,"body":{"a":%s1%s}},"error":null}\n'):format(
        i, ("["):rep(depth), ("]"):rep(depth))
    end
    sandbox.faults{ { match = { operation = "openai.download_file" },
      fault = { type = "body", body = table.concat(lines) } } }
    for _, result in ipairs(all(run(4, "", more))) do
      local value = result.ok and result.body.a
      for _ = 1, 505 do
        value = value and value[1]
      end
      assert.is_not_nil(value)
      assert.is_nil(result.repaired)
    end
  end)

  -- What job:unclaimed() gives, as an array.
  local function unclaimed(job)
    local lines = {}
    for line in job:unclaimed() do
      lines[#lines + 1] = line
    end
    return lines
  end

  each_way("that belong to nobody are kept", function(more)
    local job = run(2, "stray=6 stranger=1", more)
    local _, results = all(job)
    assert.is_true(results[1].ok and results[2].ok)
    assert.are.equal(3, job:status().unclaimed)
    local lines = unclaimed(job)
    assert.are.equal(3, #lines)
    assert.matches('"custom_id":"stranger%-request%-1"', lines[1])
    assert.are.equal('{"custom_id":null}', lines[2])
    assert.are.equal('{"id":"batch_req_broken","custom_id":', lines[3])
  end)

  it("of every kind that belong to nobody are kept", function()
    local job = run(8, "stray=6")
    assert.are.equal(8, #all(job))
    local lines = unclaimed(job)
    table.sort(lines)
    assert.are.same({ '"text"', "[]", "null", '{"custom_id":1.5,"response":null,"error":null}', '{"custom_id":null}',
      '{"id":"batch_req_broken","custom_id":' }, lines)
  end)

  it("that are missing say that there are lines which belong to nobody", function()
    local _, results = all(run(2, "drop=1 stranger=1"))
    assert.are.equal("missing", results[1].error.code)
    assert.matches("1 of their lines belong to no request: job:unclaimed%(%) has them", results[1].error.message)
  end)

  it("that belong to nobody are kept once, also when the process dies while it collects them", function()
    local dir = jobs.dir()
    all(run(4, "stray=2 cut=1 drop=1", { dir = dir }))
    jobs.kill_after(dir, { ["request-2"] = true, ["request-1"] = true }, { settled = true, finished = true })
    local job = assert(batchapi.resume(dir, { client = openai }))
    local list = all(job)
    assert.are.same({ ["request-1"] = "missing", ["request-2"] = "unreadable", ["request-3"] = 200, ["request-4"] = 200 },
      jobs.outcomes(list))
    assert.are.equal(2, #unclaimed(job))
    assert.are.equal(2, job:status().unclaimed)
  end)

  describe("in a file that is none of results", function()
    local function on_download(fault, first)
      sandbox.faults{ { match = { operation = "openai.download_file", first = first }, fault = fault } }
    end

    for name, fault in pairs{ ["a page of HTML"] = { type = "html", status = 200 },
      ["an empty one"] = { type = "empty", status = 200 }, ["a binary one"] = { type = "body", body = "PK\0\0" } } do
      it(("(%s) are asked for again"):format(name), function()
        on_download(fault, 2)
        local job = run(2, "")
        local list = all(job)
        assert.is_true(list[1].ok and list[2].ok)
        assert.are.equal(3, sandbox.count("requests", "openai.download_file"))
      end)
    end

    it("are uncollected if it stays so", function()
      on_download{ type = "html", status = 200 }
      local job = run(2, "", { dir = jobs.dir(), cleanup = true })
      for _, result in ipairs(all(job)) do
        assert.are.equal("uncollected", result.error.code)
        assert.matches("the file of results is none: it is a page of HTML or XML", result.error.message)
      end
      assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
    end)

    it("are uncollected, not missing, if its lines are for nobody", function()
      on_download{ type = "body", body = '{\n  "error": { "message": "One moment" }\n}\n' }
      local job = run(2, "")
      for _, result in ipairs(all(job)) do
        assert.are.equal("uncollected", result.error.code)
      end
      assert.are.equal(3, job:status().unclaimed)
    end)

    for _, fault in ipairs{ { type = "gzip" }, { type = "gzip", silent = true }, { type = "utf16" } } do
      it(("are read if it is packed (%s, %s)"):format(fault.type, fault.silent and "unsaid" or "said"), function()
        on_download(fault)
        local list = all(run(2, ""))
        assert.is_true(list[1].ok and list[2].ok)
        assert.are.equal("echo: text 1", content(list[1]))
        assert.is_nil(list[1].repaired)
      end)
    end

    it("that is packed and cut off are asked for again", function()
      on_download({ type = "gzip", silent = true, cut = true }, 3)
      local list = all(run(2, ""))
      assert.is_true(list[1].ok and list[2].ok)
    end)
  end)

  it("of a batch that expired or was cancelled say which, when and what can be done", function()
    local _, results = all(run(2, "expire=0.5 window=1"))
    assert.matches("; the batch batch_%w+ expired, seen at 20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ "
      .. "%(run the request again, or give attempts%)$", results[2].error.message)
    local job = run(2, "in_progress=1000")
    assert(job:cancel())
    _, results = all(job)
    assert.are.equal("cancelled", results[1].error.code)
    assert.matches("^it was not answered: the batch batch_%w+ was cancelled, seen at .* "
      .. "%(run the request again if it is still wanted%)$",
      results[1].error.message)
  end)

  it("are counted by what went wrong, the most common first", function()
    local words = { "fail-400", "fail-404", "fail-404", "", "fail-404", "fail-500-odd" }
    local dir = jobs.dir()
    local job = assert(openai:run(chats(6, words), quick{ dir = dir }))
    all(job)
    local expected = { "model_not_found 3", "invalid_value 1", "odd 1" }
    local function counted(of)
      local list = {}
      for i, entry in ipairs(of:status().errors) do
        list[i] = entry.code .. " " .. entry.count
        assert.matches("^The request asked to fail with status %d+%.$", entry.message)
      end
      return list
    end
    assert.are.same(expected, counted(job))
    job:close()
    assert.are.same(expected, counted(assert(batchapi.resume(dir, { client = openai }))))
  end)

  describe("stay where they are in spite of cleanup", function()
    for name, words in pairs{ unreadable = "cut=1", ["lines of nobody"] = "stranger=1", missing = "drop=1" } do
      it(("where there are some: %s"):format(name), function()
        local dir = jobs.dir()
        local job = run(4, words, { cleanup = true, dir = dir, max_requests_per_batch = 2 })
        assert.are.equal(4, #all(job))
        assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
        assert.is_truthy(jobs.read(dir .. "/part-00001.answer-1.jsonl"))
        local warnings = job:status().warnings
        table.sort(warnings)
        assert.are.equal(2, #warnings)
        assert.matches("part 1: not all of its answers could be handed out.* file%-%w+, file%-%w+", warnings[1])
        job:close()
        all(assert(batchapi.resume(dir, { client = openai })))
        assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
        assert.is_truthy(jobs.read(dir .. "/part-00001.answer-1.jsonl"))
      end)
    end

    it("but not where all were handed out", function()
      local dir = jobs.dir()
      local job = run(2, "surrogate=1 duplicate=1", { cleanup = true, dir = dir })
      assert.are.equal(2, #all(job))
      assert.are.equal(2, sandbox.count("requests", "openai.delete_file"))
      assert.is_nil(jobs.read(dir .. "/part-00001.answer-1.jsonl"))
      assert.are.same({}, job:status().warnings)
    end)
  end)

end)
