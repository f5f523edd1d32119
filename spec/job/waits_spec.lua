local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local loop = require("batchapi.host")
local program = require("support.program")
local sandbox = require("support.sandbox")

local chats, quick, all = jobs.chats, jobs.quick, jobs.all


-- How many results there are, each of another request: read so that Lua 5.1 can wait in a coroutine.
local function count_of(job)
  local results, seen, count = job:results(), {}, 0
  while true do
    local result, why = results:next()
    assert(not why, why)
    if not result then
      return count
    end
    assert.is_nil(seen[result.index])
    seen[result.index], count = true, count + 1
  end
end


describe("a wait that ends early", function()
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

  it("leaves uploads and creates under way: slices of wait send nothing twice", function()
    sandbox.faults{
      { match = { path = "/v1/files", method = "POST" }, fault = { type = "stall", seconds = 0.3 } },
      { match = { path = "/v1/batches", method = "POST" }, fault = { type = "stall", seconds = 0.3 } },
    }
    local job = assert(openai:run(chats(40), quick{ max_requests_per_batch = 10, concurrency = 1, interval = 0.1 }))
    local status
    local slices = 0
    repeat
      status, slices = job:wait{ timeout = 0.05 }, slices + 1
    until status or slices == 400
    assert.are.equal("done", status.state)
    assert.is_true(slices > 5)
    assert.are.equal(4, sandbox.count("requests", "openai.create_file"))
    assert.are.equal(4, sandbox.count("requests", "openai.create_batch"))
    assert.are.equal(40, #all(job))
  end)

  it("ends in time, not at the next poll", function()
    sandbox.clock{ freeze = true }
    local job = assert(openai:run(chats(2), quick{ interval = 30 }))
    local began = core.now()
    local status, why, err = job:wait{ timeout = 0.2 }
    assert.is_nil(status)
    assert.are.equal("timeout", err.kind)
    assert.is_true(err.retryable)
    assert.is_truthy(why:find("wait again", 1, true))
    local took = core.now() - began
    assert.is_true(took >= 0.19 and took < 5, tostring(took))
  end)

  for _, kind in ipairs{ "with dir", "without dir" } do
    it("ends nothing else, " .. kind, function()
      sandbox.clock{ freeze = true }
      local job = assert(openai:run(chats(3), quick{ dir = kind == "with dir" and jobs.dir() or nil }))
      for _ = 1, 3 do
        assert.are.equal("timeout", select(3, job:wait{ timeout = 0.03 }).kind)
      end
      assert.are.equal("running", job:status().state)
      sandbox.clock{ freeze = false, speed = 10 }
      assert.are.equal("done", assert(job:wait()).state)
      assert.are.equal(3, #all(job))
      assert.are.equal(1, sandbox.count("requests", "openai.create_batch"))
    end)
  end

  it("has a time and a hook of its own, also after an error in the hook", function()
    local calls = 0
    local job = assert(openai:run(chats(3), quick()))
    assert.has_error(function()
      job:wait{ timeout = 0.01, on_update = function()
        calls = calls + 1
        error("in the hook")
      end }
    end)
    assert.are.equal("done", assert(job:wait()).state)
    assert.are.equal(1, calls)
  end)

  it("is one of several: each has its own time and hook", function()
    sandbox.clock{ freeze = true }
    local job = assert(openai:run(chats(3), quick()))
    local told, ends = { 0, 0 }, {}
    local function wait(i, timeout)
      return function()
        local status, _, err = job:wait{ timeout = timeout, on_update = function()
          told[i] = told[i] + 1
        end }
        ends[i] = status and status.state or err.kind
        if i == 1 then
          sandbox.clock{ freeze = false, speed = 10 }
        end
      end
    end
    batchapi.parallel(wait(1, 0.1), wait(2))
    assert.are.same({ "timeout", "done" }, ends)
    assert.is_true(told[1] > 0 and told[2] > 1)
  end)

  it("by the job's own deadline lets the next begin anew", function()
    sandbox.clock{ freeze = true }
    local job = assert(openai:run(chats(2), quick{ timeout = 0.4 }))
    assert.are.equal("timeout", select(3, job:wait()).kind)
    local began = core.now()
    assert.are.equal("timeout", select(3, job:results():next()).kind)
    assert.is_true(core.now() - began > 0.35)
  end)

  it("is refused where it makes no sense", function()
    local job = assert(openai:run(chats(2), quick()))
    assert.has_error(function() job:wait{ timeuot = 1 } end)
    assert.has_error(function() job:wait{ timeout = "1" } end)
    assert.has_error(function() job:poll(5) end)
    assert.has_error(function() job:submit{ on_update = 1 } end)
    job:close()
  end)
end)


describe("a job", function()
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

  it("is submitted when every part has its batch", function()
    sandbox.clock{ freeze = true }
    local dir = jobs.dir()
    local job = assert(openai:run(chats(24), quick{ max_requests_per_batch = 2, dir = dir }))
    local status = assert(job:submit())
    assert.are.same({ created = 12 }, status.states)
    assert.are.equal(12, sandbox.count("batches", "all"))
    job:close()
    sandbox.clock{ freeze = false, speed = 10 }
    assert.are.equal(24, #all(assert(batchapi.resume(dir, { client = openai }))))
    assert.are.equal(12, sandbox.count("batches", "all"))
  end)

  it("is submitted in as much time as it is given", function()
    sandbox.faults{ { match = { operation = "openai.create_batch", nth = 2 }, fault = { type = "stall", seconds = 0.6 } } }
    local job = assert(openai:run(chats(4), quick{ max_requests_per_batch = 2 }))
    local status, _, err = job:submit{ timeout = 0.1 }
    assert.is_nil(status)
    assert.are.equal("timeout", err.kind)
    assert.are.equal("done", assert(job:wait()).state)
    assert.are.equal("done", assert(job:submit()).state)
  end)

  it("is submitted when its calls are, where it has no parts", function()
    sandbox.set{ factset = { queued = 2, executing = 1 } }
    sandbox.clock{ speed = 1 }
    local factset = assert(batchapi.factset{})
    local job = assert(factset:run({ "Client:A", "Client:B", "Client:C" }, { interval = 0.05 }))
    assert(job:submit())
    assert.are.equal("running", job:status().state)
    local made = 0
    for _ in pairs(sandbox.totals().factset_batches) do
      made = made + 1
    end
    assert.are.equal(3, made)
    job:close()
    factset:close()
  end)

  it("moves by polls that do not wait", function()
    local job = assert(openai:run(chats(6), quick{ max_requests_per_batch = 2, interval = 0.02 }))
    local status
    local polls, longest = 0, 0
    repeat
      local began = core.now()
      status = assert(job:poll())
      longest, polls = math.max(longest, core.now() - began), polls + 1
      loop.sleep(0.002)
    until status.state == "done" or polls == 20000
    assert.are.equal("done", status.state)
    assert.is_true(longest < 0.3, tostring(longest)) -- it has no more to do than what is due
    assert.are.equal(6, #all(job))
  end)

  it("moves by programs that poll once and end", function()
    local dir = jobs.dir()
    local job = assert(openai:run(chats(4), quick{ max_requests_per_batch = 2, dir = dir, interval = 20 }))
    assert(job:submit())
    job:close()
    local state
    local runs = 0
    repeat
      job = assert(batchapi.resume(dir, { client = openai }))
      local began = core.now()
      state, runs = assert(job:poll{ timeout = 10 }).state, runs + 1
      assert.is_true(core.now() - began < 5)
      job:close()
    until state == "done" or runs == 50
    assert.are.equal("done", state)
    assert.are.equal(2, sandbox.count("batches", "all"))
    assert.are.equal(4, #all(assert(batchapi.resume(dir, { client = openai }))))
  end)

  it("says at the program's end what was not sent", function()
    local script = [[
      local batchapi = require("batchapi")
      local requests = {}
      for i = 1, 6 do
        requests[i] = { body = { model = "m", messages = { { role = "user", content = "text " .. i } } } }
      end
      local dir, close = arg[1]:match("^(%S+) ?(%S*)$")
      local job = assert(assert(batchapi.openai()):run(requests, { endpoint = "/v1/chat/completions",
        max_requests_per_batch = 2, dir = dir ~= "-" and dir or nil, concurrency = 1 }))
      if close == "close" then job:close() end
      if close == "submit" then job:submit{ timeout = 1 } end
      if close == "wait" then job:wait() end
    ]]
    local dir = jobs.dir()
    local said = program.said(script, nil, dir)
    assert.is_truthy(said:find("was left with 2 parts not at the service", 1, true), said)
    assert.is_truthy(said:find(("batchapi.resume(%q)"):format(dir), 1, true), said)
    assert.are.equal(1, select(2, said:gsub("batchapi: job_", "")))
    assert.is_truthy(program.said(script, nil, "-"):find("with dir = …", 1, true))
    assert.are.equal("", program.said(script, nil, ("'%s close'"):format(jobs.dir())))
    assert.are.equal("", program.said(script, nil, ("'%s wait'"):format(jobs.dir())))
  end)
end)


describe("a job that is closed", function()
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

  it("refuses every further step, and says so", function()
    sandbox.clock{ freeze = true }
    for _, dir in ipairs{ jobs.dir(), false } do
      local job = assert(openai:run(chats(3), quick{ dir = dir or nil }))
      job:close()
      job:close()
      for _, step in ipairs{ "wait", "submit", "poll", "cancel" } do
        local value, why, err = job[step](job)
        assert.is_nil(value)
        assert.are.equal("closed", err.kind, step)
        assert.is_truthy(why:find("the job was closed", 1, true), why)
      end
      local value, _, err = job:results():next()
      assert.is_nil(value)
      assert.are.equal("closed", err.kind)
      assert.is_truthy(tostring(job):find("batchapi.job", 1, true))
      assert.are.equal(3, job:status().requests)
    end
  end)

  it("wakes who waits for it, and its directory is free at once", function()
    sandbox.clock{ freeze = true }
    local dir, ends = jobs.dir(), {}
    local job = assert(openai:run(chats(3), quick{ dir = dir, interval = 30 }))
    local began = core.now()
    batchapi.parallel(function()
      ends[1] = select(3, job:wait()).kind
    end, function()
      ends[2] = select(3, job:results():next()).kind
    end, function()
      loop.sleep(0.1)
      job:close()
      local again = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
      sandbox.clock{ freeze = false, speed = 10 }
      ends[3] = count_of(again)
    end)
    assert.are.same({ "closed", "closed", 3 }, ends)
    assert.is_true(core.now() - began < 10)
  end)

  it("has no results twice when it is run again, whatever it was doing", function()
    for try = 1, 6 do
      local dir, requests = jobs.dir(), chats(300)
      local options = quick{ dir = dir, max_requests_per_batch = 100 }
      local count
      batchapi.parallel(function()
        local job = assert(openai:run(requests, options))
        batchapi.parallel(function()
          job:wait()
        end, function()
          loop.sleep(0.02 * try)
          job:close()
          count = count_of(assert(openai:run(requests, options)))
        end)
      end)
      assert.are.equal(300, count)
    end
  end)
end)
