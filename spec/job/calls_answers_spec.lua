-- runs on: lua5.4 luajit (lua5.1)
--- Answers of calls: by position, with a Retry-After of their own, and where a token was to be had first.

local batchapi = require("batchapi")
local jobs = require("support.job")
local oauth = require("support.oauth")
local sandbox = require("support.sandbox")

local all = jobs.all


describe("the answers of calls", function()
  local asana

  before_each(function()
    sandbox.reset()
    asana = assert(batchapi.asana{ max_retries = 0 })
  end)

  after_each(function()
    asana:close()
    jobs.clear()
  end)

  local function read(i)
    return { method = "get", relative_path = "/tasks/" .. i }
  end

  local function write(name)
    return { method = "post", relative_path = "/tasks", data = { name = name, workspace = "1" } }
  end

  local function miscount(by, first)
    sandbox.faults{ { match = { operation = "asana.create_batch_request", first = first },
      fault = { type = "miscount", by = by } } }
  end

  local function count_unclaimed(job)
    local count = 0
    for line in job:unclaimed() do
      assert.matches('"status_code":20', line)
      count = count + 1
    end
    return count
  end

  for _, by in ipairs{ -1, 1 } do
    it(("of another number (%+d) are given to none: reads are asked again"):format(by), function()
      miscount(by, 1)
      local job = assert(asana:run({ read(1), read(2), read(3), read(4) }, {}))
      for i, result in ipairs(all(job)) do
        assert.is_true(result.ok)
        assert.are.equal(tostring(i), result.body.data.gid)
      end
      assert.are.equal(4 + by, job:status().unclaimed)
      assert.are.equal(4 + by, count_unclaimed(job))
      assert.are.equal(2, sandbox.count("requests", "asana.create_batch_request"))
    end)
  end

  it("of another number are given to none: writes may have been carried out, and are not repeated", function()
    miscount(-1, 1)
    local dir = jobs.dir()
    local job = assert(asana:run({ write("a"), read(2), write("c"), read(4) }, { dir = dir }))
    local _, results = all(job)
    for _, i in ipairs{ 1, 3 } do
      assert.are.equal("unknown_outcome", results[i].error.code)
      assert.matches("the service gave 3 answers to 4 requests", results[i].error.message)
    end
    assert.is_true(results[2].ok and results[4].ok)
    assert.are.equal("4", results[4].body.data.gid)
    assert.are.equal(2, sandbox.totals().asana.created)
    job:close()
    job = assert(batchapi.resume(dir, { client = asana }))
    all(job)
    assert.are.equal(3, job:status().unclaimed)
    assert.are.equal(3, count_unclaimed(job))
  end)

  it("that are never of their number end", function()
    miscount(-1)
    local job = assert(asana:run({ read(1), read(2) }, {}))
    for _, result in ipairs(all(job)) do
      assert.are.equal("missing", result.error.code)
      assert.matches("the service gave 1 answers to 2 requests.*job:unclaimed%(%) has them", result.error.message)
    end
  end)

  it("that ask to wait are waited for, as one on the wire is", function()
    sandbox.set{ asana = { retry_after = 2 } }
    local job = assert(asana:run({ write("w fail-429-times-1"), read(2) }, { attempts = 2 }))
    local _, results = all(job)
    assert.is_true(results[1].ok and results[2].ok)
    local log = sandbox.log{ operation = "asana.create_batch_request" }
    assert.are.equal(2, #log)
    local pause = log[2].time - log[1].time
    assert.is_true(pause >= 2 and pause < 6, pause)
  end)

  for _, status in ipairs{ 423, 425, 502, 503 } do
    it(("that say %d are waited out, however often"):format(status), function()
      sandbox.faults{ { match = { operation = "asana.create_batch_request", nth = { 2, 3, 4, 5, 6, 7 } },
        fault = { type = "status", status = status, retry_after_ms = 20 } } }
      local requests = {}
      for i = 1, 20 do
        requests[i] = read(i)
      end
      for _, result in ipairs(all(assert(asana:run(requests, { concurrency = 1 })))) do
        assert.is_true(result.ok)
      end
    end)
  end

  it("that a batch of one request came to and cannot be had are uncollected", function()
    local factset = assert(batchapi.factset{ max_retries = 0 })
    sandbox.faults{ { match = { operation = "factset.get_batch_job_result" }, fault = { type = "status", status = 404 } } }
    local list = all(assert(factset:run({ "Client:A" }, { interval = 0.05, settle = 0.1 })))
    assert.are.equal("uncollected", list[1].error.code)
    sandbox.faults{ { match = { operation = "factset.get_batch_job_result", first = 2 },
      fault = { type = "html", status = 200 } } }
    list = all(assert(factset:run({ "Client:A" }, { interval = 0.05, settle = 0.1 })))
    assert.is_true(list[1].ok)
    factset:close()
  end)

  describe("wait for a token", function()
    local function with_oauth()
      collectgarbage() -- a client that is still there would share its token
      collectgarbage()
      return assert(batchapi.asana{ max_retries = 0, oauth = { client_id = os.getenv("ASANA_CLIENT_ID"),
        client_secret = os.getenv("ASANA_CLIENT_SECRET"), refresh_token = os.getenv("ASANA_REFRESH_TOKEN") } })
    end

    for _, fault in ipairs{ { type = "status", status = 503 }, { type = "html", status = 200 },
      { type = "html", status = 502 }, { type = "reset", read = true },
      { type = "status", status = 429, retry_after = 1 } } do
      it(("whose request fails in passing (%s, %s)"):format(fault.type, tostring(fault.status)), function()
        local client = with_oauth()
        sandbox.faults{ { match = { path = "/-/oauth_token", nth = { 2, 3 } }, fault = fault } }
        local requests = {}
        for i = 1, 20 do
          requests[i] = read(i)
        end
        local job = assert(client:run(requests, { concurrency = 1 }))
        oauth.revoke()
        for _, result in ipairs(all(job)) do
          assert.is_true(result.ok)
        end
        client:close()
      end)
    end

    it("says whether what became of it may pass", function()
      local client = with_oauth()
      sandbox.faults{ { match = { path = "/-/oauth_token" }, fault = { type = "status", status = 503, retry_after = 7 } } }
      local _, _, err = client:create_batch_request{ data = { actions = { read(1) } } }
      assert.is_true(err.retryable)
      assert.is_false(err.sent)
      assert.are.equal(7, err.retry_after)
      sandbox.faults{ { match = { path = "/-/oauth_token" }, fault = { type = "status", status = 400,
        body = { error = "invalid_grant" } } } }
      _, _, err = client:create_batch_request{ data = { actions = { read(1) } } }
      assert.is_false(err.retryable)
      client:close()
    end)
  end)

end)


describe("requests of calls", function()
  after_each(jobs.clear)

  local line = '{"relative_path":"/tasks", "method":"post", "data":{"workspace":"1","name":"a",'
    .. '"number":12345678901234567890,"z":1.50}}'

  for _, kept in ipairs{ true, false } do
    it(("go out as they stand in the file; dir: %s"):format(tostring(kept)), function()
      sandbox.reset()
      local asana = assert(batchapi.asana{ max_retries = 0 })
      local path = jobs.dir()
      jobs.write(path, line .. "\n" .. '{"relative_path":"/tasks/1","method":"GET"}\n')
      assert(all(assert(asana:run(path, { dir = kept and jobs.dir() or nil }))))
      local body = sandbox.last().body
      assert.is_truthy(body:find(line, 1, true), body)
      assert.is_truthy(body:find('{"method":"get","relative_path":"/tasks/1"}', 1, true), body) -- it was changed
      asana:close()
    end)
  end

  it("go out with the keys in the order that batchapi.object gives them, or sorted", function()
    sandbox.reset()
    local asana = assert(batchapi.asana{ max_retries = 0 })
    all(assert(asana:run({
      batchapi.object{ { "relative_path", "/tasks" }, { "method", "post" },
        { "data", batchapi.object{ { "workspace", "1" }, { "name", "x" } } } },
      { relative_path = "/tasks/1", method = "get" },
    }, {})))
    local body = sandbox.last().body
    assert.is_truthy(body:find('{"relative_path":"/tasks","method":"post","data":{"workspace":"1","name":"x"}}', 1, true),
      body)
    assert.is_truthy(body:find('{"method":"get","relative_path":"/tasks/1"}', 1, true), body)
    asana:close()
  end)
end)
