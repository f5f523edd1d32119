local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all

describe("jobs on disk", function()
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

  it("tell how far they are while another drives them, without key or lock", function()
    sandbox.clock{ freeze = true }
    local dir = jobs.dir()
    local job = assert(openai:run(chats(6, { [2] = "fail-400-bad" }), quick{ dir = dir, max_requests_per_batch = 2 }))
    assert(job:submit())
    local status = assert(batchapi.status(dir))
    assert.are.equal(job.id, status.id)
    assert.are.equal("running", status.state)
    assert.are.same({ created = 3 }, status.states)
    assert.are.equal(6, status.requests)
    assert.are.equal(0, status.settled)
    sandbox.clock{ freeze = false, speed = 10 }
    all(job)
    status = assert(batchapi.status(dir))
    assert.are.same({ "done", 5, 1 }, { status.state, status.ok, status.failed })
    assert.are.equal("bad", status.errors[1].code)
    assert.is_truthy(tostring(status):find("5 ok, 1 failed", 1, true))
    assert.are.same(job:status().usage, status.usage)
  end)

  it("are listed by the directory above them", function()
    local above = jobs.dir()
    for i, name in ipairs{ "b", "a" } do
      all(assert(openai:run(chats(i), quick{ dir = above .. "/" .. name })))
    end
    os.execute(("mkdir '%s/empty'; touch '%s/file'"):format(above, above))
    local list = assert(batchapi.jobs(above))
    assert.are.equal(2, #list)
    assert.are.same({ above .. "/b", above .. "/a" }, { list[1].dir, list[2].dir })
    assert.are.same({ "openai", "done", 1, 1 }, { list[1].service, list[1].state, list[1].requests, list[1].parts })
  end)

  it("are told from what is none", function()
    local dir = jobs.dir()
    os.execute(("mkdir '%s'"):format(dir))
    local status, why, err = batchapi.status(dir)
    assert.is_nil(status)
    assert.are.equal("not_a_job", err.code)
    assert.is_truthy(why:find(dir, 1, true))
    assert.are.same({}, assert(batchapi.jobs(dir)))
    assert.are.equal("ENOENT", select(3, batchapi.status(dir .. "/none")).code)
    assert.are.equal("ENOENT", select(3, batchapi.jobs(dir .. "/none")).code)
    assert.has_error(function() batchapi.status() end)
    assert.has_error(function() batchapi.jobs(1) end)
  end)

  it("are not made in a directory that holds something else", function()
    local dir = jobs.dir()
    os.execute(("mkdir '%s'; touch '%s/thesis.txt'"):format(dir, dir))
    local job, why, err = openai:run(chats(2), quick{ dir = dir })
    assert.is_nil(job)
    assert.are.equal("job", err.kind)
    assert.are.equal("not_a_job", err.code)
    assert.is_truthy(why:find(dir, 1, true))
    assert.is_string(jobs.read(dir .. "/thesis.txt"))
    assert.are.equal(0, sandbox.count("requests", "openai.create_file"))
  end)
end)
