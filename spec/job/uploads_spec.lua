--- Files that a job uploads: their names, and what becomes of those that nobody needs.

local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick = jobs.chats, jobs.quick


describe("what a job uploads", function()
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

  local function files()
    local names = {}
    for file in openai:each("list_files", { purpose = "batch" }) do
      names[#names + 1] = file.filename
    end
    table.sort(names)
    return names
  end

  it("says whose it is: the job, the part, and how many-th file of it", function()
    local job = assert(openai:run(chats(4), quick{ max_requests_per_batch = 2 }))
    assert(job:wait())
    assert.are.same({ job.id .. "-00001-1.jsonl", job.id .. "-00002-1.jsonl" }, files())
  end)

  it("goes again, all of it, when run is refused and there is no dir", function()
    sandbox.faults{ { match = { operation = "openai.create_batch" }, fault = { type = "status", status = 400 } } }
    local job, _, err = openai:run(chats(6), quick{ max_requests_per_batch = 2 })
    assert.is_nil(job)
    assert.are.equal(400, err.status)
    assert.is_true(sandbox.count("requests", "openai.create_file") > 1)
    assert.are.same({}, files())
  end)

  it("stays where a directory says what it is for", function()
    local dir = jobs.dir()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 1 }, fault = { type = "status", status = 400 } } }
    assert.is_nil((openai:run(chats(4), quick{ max_requests_per_batch = 2, dir = dir })))
    local before = #files()
    assert.is_true(before > 0)
    assert(assert(openai:run(chats(4), quick{ max_requests_per_batch = 2, dir = dir })):wait())
    assert.are.equal(2, #files())
  end)
end)


describe("a definition", function()
  it("may not have repeated what may have been paid", function()
    local definition = { extends = "openai", name = "mine", base_url = "http://127.0.0.1:9",
      run = { result = { id = "custom_id", status = "response.status_code", retry = { codes = { "unknown_outcome" } } } } }
    local ok, why = pcall(function()
      local mine = assert(batchapi.client(definition, { api_key = "k" }))
      mine:run(chats(1), quick{})
    end)
    assert.is_false(ok)
    assert.matches("run.result.retry.codes: 'unknown_outcome'", tostring(why))
  end)
end)
