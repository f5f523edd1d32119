local batchapi = require("batchapi")
local face = require("batchapi.job.face")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chat, chats, quick, all = jobs.chat, jobs.chats, jobs.quick, jobs.all

describe("client:run", function()
  local openai

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{})
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  describe("takes requests", function()
    it("from an array, and gives each its own answer", function()
      local job = assert(openai:run(chats(7), quick()))
      local list, by_index = all(job)
      assert.are.equal(7, #list)
      for i = 1, 7 do
        assert.are.equal("request-" .. i, by_index[i].custom_id)
        assert.is_true(by_index[i].ok)
        assert.are.equal(200, by_index[i].status)
        assert.is_nil(by_index[i].error)
        assert.are.equal("echo: text " .. i, jobs.content(by_index[i]))
      end
    end)

    it("from an iterator, which is asked once for each", function()
      local asked = 0
      local job = assert(openai:run(function()
        asked = asked + 1
        return asked <= 4 and chat("it " .. asked) or nil
      end, quick()))
      assert.are.equal(5, asked)
      assert.are.equal(4, #all(job))
    end)

    it("from a file; a complete line goes byte for byte, another is completed", function()
      local path = os.tmpname()
      local whole = [[{ "custom_id":"mine",  "method":"POST","url":"/v1/chat/completions","body":{"model":"m",]]
        .. [["n":1.0,"messages":[{"role":"user","content":"h\u00e9"}],"stop":null}}]]
      jobs.write(path, whole .. "\n\n" .. [[{"body":{"model":"m","messages":[],"stop":null,"big":9007199254740993}}]])
      local dir = jobs.dir()
      local job = assert(openai:run(path, quick{ dir = dir }))
      os.remove(path)
      local list = all(job)
      assert.are.equal(2, #list)
      local sent = jobs.read(dir .. "/part-00001.jsonl")
      assert.are.equal(whole, sent:match("^[^\n]*"))
      local second = sent:match("\n([^\n]*)\n$")
      assert.is_truthy(second:find('"custom_id":"request-2"', 1, true))
      assert.is_truthy(second:find('"stop":null', 1, true))
      assert.is_truthy(second:find('"url":"/v1/chat/completions"', 1, true))
      if rawget(math, "type") then
        assert.is_truthy(second:find("9007199254740993", 1, true))
      end
    end)

    it("and takes the endpoint from the first request when no option says it", function()
      local request = chat("x")
      request.url = "/v1/chat/completions"
      local options = quick()
      options.endpoint = nil
      local job = assert(openai:run({ request }, options))
      assert.is_true(all(job)[1].ok)
      local _, why, err = openai:run({ chat("x") }, options)
      assert.are.equal("invalid", err.kind)
      assert.is_truthy(why:find("'endpoint' is missing", 1, true))
    end)
  end)

  describe("refuses before anything is spent", function()
    local function refused(requests, wanted, options)
      local job, why, err = openai:run(requests, quick(options))
      assert.is_nil(job)
      assert.are.equal("invalid", err.kind)
      assert.is_truthy(why:find(wanted, 1, true), why)
      assert.are.equal(0, sandbox.count("batches", "all"))
      return err
    end

    it("a broken line, with its number", function()
      local path = os.tmpname()
      jobs.write(path, '{"body":{"model":"m"}}\n\n{"body":{"model":"m"}}\n{"body":{"model":}}\n')
      local err = refused(path, "line 4")
      os.remove(path)
      assert.are.equal(4, err.line)
    end)

    it("a request of a file by its line, one of an array or an iterator by its number", function()
      local path = os.tmpname()
      jobs.write(path, '\n{"body":{"model":"m"}}\n\n{"body":7}\n')
      assert.are.equal(4, refused(path, "run: line 4: 'body' must be an object").line)
      os.remove(path)
      local list = { chat("a"), { body = 7 } }
      assert.are.equal(2, refused(list, "run: request 2: 'body' must be an object").line)
      local index = 0
      refused(function()
        index = index + 1
        return list[index]
      end, "run: request 2: 'body' must be an object")
    end)

    it("a broken request in a later part, and takes back what was uploaded", function()
      local list = chats(40)
      list[40] = { body = "no" }
      local dir = jobs.dir()
      refused(list, "request 40: 'body' must be an object", { max_requests_per_batch = 4, dir = dir })
      assert.are.equal(0, #assert(openai:list_files()).data)
      assert.is_nil(io.open(dir .. "/journal.jsonl"))
    end)

    it("two requests with one id", function()
      local list = chats(3)
      list[1].custom_id, list[3].custom_id = "same", "same"
      refused(list, [['custom_id' "same" stands twice: it is also that of request 1]])
      list[1].custom_id, list[3].custom_id = "request-2", nil
      refused(list, [['custom_id' "request-2" stands twice]])
    end)

    it("what the service is known to refuse", function()
      refused({ {} }, "request 1: 'body' is missing")
      refused({ { body = {}, custom_ids = "a" } }, "unknown field 'custom_ids'; did you mean 'custom_id'?")
      refused({ { body = {}, url = "/v1/embeddings" } }, [['url' is "/v1/embeddings"]])
      refused({ chat("a"), chat("b", { model = "other" }) }, "'body.model' is \"other\"")
      refused({ { body = {}, custom_id = "" } }, "'custom_id' must be a string that is not empty")
      refused({ { body = {}, custom_id = 7 } }, "'custom_id' must be a string")
      refused({ { body = { 1, 2 } } }, "'body' must be an object")
      refused({}, "there are no requests")
      refused({ chat(("x"):rep(300)) }, "the request is", { max_bytes_per_batch = 200 })
    end)

    it("metadata and limits out of range", function()
      refused(chats(1), "metadata", { metadata = { [("k"):rep(65)] = "v" } })
      local full = {}
      for i = 1, 16 do
        full["k" .. i] = "v"
      end
      refused(chats(1), "batchapi_part among them is the job's own", { metadata = full })
      refused(chats(1), "at most 50000", { max_requests_per_batch = 50001 })
      refused(chats(1), "metadata.batchapi_part is the job's own", { metadata = { batchapi_part = "x" } })
      refused(chats(1), "option attempts must be at least 1, got 0", { attempts = 0 })
      refused(chats(1), "option interval must be a number, got NaN", { interval = 0 / 0 })
    end)

    it("with a raised error when it is misuse", function()
      assert.has_error(function()
        openai:run(chats(1), quick{ atempts = 2 })
      end, "run has no option 'atempts'; did you mean 'attempts'?")
      assert.has_error(function()
        openai:run(7, quick())
      end)
      assert.has_error(function()
        openai:run(chats(1), quick{ follow_pages = true })
      end)
      assert.has_error(function()
        openai:run(chats(1), quick{ attempts = "2" })
      end)
    end)
  end)

  describe("says what is wrong", function()
    it("when the key is", function()
      local other = assert(batchapi.openai{ api_key = "sk-wrong" })
      local job, why, err = other:run(chats(1), quick())
      assert.is_nil(job)
      assert.are.equal("auth", err.kind)
      assert.are.equal(401, err.status)
      assert.is_nil(why:find("sk-wrong", 1, true))
    end)

    it("when the server is gone", function()
      local gone = assert(batchapi.openai{ base_url = "http://127.0.0.1:1/v1", max_retries = 0, connect_timeout = 1 })
      sandbox.faults{}
      local job, _, err = gone:run(chats(1), quick{ timeout = 2 })
      assert.is_nil(job)
      assert.is_truthy(err.kind == "connect" or err.kind == "timeout")
    end)

    it("when the file is not there", function()
      local job, why, err = openai:run("/nonexistent/requests.jsonl", quick())
      assert.is_nil(job)
      assert.are.equal("io", err.kind)
      assert.are.equal("ENOENT", err.code)
      assert.is_truthy(why:find("/nonexistent/requests.jsonl", 1, true))
    end)

    it("when a batch fails validation: each request has the service's reason", function()
      local job = assert(openai:run(chats(3), quick{ metadata = { sandbox = "fail=model_not_found" } }))
      local list = all(job)
      assert.are.equal(3, #list)
      for _, result in ipairs(list) do
        assert.is_false(result.ok)
        assert.are.equal("model_not_found", result.error.code)
        assert.is_nil(result.status)
      end
      assert.are.equal("failed", job:status().parts[1].outcome)
    end)

    it("when the deadline is reached, and can be waited for again", function()
      sandbox.clock{ freeze = true }
      local job = assert(openai:run(chats(2), quick{ timeout = 1.5 }))
      local _, why, err = job:results():next()
      assert.are.equal("timeout", err.kind)
      assert.is_truthy(why:find("timeout", 1, true))
    end)

    it("when a result fails, with the service's code", function()
      local job = assert(openai:run(chats(3, { [2] = "fail-400-bad_thing" }), quick()))
      local _, by_index = all(job)
      assert.is_true(by_index[1].ok)
      assert.is_false(by_index[2].ok)
      assert.are.equal(400, by_index[2].status)
      assert.are.equal("bad_thing", by_index[2].error.code)
      assert.is_string(by_index[2].error.message)
    end)
  end)

  describe("results", function()
    it("come in order when asked", function()
      local job = assert(openai:run(chats(200), quick{ ordered = true, max_requests_per_batch = 70 }))
      local list = all(job)
      assert.are.equal(200, #list)
      for i, result in ipairs(list) do
        assert.are.equal(i, result.index)
      end
    end)

    it("come in order by the file thread where an event loop would wait for the disk", function()
      local open, opened = io.open, {}
      io.open = function(path, ...) -- luacheck: ignore 122
        opened[#opened + 1] = path:match("results%.jsonl.*$")
        return open(path, ...)
      end
      local count, dir = 0, jobs.dir()
      local ok, why = pcall(batchapi.parallel, function()
        local job = assert(openai:run(chats(700), quick{ ordered = true, max_requests_per_batch = 150, dir = dir }))
        local results = job:results()
        while true do
          local result, message, err = results:next()
          if not result then
            return assert(not err, message)
          end
          count = count + 1
          assert.are.equal(count, result.index)
        end
      end)
      io.open = open -- luacheck: ignore 122
      assert(ok, why)
      assert.are.equal(700, count)
      assert.same({}, opened)
    end)

    it("can be read with next, which gives nil for ever at the end", function()
      local job = assert(openai:run(chats(2), quick()))
      local results = job:results()
      assert.is_table(results:next())
      assert.is_table(results:next())
      assert.is_nil(results:next())
      assert.is_nil(results:next())
    end)

    it("are read once without dir, and replay with it", function()
      local job = assert(openai:run(chats(2), quick()))
      all(job)
      assert.has_error(function()
        job:results()
      end)
      local dir = jobs.dir()
      job = assert(openai:run(chats(2), quick{ dir = dir }))
      assert.are.equal(2, #all(job))
      assert.are.equal(2, #all(job))
    end)

    it("are removed by the file thread where an event loop would wait for the disk", function()
      local remove, count = os.remove, 0
      os.remove = function(...) -- luacheck: ignore 122
        count = count + 1
        return remove(...)
      end
      local dir
      local awaited = {}
      local ok, why = pcall(batchapi.parallel, function()
        local job = assert(openai:run(chats(3), quick()))
        local engine = face.engine(job)
        dir = engine.dir
        local unlink = engine.files.unlink
        engine.files.unlink = function(files, path)
          awaited[path:match("[^/]+$")] = true
          return unlink(files, path)
        end
        local results = job:results()
        local result, why, err
        repeat
          result, why, err = results:next()
        until result == nil
        assert(not err, why)
      end)
      os.remove = remove -- luacheck: ignore 122
      assert(ok, why)
      assert.is_nil(core.fs.stat(dir))
      assert.are.equal(0, count)
      assert.is_nil(awaited["requests.jsonl"]) -- one wait for all of them is enough
    end)

    it("leave nothing on disk without dir", function()
      local job = assert(openai:run(chats(2), quick()))
      local dir = face.engine(job).dir
      assert.is_truthy(io.open(dir .. "/part-00001.jsonl"))
      all(job)
      assert.is_nil(io.open(dir .. "/part-00001.jsonl"))
      assert.is_falsy(os.execute(("test -e '%s'"):format(dir)) == true)
    end)
  end)

  describe("splits", function()
    it("by count", function()
      local job = assert(openai:run(chats(25), quick{ max_requests_per_batch = 10 }))
      assert.are.equal(25, #all(job))
      local sizes = {}
      for i, part in ipairs(job:status().parts) do
        sizes[i] = part.requests
      end
      assert.are.same({ 10, 10, 5 }, sizes)
      assert.are.equal(3, sandbox.count("batches", "all"))
    end)

    it("by bytes, and no part is over", function()
      local job = assert(openai:run(chats(25), quick{ max_bytes_per_batch = 1000 }))
      assert.are.equal(25, #all(job))
      local parts = job:status().parts
      assert.is_true(#parts > 3)
      for _, part in ipairs(parts) do
        assert.is_true(part.bytes <= 1000)
      end
    end)

    it("by the inputs of embeddings", function()
      local list = {}
      for i = 1, 3 do
        local input = {}
        for j = 1, 20000 do
          input[j] = "w" .. i
        end
        list[i] = { body = { model = "text-embedding-3-small", input = input } }
      end
      list[4] = { body = { model = "text-embedding-3-small", input = "one" } }
      local report = assert(openai:run(list, { endpoint = "/v1/embeddings", dry_run = true }))
      assert.are.equal(2, #report.parts)
      assert.are.equal(2, report.parts[1].requests)
    end)

    it("with never more batches in flight than asked", function()
      local job = assert(openai:run(chats(12), quick{ max_requests_per_batch = 2, concurrency = 2 }))
      local most = 0
      assert(job:wait{ on_update = function(status)
        most = math.max(most, status.states.created or 0)
      end })
      assert.are.equal(2, most)
      assert.are.equal(12, #all(job))
    end)
  end)

  describe("dry_run", function()
    it("reports parts, bytes and every fault, and sends nothing", function()
      local path = os.tmpname()
      jobs.write(path, '{"body":{"model":"m"}}\nnonsense\n{"body":1}\n{"body":{"model":"m"},"custom_id":"request-1"}\n'
        .. '{"body":{"model":"m"}}\n')
      local report = assert(openai:run(path, quick{ dry_run = true }))
      os.remove(path)
      assert.are.equal(2, report.requests)
      assert.are.equal(1, #report.parts)
      assert.are.equal(report.parts[1].bytes, report.bytes)
      assert.is_false(report.ok)
      local lines = {}
      for i, fault in ipairs(report.faults) do
        lines[i] = fault.line
      end
      assert.are.same({ 2, 3, 4 }, lines)
      assert.are.equal(0, sandbox.count("requests", "all"))
    end)

    it("says the bytes that are then uploaded", function()
      local report = assert(openai:run(chats(9), quick{ dry_run = true, max_requests_per_batch = 4 }))
      assert.is_true(report.ok)
      local job = assert(openai:run(chats(9), quick{ max_requests_per_batch = 4 }))
      assert.are.equal(job:status().bytes, report.bytes)
      assert.are.equal(3, #report.parts)
      all(job)
    end)
  end)

  describe("the job", function()
    it("tells how far it is", function()
      local job = assert(openai:run(chats(5), quick()))
      assert.is_truthy(tostring(job):find(job.id, 1, true))
      local updates = 0
      local status = assert(job:wait{ on_update = function(update)
        updates = updates + 1
        assert.are.equal(job.id, update.id)
      end })
      assert.is_true(updates > 1)
      assert.are.equal("done", status.state)
      assert.are.equal(5, status.ok)
      assert.are.equal(5, status.settled)
      assert.are.equal(0, status.failed)
      assert.is_true(status.usage.total_tokens > 0)
      all(job)
    end)

    it("calls its own on_update, whose error raises at the caller", function()
      local seen = {}
      local job = assert(openai:run(chats(2), quick{ on_update = function(status)
        seen[#seen + 1] = status.state
        if status.state == "done" then
          error("mine", 0)
        end
      end }))
      assert.has_error(function()
        all(job)
      end, "mine")
      assert.is_true(#seen > 1)
    end)

    it("is cancelled: every request still has one result", function()
      sandbox.set{ batch = { in_progress = 30 } }
      local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, concurrency = 2 }))
      assert(job:cancel())
      local list = all(job)
      assert.are.equal(6, #list)
      for _, result in ipairs(list) do
        assert.is_false(result.ok)
        assert.are.equal("cancelled", result.error.code)
      end
      assert.are.equal("cancelled", job:status().state)
      assert.is_true(sandbox.count("batches", "all") < 3)
    end)
  end)

  it("draws progress as one line on a terminal and as plain lines elsewhere", function()
    local written = {}
    local file = { write = function(_, ...)
      for _, text in ipairs{ ... } do
        written[#written + 1] = text
      end
    end, flush = function() end }
    local job = assert(openai:run(chats(5), quick()))
    assert(job:wait{ on_update = batchapi.progress{ file = file, terminal = true } })
    local text = table.concat(written)
    assert.is_truthy(text:find("\r\27[K[========================] done  5/5", 1, true))
    assert.are.equal("\n", text:sub(-1))
    written = {}
    batchapi.progress{ file = file, terminal = false }(job:status())
    assert.is_truthy(table.concat(written):find("^job_%x+  done  5/5"))
    all(job)
  end)
end)
