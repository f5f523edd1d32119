local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all = jobs.all


describe("run on each service", function()
  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
  end)

  after_each(jobs.clear)

  describe("Asana", function()
    local asana

    before_each(function()
      asana = assert(batchapi.asana{ max_retries = 4 })
    end)

    after_each(function()
      asana:close()
    end)

    local function get(path)
      return { method = "get", relative_path = path }
    end

    local function post(name)
      return { method = "post", relative_path = "/tasks", data = { name = name, workspace = "1" } }
    end

    it("checks actions without sending any", function()
      local actions = {}
      for i = 1, 23 do
        actions[i] = get("/tasks/" .. i)
      end
      actions[24] = get("no path")
      local report = assert(asana:run(actions, { dry_run = true }))
      assert.is_false(report.ok)
      assert.equal(24, report.faults[1].line)
      assert.equal(23, report.requests)
      assert.equal(3, #report.parts)
      assert.is_nil(sandbox.totals().requests)
    end)

    it("sends ten actions to a call and gives the results in order, each its own", function()
      local actions = {}
      for i = 1, 43 do
        actions[i] = i % 4 == 0 and post("n" .. i) or get("/tasks/" .. i)
      end
      local job = assert(asana:run(actions))
      local list = all(job)
      assert.are.equal(43, #list)
      for i, result in ipairs(list) do
        assert.are.equal(i, result.index)
        assert.are.equal("request-" .. i, result.custom_id)
        assert.is_true(result.ok)
        assert.are.equal(i % 4 == 0 and 201 or 200, result.status)
        assert.are.equal(i % 4 == 0 and "n" .. i or "Task " .. i, result.body.data.name)
      end
      assert.are.equal(5, sandbox.count("requests", "asana.create_batch_request"))
    end)

    it("gives a failed action its status, code and body, and spares the others", function()
      local list = all(assert(asana:run{ get("/tasks/1"), get("/tasks/fail-404"), post("fail-403"), get("/users/me") }))
      assert.is_true(list[1].ok)
      assert.is_false(list[2].ok)
      assert.are.equal(404, list[2].status)
      assert.is_string(list[2].error.message)
      assert.is_table(list[2].body.errors)
      assert.are.equal(403, list[3].status)
      assert.is_true(list[4].ok)
    end)

    it("refuses what the batch does not serve, with the action's number", function()
      for _, action in ipairs{ get("/tasks?limit=1"), get("/batch"), { method = "GOT", relative_path = "/tasks" },
        { method = "get" }, { method = "get", relative_path = "/tasks", opts = {} } } do
        local job, why, err = asana:run{ get("/tasks/1"), action }
        assert.is_nil(job)
        assert.are.equal("invalid", err.kind)
        assert.are.equal(2, err.line)
        assert.is_truthy(why:find("request 2", 1, true))
      end
      assert.are.equal(0, sandbox.count("requests", "all"))
    end)

    it("repeats a whole call after 429, and never has more in flight than allowed", function()
      sandbox.set{ asana = { max_writes = 15, per_minute = 150000 } }
      sandbox.faults{ { match = { service = "asana", every = 7 },
        fault = { type = "status", status = 429, retry_after_ms = 20 } } }
      local actions = {}
      for i = 1, 200 do
        actions[i] = i % 2 == 0 and post("w" .. i) or get("/tasks/" .. i)
      end
      local list = all(assert(asana:run(actions)))
      assert.are.equal(200, #list)
      for _, result in ipairs(list) do
        assert.is_true(result.ok)
      end
      local totals = sandbox.totals()
      assert.are.equal(0, totals.asana.refused_by_limit or 0)
      assert.is_true(totals.in_flight_max.asana_writes <= 15)
      assert.are.equal(100, totals.asana.created)
    end)

    it("repeats reads after a 5xx; writes are not repeated and say unknown_outcome", function()
      sandbox.faults{ { match = { service = "asana", nth = 1 }, fault = { type = "status", status = 502, after = true } } }
      local list = all(assert(asana:run{ get("/tasks/1"), post("a"), get("/tasks/2"), post("b") }))
      assert.is_true(list[1].ok)
      assert.is_true(list[3].ok)
      for _, i in ipairs{ 2, 4 } do
        assert.is_false(list[i].ok)
        assert.are.equal("unknown_outcome", list[i].error.code)
      end
      assert.are.equal(2, sandbox.totals().asana.created)
    end)

    it("has no files that cleanup could delete", function()
      assert.has_error(function()
        asana:run({ get("/tasks/1") }, { cleanup = true })
      end, "run: the service has nothing that option 'cleanup' could act on")
    end)

    it("repeats writes too when asked", function()
      sandbox.faults{ { match = { service = "asana", nth = 1 }, fault = { type = "lost" } } }
      local list = all(assert(asana:run({ post("a"), post("b") }, { repeat_writes = true })))
      assert.is_true(list[1].ok and list[2].ok)
      assert.are.equal(4, sandbox.totals().asana.created)
    end)

    it("repeats actions that failed for a while, with attempts", function()
      sandbox.faults{}
      local list = all(assert(asana:run({ get("/tasks/fail-429"), get("/tasks/7") }, { attempts = 2 })))
      assert.are.equal(429, list[1].status)
      assert.is_true(list[2].ok)
      assert.are.equal(2, sandbox.count("requests", "asana.create_batch_request"))
    end)

    it("exposes the next page, and follows it when asked", function()
      local action = { method = "get", relative_path = "/tasks", options = { limit = 10 } }
      local list = all(assert(asana:run{ action }))
      assert.are.equal(10, #list[1].body.data)
      assert.is_string(list[1].body.next_page.offset)
      list = all(assert(asana:run({ action, get("/tasks/5") }, { follow_pages = true })))
      assert.are.equal(25, #list[1].body.data)
      assert.is_nil(list[1].body.next_page)
      assert.are.equal("1025", list[1].body.data[25].gid)
      assert.is_true(list[2].ok)
    end)

    it("keeps to requests_per_minute", function()
      local actions = {}
      for i = 1, 20 do
        actions[i] = get("/tasks/" .. i)
      end
      local job = assert(asana:run(actions, { requests_per_minute = 10, timeout = 2 }))
      local results = job:results()
      local count = 0
      while true do
        local result, _, err = results:next()
        if not result then
          assert.are.equal("timeout", err.kind)
          break
        end
        count = count + 1
      end
      assert.are.equal(10, count)
    end)

    it("with dir goes on after the process died: answered actions are not sent again, open writes are unknown", function()
      local dir = jobs.dir()
      local actions = {}
      for i = 1, 30 do
        actions[i] = post("p" .. i)
      end
      local job = assert(asana:run(actions, { dir = dir, concurrency = 1 }))
      local results = job:results()
      for _ = 1, 12 do
        assert(results:next())
      end
      job:close()
      local text = jobs.read(dir .. "/journal.jsonl")
      job = assert(batchapi.resume(dir, { client = asana }))
      local list = all(job)
      assert.are.equal(30, #list)
      local known = 0
      for i, result in ipairs(list) do
        assert.are.equal(i, result.index)
        known = known + (result.ok and 1 or 0)
        if not result.ok then
          assert.are.equal("unknown_outcome", result.error.code)
        end
      end
      assert.is_true(known >= 20)
      assert.is_true(sandbox.totals().asana.created <= 30)
      assert.is_truthy(text:find('"type":"call"', 1, true))
    end)
  end)

  describe("FactSet", function()
    it("makes one batch for each document; ok only if every job was created", function()
      local factset = assert(batchapi.factset{})
      local names = { "Client:A", "Client:failed-job", "Client:missing", "Client:cancelled", "Client:fail-400",
        "Client:B" }
      local list = all(assert(factset:run(names, { interval = 0.05, concurrency = 3 })))
      assert.are.equal(6, #list)
      assert.is_true(list[1].ok)
      assert.are.equal(200, list[1].status)
      assert.are.equal("created", list[1].body.data.jobs[1].status)
      assert.is_false(list[2].ok)
      assert.is_table(list[2].body.data.jobs[1].logs.errors)
      assert.is_string(list[2].error.code)
      assert.is_false(list[3].ok)
      assert.are.equal(404, list[3].status)
      assert.is_false(list[4].ok)
      assert.are.equal(400, list[5].status)
      assert.is_true(list[6].ok)
      assert.is_true(sandbox.totals().in_flight_max.factset <= 3)
    end)

    it("does not repeat a create whose answer was lost", function()
      local factset = assert(batchapi.factset{})
      sandbox.faults{ { match = { operation = "factset.post_batch", nth = 1 }, fault = { type = "lost" } } }
      local list = all(assert(factset:run({ "Client:A", "Client:B" }, { interval = 0.05 })))
      assert.are.equal("unknown_outcome", list[1].error.code)
      assert.is_true(list[2].ok)
      assert.are.equal(2, sandbox.count("requests", "factset.post_batch"))
    end)

    it("with dir watches on what was begun", function()
      local factset, dir = assert(batchapi.factset{}), jobs.dir()
      sandbox.set{ factset = { executing = 5 } }
      local job = assert(factset:run({ "Client:A", "Client:B" }, { interval = 0.05, dir = dir, concurrency = 1 }))
      job:close()
      local list = all(assert(batchapi.resume(dir, { client = factset })))
      assert.is_true(list[1].ok and list[2].ok)
      assert.are.equal(2, sandbox.count("requests", "factset.post_batch"))
    end)
  end)

  it("Robotoff: 200 means queued, and nothing is sent twice", function()
    local robotoff = assert(batchapi.robotoff{})
    sandbox.faults{ { match = { service = "robotoff", nth = 2 }, fault = { type = "status", status = 500, after = true } } }
    local requests = {}
    for i = 1, 3 do
      requests[i] = { job_type = "ingredients_spellcheck", batch_dir = "a,b&c/" .. i }
    end
    local list = all(assert(robotoff:run(requests)))
    assert.is_true(list[1].ok)
    assert.are.equal(200, list[1].status)
    assert.is_string(list[1].body.status)
    assert.are.equal("unknown_outcome", list[2].error.code)
    assert.is_true(list[3].ok)
    assert.are.equal(3, sandbox.count("requests", "all"))
    local job, why = robotoff:run{ { job_type = "ingredients_spellcheck" } }
    assert.is_nil(job)
    assert.is_truthy(why:find("'batch_dir' is missing", 1, true))
  end)

  it("Microsoft Graph: twenty to a call, answers matched by id", function()
    local graph = assert(batchapi.msgraph{})
    local requests = {}
    for i = 1, 45 do
      requests[i] = { method = "GET", url = "/users/" .. i }
    end
    requests[7].id = "mine"
    local job = assert(graph:run(requests, { ordered = true }))
    local list = all(job)
    assert.are.equal(45, #list)
    for i, result in ipairs(list) do
      assert.are.equal(i, result.index)
      assert.is_true(result.ok)
      assert.are.equal("/users/" .. i, result.body.url)
    end
    assert.are.equal("mine", list[7].custom_id)
    assert.are.equal(3, sandbox.count("requests", "all"))
  end)

  it("Microsoft Graph: two requests with one id are refused; hashes that collide are not", function()
    local graph = assert(batchapi.msgraph{})
    local ledger = core.ledger
    core.ledger = function(seed)
      return ledger(seed, 4)
    end
    local requests = {}
    for i = 1, 60 do
      requests[i] = { id = "r" .. i, method = "GET", url = "/users/" .. i }
    end
    local list = all(assert(graph:run(requests)))
    assert.are.equal(60, #list)
    requests[31].id = "r7"
    local job, why = graph:run(requests)
    core.ledger = ledger
    assert.is_nil(job)
    assert.is_truthy(why:find([['id' "r7" stands twice: it is also that of request 7]], 1, true), why)
  end)

  describe("Microsoft Graph, where requests depend on one another,", function()
    local function get(id, ...)
      return { id = id, method = "GET", url = "/" .. id, dependsOn = select("#", ...) > 0 and { ... } or nil }
    end

    local function gets(count)
      local list = {}
      for i = 1, count do
        list[i] = get("r" .. i)
      end
      return list
    end

    it("sends them in one call, in their order", function()
      local graph = assert(batchapi.msgraph{})
      local list = gets(60)
      list[20].dependsOn, list[22].dependsOn, list[23].dependsOn = { "r19" }, { "r20" }, { "r22", "r21" }
      list[40].dependsOn = { "r38" }
      for _, result in ipairs(all(assert(graph:run(list, { ordered = true })))) do
        assert.are.equal(200, result.status, result.custom_id)
      end
      assert.are.equal(4, sandbox.count("requests", "all")) -- of 18, 19, 20 and 3 requests
      local report = assert(graph:run(list, { dry_run = true }))
      local sizes = {}
      for i, part in ipairs(report.parts) do
        sizes[i] = part.requests
      end
      assert.are.same({ 18, 19, 20, 3 }, sizes)
    end)

    it("sends a whole call's worth of them, or refuses", function()
      local graph = assert(batchapi.msgraph{})
      local list = gets(25)
      list[24].dependsOn = { "r5" }
      assert.are.equal(25, #all(assert(graph:run(list))))
      assert.are.equal(3, sandbox.count("requests", "all"))
      list[25].dependsOn = { "r24" }
      local job, why, err = graph:run(list)
      assert.is_nil(job)
      assert.are.equal("invalid", err.kind)
      assert.are.equal(25, err.line)
      assert.are.equal("run: request 25: it depends on request 24, and must travel in one call with it and all between: "
        .. "21 requests, a call may have 20; put what depends on one another side by side; nothing was submitted", why)
      local report = assert(graph:run(list, { dry_run = true }))
      assert.are.equal(25, report.faults[1].line)
    end)

    it("refuses ids of no earlier request", function()
      local graph = assert(batchapi.msgraph{})
      for _, case in ipairs{ { get("a", "b"), get("b") }, { get("a", "a") }, { get("a"), get("b", "a", "c") } } do
        local job, why, err = graph:run(case)
        assert.is_nil(job)
        assert.are.equal("invalid", err.kind)
        assert.is_truthy(why:find("'dependsOn' names", 1, true), why)
      end
      local list = gets(60)
      list[60].dependsOn = { "r1" }
      local _, why = graph:run(list)
      assert.is_truthy(why:find("request 60: it depends on request 1, and must travel in one call", 1, true), why)
      list[60].dependsOn, list[3].dependsOn = nil, { "r1" }
      _, why = graph:run(list, { max_requests_per_batch = 2 })
      assert.is_truthy(why:find("3 requests, a call may have 2", 1, true), why)
      list[3].url = "/" .. ("x"):rep(200)
      _, why = graph:run(list, { max_bytes_per_batch = 300 })
      assert.is_truthy(why:find("it must travel in one call with requests 1 to 2, on which it depends", 1, true), why)
      assert.are.equal(0, sandbox.count("requests", "all"))
    end)

    it("does not send what depends on a request of which nobody knows", function()
      local graph = assert(batchapi.msgraph{ max_retries = 0 })
      sandbox.faults{ { match = { path = "/graph", nth = 1 }, fault = { type = "lost" } } }
      local by_id = jobs.outcomes(all(assert(graph:run{ { id = "a", method = "DELETE", url = "/a" }, get("b", "a"), get("c"),
        get("d", "b", "c") })))
      assert.are.same({ a = "unknown_outcome", b = "unknown_outcome", c = 200, d = "unknown_outcome" }, by_id)
    end)

    it("repeats what failed with its cause, and what failed alone without it", function()
      local graph = assert(batchapi.msgraph{})
      local list = { get("a"), get("b", "a"), get("fail-429"), get("d", "fail-429"), get("fail-404"), get("f", "fail-404") }
      list[2].url = "/fail-429/b"
      list[4].method, list[4].body, list[4].headers = "POST", { x = 1 }, { ["Content-Type"] = "application/json" }
      local by_id = jobs.outcomes(all(assert(graph:run(list, { attempts = 2 }))))
      assert.are.same({ a = 200, b = 429, ["fail-429"] = 429, d = 424, ["fail-404"] = 404, f = 424 }, by_id)
      local calls = {}
      for i, entry in ipairs(sandbox.log{ path = "/graph" }) do
        calls[i] = {}
        for j, request in ipairs(core.decode(entry.body).requests) do
          calls[i][j] = request.id .. (request.dependsOn and " after " .. table.concat(request.dependsOn, " ") or "")
        end
      end
      assert.are.same({
        { "a", "b after a", "fail-429", "d after fail-429", "fail-404", "f after fail-404" },
        { "b", "fail-429", "d after fail-429" },
      }, calls)
    end)
  end)

  it("Anthropic: requests inline, results by URL, parts split by bytes", function()
    local anthropic = assert(batchapi.anthropic{})
    local requests = {}
    for i = 1, 12 do
      local messages = { { role = "user", content = "hi " .. i } }
      requests[i] = { params = { model = "claude-x", max_tokens = 50, messages = messages } }
    end
    local job = assert(anthropic:run(requests, { interval = 0.05, max_bytes_per_batch = 700, ordered = true }))
    local list = all(job)
    assert.are.equal(12, #list)
    for i, result in ipairs(list) do
      assert.is_true(result.ok)
      assert.is_nil(result.status)
      assert.are.equal("echo: hi " .. i, result.body.content[1].text)
    end
    local status = job:status()
    assert.is_true(#status.parts > 1)
    for _, part in ipairs(status.parts) do
      assert.is_true(part.bytes <= 700)
    end
    assert.is_true(status.usage.output_tokens > 0)
  end)

  it("Anthropic: without a token to find it by, a lost create is unknown", function()
    local anthropic = assert(batchapi.anthropic{})
    sandbox.faults{ { match = { service = "anthropic", nth = 1 }, fault = { type = "lost" } } }
    local list = all(assert(anthropic:run({ { params = { model = "claude-x", max_tokens = 5,
      messages = { { role = "user", content = "x" } } } } }, { interval = 0.05 })))
    assert.are.equal("unknown_outcome", list[1].error.code)
  end)

  it("Mistral: the model stands at the job", function()
    local mistral = assert(batchapi.mistral{})
    local requests = {}
    for i = 1, 5 do
      requests[i] = { body = { messages = { { role = "user", content = "hi " .. i } } } }
    end
    local job = assert(mistral:run(requests, { interval = 0.05, endpoint = "/v1/chat/completions",
      model = "mistral-small-latest", ordered = true, metadata = { mine = "1" } }))
    for i, result in ipairs(all(job)) do
      assert.is_true(result.ok)
      assert.are.equal("echo: hi " .. i, result.body.choices[1].message.content)
    end
  end)

  for _, name in ipairs{ "groq", "azure" } do
    it(name .. ": OpenAI's definition with another address", function()
      local client = assert(batchapi[name]{})
      local list = all(assert(client:run(jobs.chats(3), jobs.quick())))
      assert.are.equal(3, #list)
      assert.is_true(list[1].ok)
    end)
  end

  it("a service of one's own, in a table of less than 40 lines", function()
    local definition = {
      name = "mine", base_url = os.getenv("OPENAI_BASE_URL"),
      auth = { { kind = "bearer", option = "key", environment = "OPENAI_API_KEY" } },
      operations = {
        { name = "answer", method = "POST", path = "/chat/completions", body = { "body", "map", required = true } },
      },
      run = {
        family = "each", concurrency = 4,
        request = { fields = { model = "string", messages = "any" }, required = { "messages" } },
        create = { operation = "answer", arguments = { "$request" } },
        result = { body = "choices.1.message.content" },
      },
    }
    local client = assert(batchapi.client(definition, {}))
    local list = all(assert(client:run{
      { model = "m", messages = { { role = "user", content = "one" } } },
      { model = "m", messages = { { role = "user", content = "two" } } },
    }))
    assert.are.equal("echo: one", list[1].body)
    assert.are.equal("echo: two", list[2].body)
  end)

  it("a definition whose run is wrong is refused with the word and the place", function()
    local function load(run)
      return function()
        batchapi.client({ name = "x", base_url = "http://127.0.0.1:1", auth = "none", operations = {
          { name = "go", method = "POST", path = "/go", body = { "body", "map" } } }, run = run }, {})
      end
    end
    local function message(run)
      local ok, why = pcall(load(run))
      assert.is_false(ok)
      return tostring(why)
    end
    local call = { operation = "go", arguments = { "$request" } }
    assert.is_truthy(message{ family = "eech", create = call }:find("run.family", 1, true))
    assert.is_truthy(message{ family = "each" }:find("'create'", 1, true))
    assert.is_truthy(message{ family = "each", create = { operation = "gone", arguments = {} } }:find("'gone'", 1, true))
    assert.is_truthy(message{ family = "each", create = call, colect = {} }:find("'colect'", 1, true))
    assert.is_truthy(message{ family = "envelope", create = call }:find("needs 'items'", 1, true))
    local request = { id = "id", depends = { field = "after", failed = { 424 } }, send = { id = "$request.id" } }
    local sends = { operation = "go", arguments = { { list = "$requests" } } }
    local envelope = { family = "envelope", create = sends, items = "items", request = request, result = { status = "s" } }
    assert.is_truthy(message(envelope):find("run.request.depends: cannot stand beside 'send'", 1, true), message(envelope))
    request.send = nil
    assert.has_no.errors(load(envelope))
    assert.has_no.errors(load{ family = "each", create = call })
  end)

  it("gives an action's empty tables as they were meant", function()
    local asana = assert(batchapi.asana{})
    all(assert(asana:run{ { method = "post", relative_path = "/tasks", data = { name = "x", workspace = "1",
      followers = batchapi.array{}, custom_fields = {} } } }))
    local sent = core.decode(sandbox.last().body).data.actions[1].data
    assert.are.equal("[]", core.encode(sent.followers))
    assert.are.equal("{}", core.encode(sent.custom_fields))
  end)
end)
