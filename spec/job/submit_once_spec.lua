-- runs on: lua5.4
-- A create whose answer is lost, over real sockets: found, fenced or unknown, and never made twice.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


describe("submitting once", function()
  local openai, dir

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{ max_retries = 1 })
    dir = jobs.dir()
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  local function types(names)
    local list = {}
    for _, record in ipairs(jobs.journal(dir)) do
      list[#list + 1] = names[record.type] and record.type or nil
    end
    return table.concat(list, " ")
  end

  local STEPS = { uploaded = true, create = true, lost = true, fencing = true, deleted = true, fenced = true,
    created = true, uncreated = true, requeued = true, forgot = true, doubled = true }

  -- Every batch that completed at the service.
  local function completed()
    local count = 0
    for batch in openai:each("list_batches", { limit = 100 }) do
      count = count + (batch.status == "completed" and 1 or 0)
    end
    return count
  end

  local function all_ok(list)
    for _, result in ipairs(list) do
      assert.is_true(result.ok)
    end
    return #list
  end

  it("adopts a batch that was made though its answer was lost", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    local job = assert(openai:run(chats(3), quick{ settle = 0.4, dir = dir }))
    assert.are.equal(3, all_ok(all(job)))
    assert.are.equal("uploaded create lost created", types(STEPS))
    assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
    assert.are.equal(0, job:status().maybe_paid_twice)
  end)

  it("adopts one that shows late in the list, with its file in place", function()
    sandbox.set{ batch_visibility_delay = 3 } -- 0.3 s
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 1, dir = dir })))))
    assert.are.equal("uploaded create lost created", types(STEPS))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("deletes the file of a create that never arrived, and begins anew with another", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.3, dir = dir })))))
    assert.are.equal("uploaded create lost fencing deleted fenced uploaded create created", types(STEPS))
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal(2, sandbox.count("requests", "openai.create_file"))
  end)

  it("keeps a create that comes after the settling time from running: its file is gone", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "late", seconds = 1.5 } } }
    sandbox.set{ batch = { in_progress = 15 } } -- still running when it comes
    local job = assert(openai:run(chats(3), quick{ settle = 0.3, dir = dir }))
    assert.are.equal(3, all_ok(all(job)))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("is not deceived by a late create that the service accepts, to fail", function()
    sandbox.set{ missing_file = "fail_later", batch = { validating = 5, in_progress = 5 } }
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "late", seconds = 0.9 } },
      { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    local job = assert(openai:run(chats(3), quick{ settle = 0.4, dir = dir }))
    assert.are.equal(3, all_ok(all(job)))
    assert.are.equal(2, sandbox.count("batches", "all"))
    assert.are.equal(1, completed())
    assert.are.equal(0, job:status().maybe_paid_twice)
  end)

  it("takes a late create that arrives while it waits", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "late", seconds = 0.2 } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.8, dir = dir })))))
    assert.are.equal("uploaded create lost created", types(STEPS))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("waits from the delete's answer: a delete that takes effect late lets a batch through, which is found", function()
    sandbox.set{ file_deletion_delay = 5 } -- 0.5 s
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "late", seconds = 0.7 } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.5, dir = dir })))))
    assert.are.equal(1, completed())
  end)

  it("asks until the delete is answered: lost answers and failures prove nothing", function()
    sandbox.faults{
      { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } },
      { match = { operation = "openai.delete_file", first = 5 }, faults = { { type = "reset" },
        { type = "status", status = 503 }, { type = "html" } } },
      { match = { operation = "openai.delete_file", nth = 1 }, fault = { type = "lost" } },
    }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.2, dir = dir })))))
    assert.are.equal("uploaded create lost fencing deleted fenced uploaded create created", types(STEPS))
  end)

  it("deletes a file only once it was seen: a 404 of one that is not visible yet proves nothing", function()
    sandbox.set{ file_lookup_delay = 8 } -- 0.8 s
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.5, dir = dir })))))
    local log = sandbox.log{ operation = "openai.retrieve_file" }
    assert.are.equal(404, log[1].status)
    assert.are.equal(200, log[#log].status)
    for _, entry in ipairs(sandbox.log{ operation = "openai.delete_file" }) do
      assert.are.equal(200, entry.status)
      assert.is_true(entry.n > log[#log].n)
    end
  end)

  it("stays unknown where the file cannot be seen, and sends nothing again", function()
    sandbox.faults{
      { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } },
      { match = { operation = "openai.retrieve_file" }, fault = { type = "status", status = 404 } },
    }
    local list = all(assert(openai:run(chats(3), quick{ settle = 0.2, dir = dir })))
    assert.are.equal(3, #list)
    assert.are.equal("unknown_outcome", list[1].error.code)
    assert.matches("create_batch", list[1].error.message)
    assert.matches("retrieve_file: 404", list[1].error.message)
    assert.are.equal(1, sandbox.count("requests", "openai.create_batch"))
    assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
  end)

  for name, page in pairs{
    ["a page that does not move"] = '{"object":"list","data":[],"has_more":true,"last_id":null}',
    ["no list at all"] = '{"object":"nothing"}',
  } do
    it(name .. " is no look: no second create, ever", function()
      sandbox.faults{
        { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } },
        { match = { operation = "openai.list_batches" }, fault = { type = "body", status = 200, body = page } },
      }
      local list = all(assert(openai:run(chats(2), quick{ settle = 0.2, dir = dir })))
      assert.are.equal("unknown_outcome", list[1].error.code)
      assert.matches("list_batches", list[1].error.message)
      assert.are.equal(1, sandbox.count("requests", "openai.create_batch"))
    end)
  end

  it("a list that is refused names its status in the unknown outcome", function()
    sandbox.faults{
      { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "status", status = 500 } },
      { match = { operation = "openai.list_batches" }, fault = { type = "status", status = 404 } },
    }
    local list = all(assert(openai:run(chats(2), quick{ settle = 0.2, dir = dir })))
    assert.matches("create_batch: 500", list[1].error.message)
    assert.matches("list_batches: 404", list[1].error.message)
  end)

  it("looks through empty pages that say there is more", function()
    sandbox.set{ empty_pages = 3 }
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.3, dir = dir })))))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("reads back minutes, by the service's own clock, and not a day of the account's batches", function()
    local file = assert(openai:create_file{ purpose = "batch", file = { filename = "a.jsonl",
      content = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}\n' } })
    local numbers = {}
    for i = 1, 300 do
      numbers[i] = i
    end
    assert(batchapi.map(numbers, function()
      return openai:create_batch{ input_file_id = file.id, endpoint = "/v1/embeddings", completion_window = "24h" }
    end))
    sandbox.clock{ advance = 3600 } -- now the service is an hour ahead of us
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    assert.are.equal(2, all_ok(all(assert(openai:run(chats(2), quick{ settle = 0.3, dir = dir })))))
    assert.are.equal(4, sandbox.count("requests", "openai.list_batches")) -- two pages to find it; to see no other
  end)

  it("cancels the younger of two batches that one create made, and counts what may have been paid twice", function()
    sandbox.set{ batch = { in_progress = 20 } }
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "double", lost = true } } }
    local job = assert(openai:run(chats(3), quick{ settle = 0.4, dir = dir }))
    assert.are.equal(3, all_ok(all(job)))
    assert.are.equal(2, sandbox.count("batches", "all"))
    assert.are.equal(1, sandbox.count("requests", "openai.cancel_batch"))
    assert.are.equal(1, completed())
    local status = job:status()
    assert.are.equal(jobs.count_records(dir, "doubled") * 3, status.maybe_paid_twice)
  end)

  it("counts a second batch that has run, and says which", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "double", lost = true } },
      { match = { operation = "openai.cancel_batch" }, fault = { type = "status", status = 409 } } }
    local job = assert(openai:run(chats(3), quick{ settle = 0.4, dir = dir }))
    assert.are.equal(3, all_ok(all(job)))
    assert.are.equal(3, job:status().maybe_paid_twice)
    assert.matches("paid twice", table.concat(job:status().warnings, " "))
  end)

  it("collects an adopted batch that broke midway, and never repeats it whole", function()
    sandbox.set{ deleted_input = "break", batch = { in_progress = 20 }, batch_visibility_delay = 9 }
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    -- Seen only after the first wait: its file is deleted while it runs.
    local list = all(assert(openai:run(chats(6), quick{ settle = 0.6, dir = dir })))
    assert.are.equal(6, #list)
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal("uploaded create lost fencing deleted created", types(STEPS))
  end)

  it("makes an adopted batch anew that failed with nothing run, of another file", function()
    sandbox.set{ batch = { validating = 8 }, batch_visibility_delay = 5 }
    sandbox.faults{
      { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "late", seconds = 0.05 } },
    }
    local job = assert(openai:run(chats(3), quick{ settle = 0.8, dir = dir, metadata = { sandbox = "fail=some_reason" } }))
    local list = all(job)
    assert.are.equal("some_reason", list[1].error.code)
    assert.matches("requeued uploaded create created", types(STEPS))
    local files = {}
    for batch in openai:each("list_batches") do
      files[#files + 1] = batch.input_file_id
    end
    assert.are.equal(2, #files)
    assert.are_not.equal(files[1], files[2])
  end)

  it("stops where the service gives a file's id again", function()
    local first = assert(openai:create_file{ purpose = "batch", file = { filename = "a.jsonl", content = "{}\n" } })
    sandbox.reset() -- its ids come again
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } },
      { match = { operation = "openai.create_file", nth = 2 },
        fault = { type = "body", body = ('{"id":"%s","object":"file"}'):format(first.id) } } }
    local list = all(assert(openai:run(chats(2), quick{ settle = 0.2, dir = dir })))
    assert.are.equal("unknown_outcome", list[1].error.code)
    assert.matches("twice", list[1].error.message)
  end)

  it("gives up after so many lost creates, and says that nothing was submitted", function()
    sandbox.faults{ { match = { operation = "openai.create_batch" }, fault = { type = "reset", read = true } } }
    local job, why, err = openai:run(chats(2), quick{ settle = 0.02, dir = dir })
    assert.is_nil(job)
    assert.matches("not submitted", why)
    assert.is_table(err)
    assert.are.equal(0, sandbox.count("batches", "all"))
    assert.are.equal(6, jobs.count_records(dir, "fenced"))
  end)

  it("waits on across processes of one boot, and begins again on another", function()
    sandbox.faults{ { match = { operation = "openai.create_batch" }, fault = { type = "reset", read = true } } }
    local job = openai:run(chats(2), quick{ settle = 30, timeout = 0.4, dir = dir })
    assert.is_nil(job)
    local records = jobs.journal(dir)
    assert.are.equal(1, jobs.count_records(dir, "lost"))
    sandbox.faults{}
    local function waited_since(seconds, boot)
      local id, now = core.boot()
      jobs.write_journal(dir, records)
      jobs.edit_journal(dir, function(record)
        return record.type ~= "lost" and record
          or { type = "lost", part = 1, boot = boot or id, since = now - seconds }
      end)
      return openai:run(chats(2), quick{ settle = 30, timeout = 0.6, dir = dir })
    end
    assert.is_nil(waited_since(31, "another boot"))
    assert.are.equal(0, jobs.count_records(dir, "fencing"))
    assert.is_nil(waited_since(10))
    assert.are.equal(0, jobs.count_records(dir, "fencing"))
    assert.is_nil(waited_since(31))
    assert.are.equal(1, jobs.count_records(dir, "fencing"))
    assert.are.equal(1, jobs.count_records(dir, "deleted"))
    local id, now = core.boot()
    jobs.edit_journal(dir, function(record)
      return record.type ~= "deleted" and record
        or { type = "deleted", part = 1, boot = id, since = now - 31 }
    end)
    assert.are.equal(2, all_ok(all(assert(openai:run(chats(2), quick{ settle = 30, dir = dir })))))
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal(1, sandbox.count("requests", "openai.delete_file"))
  end)

  it("takes its steps once though each wait is shorter than any of them", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 2 }, fault = { type = "reset", read = true } } }
    local job = assert(openai:run(chats(2), quick{ settle = 0.4, dir = dir, max_requests_per_batch = 1, concurrency = 1 }))
    local waits, status = 0
    repeat
      waits, status = waits + 1, job:wait{ timeout = 0.05 }
    until status or waits == 500
    assert.is_true(waits > 5)
    assert.are.equal(2, all_ok(all(job)))
    assert.are.equal(3, sandbox.count("requests", "openai.create_file"))
    assert.are.equal(1, sandbox.count("requests", "openai.delete_file"))
    assert.are.equal(1, jobs.count_records(dir, "fenced"))
  end)

  it("gets there in processes that each run for less than the settling time", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } } }
    local first = openai:run(chats(2), quick{ settle = 0.8, dir = dir, timeout = 0.3 })
    assert.is_nil(first)
    local list
    for _ = 1, 40 do
      local job = batchapi.resume(dir, { client = openai, timeout = 0.3, interval = 0.05 })
      local status = job and job:wait()
      if status then
        list = all(job)
        break
      elseif job then
        job:close()
      end
    end
    assert.are.equal(2, all_ok(list))
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal(1, jobs.count_records(dir, "lost"))
    assert.are.equal(1, jobs.count_records(dir, "fencing"))
  end)

  it("hands out what an adopted batch made, also in the process after", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "lost" } } }
    assert.are.equal(3, all_ok(all(assert(openai:run(chats(3), quick{ settle = 0.4, dir = dir })))))
    jobs.kill_after(dir, {}, { ended = true, settled = true, finished = true })
    assert.are.equal(3, all_ok(all(assert(batchapi.resume(dir, { client = openai, interval = 0.05 })))))
    assert.are.equal(1, sandbox.count("batches", "all"))
  end)

  it("takes back the upload of a refused create, when asked to clean up", function()
    local job, _, err = openai:run(chats(2), quick{ endpoint = "/v1/no-such", cleanup = true, dir = dir })
    assert.is_nil(job)
    assert.are.equal(400, err.status)
    assert.are.equal(0, #assert(openai:list_files()).data)
  end)

  it("waits for a file that Azure looks through first", function()
    sandbox.set{ azure = { file_pending = 5 } } -- 0.5 s
    local azure = assert(batchapi.azure{ endpoint = "http://127.0.0.1" })
    local job = assert(azure:run(chats(2), quick{ endpoint = "/chat/completions", dir = dir }))
    assert.are.equal(2, all_ok(all(job)))
    local asked = sandbox.count("requests", "azure_preview.retrieve_file") + sandbox.count("requests", "azure.retrieve_file")
    assert.is_true(asked > 1)
    assert.are.equal(1, sandbox.count("batches", "all"))
    azure:close()
  end)

  it("where a service has no word for the fence, looks over the settling time and creates again", function()
    local plain = assert(batchapi.client({ extends = "openai", name = "plain", base_url = os.getenv("OPENAI_BASE_URL"),
      run = { fence = false } }, { max_retries = 1, api_key = os.getenv("OPENAI_API_KEY") }))
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "reset", read = true } },
      { match = { operation = "openai.create_batch", nth = 2 }, fault = { type = "lost" } } }
    local job = assert(plain:run(chats(2), quick{ settle = 0.3, dir = dir }))
    assert.are.equal(2, all_ok(all(job)))
    assert.are.equal("uploaded create uncreated create created", types(STEPS))
    assert.are.equal(1, sandbox.count("batches", "all"))
    assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
    plain:close()
  end)

  it("mistral: reads back minutes too, of a list in any order", function()
    local mistral = assert(batchapi.mistral{ max_retries = 1 })
    local numbers = {}
    for i = 1, 120 do
      numbers[i] = i
    end
    assert(batchapi.map(numbers, function()
      return mistral:create_job{ endpoint = "/v1/chat/completions", model = "m",
        requests = { { custom_id = "a", body = { messages = {} } } } }
    end))
    sandbox.clock{ advance = 3600 }
    sandbox.faults{ { match = { operation = "mistral.create_job", nth = 1 }, fault = { type = "lost" } } }
    local job = assert(mistral:run(chats(2), quick{ settle = 0.3, dir = dir, model = "m" }))
    assert.are.equal(2, all_ok(all(job)))
    local log = sandbox.log{ operation = "mistral.list_jobs" }
    assert.are.equal(2, #log) -- to find it; to see no other
    assert.matches("created_after=", log[1].query)
    mistral:close()
  end)

  it("mistral: the same, by its own words", function()
    local mistral = assert(batchapi.mistral{ max_retries = 1 })
    sandbox.faults{ { match = { operation = "mistral.create_job", nth = 1 }, fault = { type = "late", seconds = 1 } } }
    local job = assert(mistral:run(chats(2), quick{ settle = 0.3, dir = dir, model = "m" }))
    assert.are.equal(2, all_ok(all(job)))
    assert.are.equal("uploaded create lost fencing deleted fenced uploaded create created", types(STEPS))
    mistral:close()
  end)
end)
