-- A job that has ended is read by whoever has its directory: without client, key and origin.

local batchapi = require("batchapi")
local jobs = require("support.job")
local program = require("support.program")
local sandbox = require("support.sandbox")
local chats, quick, all = jobs.chats, jobs.quick, jobs.all

local WITHOUT = "env -u OPENAI_API_KEY -u OPENAI_BASE_URL -u ASANA_ACCESS_TOKEN -u ASANA_BASE_URL"


describe("a job that has ended", function()
  local openai, dir

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    openai = assert(batchapi.openai{ max_retries = 0 })
    dir = jobs.dir()
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  -- What a program without key says that resumes `dir`, and prints what `tell` makes of the job.
  local function resumed(tell, options, environment)
    return program.said(([[
      local batchapi = require("batchapi")
      local job, why, err = batchapi.resume(%q, %s)
      if not job then
        print(err.kind, err.code, why)
        return
      end
      %s
    ]]):format(dir, options or "nil", tell), environment or WITHOUT)
  end

  local print_all = [[
    for result in job:results() do
      print(result.index, result.ok, type(result.body) == "table" and result.body.choices[1].message.content or
        result.error and result.error.code)
    end
    print(job:status().state, job:status().ok, job:status().requests)
    assert(job:wait() and job:poll() and job:submit() and job:cancel())
    for result in job:results{ raw = true } do
      assert(#result.raw > 0)
    end
    job:close()
  ]]
  local all_three = "1\ttrue\techo: text 1\n2\ttrue\techo: text 2\n3\ttrue\techo: text 3\ndone\t3\t3\n"

  it("is replayed without its key", function()
    all(assert(openai:run(chats(3), quick{ dir = dir, ordered = true, metadata = { a = "b" }, cleanup = true })))
    local before = sandbox.count("requests", "all")
    assert.are.equal(all_three, resumed(print_all))
    assert.are.equal(all_three, resumed(print_all, "{ lock_timeout = 1, timeout = 5, interval = 1 }"))
    assert.are.equal(before, sandbox.count("requests", "all"))
  end)

  it("is replayed where the environment leads to another origin", function()
    all(assert(openai:run(chats(3), quick{ dir = dir, ordered = true })))
    assert.are.equal(all_three, resumed(print_all, nil, "env OPENAI_BASE_URL=http://127.0.0.1:9/v1"))
  end)

  it("is replayed though its service is one of the user's own", function()
    local mine = assert(batchapi.client({ extends = "openai", name = "mine", base_url = openai._base_url,
      auth = { { kind = "bearer", option = "key" } } }, { key = os.getenv("OPENAI_API_KEY") }))
    all(assert(mine:run(chats(3), quick{ dir = dir, ordered = true })))
    mine:close()
    assert.are.equal(all_three, resumed(print_all))
  end)

  it("is replayed though it was one of calls", function()
    local asana = assert(batchapi.asana())
    local actions = {}
    for i = 1, 12 do
      actions[i] = { method = "get", relative_path = "/tasks/" .. i }
    end
    all(assert(asana:run(actions, { dir = dir })))
    asana:close()
    assert.are.equal("12\t12\tdone\n", resumed([[
      local count, gids = 0, 0
      for result in job:results() do
        count = count + 1
        gids = gids + (result.body.data and 1 or 0)
      end
      print(count, gids, job:status().state)]]))
  end)

  it("tells which answers could not be fetched, and that a client is needed for them", function()
    sandbox.faults{ { match = { operation = "openai.download_file", batch = 1 },
      fault = { type = "status", status = 404 } } }
    all(assert(openai:run(chats(2), quick{ dir = dir, ordered = true, settle = 0.1 })))
    local said = resumed([[
      for result in job:results() do print(result.index, result.error.code) end
      print(table.concat(job:status().warnings))]])
    assert.match("^1\tuncollected\n2\tuncollected\n", said)
    assert.match("2 answers could not be fetched.*client", said)
  end)

  it("needs a client for what is more than reading", function()
    all(assert(openai:run(chats(2), quick{ dir = dir })))
    for _, options in ipairs{ "{ attempts = 2 }", "{ cleanup = true }", "{ salvage = true }" } do
      assert.match("OPENAI_API_KEY", resumed("print(job)", options), 1, true)
    end
  end)

  it("is refused by a client that is given and is another service's, or talks to another origin", function()
    all(assert(openai:run(chats(2), quick{ dir = dir })))
    local elsewhere = assert(batchapi.openai{ base_url = "http://127.0.0.1:9/v1" })
    local job, _, err = batchapi.resume(dir, { client = elsewhere })
    assert.is_nil(job)
    assert.are.equal("other_origin", err.code)
  end)

  it("that has not ended needs its key", function()
    local job = assert(openai:run(chats(2), quick{ dir = dir }))
    job:close()
    assert.match("OPENAI_API_KEY", resumed("print(job)"), 1, true)
    local mine = assert(batchapi.client({ extends = "openai", name = "mine", base_url = openai._base_url,
      auth = { { kind = "bearer", option = "key" } } }, { key = os.getenv("OPENAI_API_KEY") }))
    dir = jobs.dir()
    assert(mine:run(chats(2), quick{ dir = dir })):close()
    assert.match("^job\tother_service\t.*give { client = … }", resumed("print(job)"))
  end)
end)


describe("resume", function()
  it("refuses a client that is none, or closed, at the caller's line", function()
    for _, client in ipairs{ { _definition = { run = {} } }, {}, "openai", print } do
      local ok, why = pcall(function() batchapi.resume("/nowhere", { client = client, attempts = 2, salvage = true }) end)
      assert.is_false(ok)
      assert.match("^spec/job/replay_spec.lua:%d+: resume: option 'client' must be a client", why)
    end
    local closed = assert(batchapi.openai())
    closed:close()
    local ok, why = pcall(function() batchapi.resume("/nowhere", { client = closed }) end)
    assert.is_false(ok)
    assert.match("^spec/job/replay_spec.lua:%d+: resume: the client is closed", why)
  end)
end)
