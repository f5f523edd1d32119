-- Jobs and iterators, called wrongly: with wrong types, without a colon, and where the coroutine cannot yield. The
-- error stands at the caller's line, and afterwards everything goes on as if nothing had been called.

local batchapi = require("batchapi")
local jobs = require("support.job")
local jsonl = require("batchapi.jsonl")
local loop = require("batchapi.host")
local sandbox = require("support.sandbox")

local openai, path

setup(function()
  sandbox.reset()
  sandbox.clock{ speed = 10 }
  openai = assert(batchapi.openai())
  path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write('{"a":1}\n{"a":2}\n')
  file:close()
end)

teardown(function()
  openai:close()
  os.remove(path)
  jobs.clear()
end)


-- Where the function raised: the line of the call in this file, and nothing of our own folder.
local function check(f)
  local info = debug.getinfo(f, "S")
  local ok, why = pcall(f)
  why = tostring(why)
  local line = tonumber(why:match("spec/job/misuse_spec%.lua:(%d+): "))
  assert.is_false(ok)
  assert(line and line >= info.linedefined and line <= info.lastlinedefined, why)
  assert.is_nil(why:find("batchapi/[%w/]+%.lua"), why)
  assert.is_nil(why:find("attempt to", 1, true), why)
  return why
end


describe("a job, called wrongly,", function()
  local job

  setup(function()
    job = assert(openai:run(jobs.chats(4), jobs.quick{ dir = jobs.dir() }))
  end)

  teardown(function()
    job:close()
  end)

  local mistakes = {
    submit = { function() job:submit(1) end, function() job:submit{ tiemout = 1 } end,
      function() job:submit{ timeout = "1" } end, function() job:submit{ on_update = 1 } end },
    wait = { function() job:wait(1) end, function() job:wait{ tiemout = 1 } end,
      function() job:wait{ timeout = {} } end, function() job:wait{ on_update = "x" } end,
      function() job:wait{ timeout = -1 } end },
    poll = { function() job:poll(1) end, function() job:poll{ tiemout = 1 } end,
      function() job:poll{ timeout = print } end },
    results = { function() job:results(1) end, function() job:results{ rwa = true } end,
      function() job:results{ raw = 1 } end },
    retry = { function() job:retry(1) end, function() job:retry{ only = 1 } end,
      function() job:retry{ attempts = 0 } end, function() job:retry{ onyl = print } end },
    write_failed = { function() job:write_failed() end, function() job:write_failed(1) end,
      function() job:write_failed(path, 1) end, function() job:write_failed(path, { onyl = print }) end },
    status = {}, unclaimed = {}, cancel = {}, close = {},
  }

  for name, list in pairs(mistakes) do
    it("raises at the caller's line: " .. name, function()
      for _, mistake in ipairs(list) do
        check(mistake)
      end
      assert.match("call it with a colon", check(function() job[name]() end), 1, true)
      assert.match("call it with a colon", check(function() job[name]({}) end), 1, true)
    end)
  end

  it("goes on as if nothing had been called", function()
    assert.equal(4, #jobs.all(job))
    assert.equal(1, sandbox.count("batches", "all"))
  end)
end)


describe("an iterator, called wrongly,", function()
  it("raises at the caller's line", function()
    local job = assert(openai:run(jobs.chats(2), jobs.quick{ dir = jobs.dir() }))
    assert(job:wait())
    local reader = assert(jsonl.read(path))
    local each = {
      results = job:results(), unclaimed = job:unclaimed(), pages = openai:pages("list_batches"),
      each = openai:each("list_batches"), lines = openai:lines("download_file", "file-x"), read = reader,
    }
    for _, iterator in pairs(each) do
      check(function() iterator.next() end)
      check(function() iterator.next({}) end)
      if iterator.close then
        check(function() iterator.close() end)
      end
    end
    reader:close()
    job:close()
  end)
end)


-- In a coroutine of parallel's, within a function that C calls.
local function where_nothing_can_yield(f)
  local function protected()
    local ok, why = pcall(f)
    return ok and "it was called" or why
  end
  return (batchapi.parallel(function()
    local told
    string.gsub("x", "x", function()
      told = protected()
    end)
    return told
  end))
end


describe("where nothing can yield", function()
  local REFUSAL = "nothing can wait here, so nothing was sent"
  local job, dir

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
    dir = jobs.dir()
    job = assert(openai:run(jobs.chats(4), jobs.quick{ dir = dir, max_requests_per_batch = 2 }))
  end)

  after_each(function()
    job:close()
  end)

  local function refused(f)
    local before = sandbox.count("requests", "all")
    local why = tostring(where_nothing_can_yield(f))
    assert.match(REFUSAL, why, 1, true)
    assert.match("^spec/job/misuse_spec%.lua:%d+: ", why)
    assert.equal(before, sandbox.count("requests", "all"))
  end

  it("a job's steps are refused, and the job goes on", function()
    refused(function() job:wait() end)
    refused(function() job:poll() end)
    refused(function() job:submit() end)
    refused(function() job:cancel() end)
    refused(function() job() end)
    local results = job:results()
    refused(function() results:next() end)
    assert.equal("running", job:status().state)
    assert.equal(4, #jobs.all(job))
    assert.equal("done", job:status().state)
  end)

  it("run and resume touch nothing", function()
    job:close()
    local other = jobs.dir()
    refused(function() openai:run(jobs.chats(2), jobs.quick{ dir = other }) end)
    refused(function() batchapi.resume(dir, { client = openai }) end)
    assert.is_nil(io.open(other .. "/journal.jsonl"))
    job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.equal(4, #jobs.all(job))
  end)

  it("pages, lines and a wait are refused", function()
    local pages, each = openai:pages("list_batches"), openai:each("list_batches")
    local lines = openai:lines("download_file", "file-x")
    refused(function() pages:next() end)
    refused(function() each:next() end)
    refused(function() lines:next() end)
    refused(function() openai:wait("batch_x") end)
    refused(function() batchapi.map({ 1 }, function() return openai:list_batches() end) end)
    refused(function() batchapi.parallel(function() return openai:list_batches() end) end)
    assert(each:next())
  end)

  it("a job is closed nevertheless, and its directory is free", function()
    assert.equal("it was called", where_nothing_can_yield(function() job:close() end))
    local _, _, err = job:wait()
    assert.equal("closed", err.kind)
    job = assert(batchapi.resume(dir, { client = openai, interval = 0.05 }))
    assert.equal(4, #jobs.all(job))
  end)
end)


describe("next_timeout", function()
  it("tells when job:poll has something to do", function()
    sandbox.reset()
    local client = assert(batchapi.openai{ host = "block" })
    local job = assert(client:run(jobs.chats(2), jobs.quick{ interval = 0.2 }))
    local turns, longest = 0, 0
    repeat -- as a game loop does: it sleeps as long as it may
      local status = assert(job:poll())
      local left = batchapi.next_timeout()
      if status.state ~= "done" then
        longest = math.max(longest, left or 0)
        assert(loop.mailbox()):wait(left or 5) -- nil: until there is a report
      end
      turns = turns + 1
      assert.is_true(turns < 300, "it turns without an end")
    until status.state == "done"
    assert.is_true(longest > 0.1 and longest <= 0.3, longest)
    assert.equal(2, #jobs.all(job))
    client:close()
    assert.is_nil(batchapi.next_timeout())
  end)
end)
