-- runs on: lua5.4
-- The sandbox's other services: Asana, FactSet, Robotoff, Anthropic, Mistral, Microsoft Graph, and their OAuth.

local cjson = require("cjson")
local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local env = os.getenv


local function client(base, header)
  return function(method, path, json, more)
    local headers = { header }
    for _, line in ipairs(more or {}) do
      headers[#headers + 1] = line
    end
    return curl.request(method, base .. path, { headers = headers, json = json })
  end
end


local function repeated(item, count)
  local list = {}
  for i = 1, count do
    list[i] = item
  end
  return list
end


local function freeze()
  sandbox.control("POST", "/reset")
  sandbox.control("POST", "/clock", { freeze = true })
end


describe("the sandbox's Asana", function()
  local call = client(env("ASANA_BASE_URL"), "Authorization: Bearer " .. env("ASANA_ACCESS_TOKEN"))
  local get = { method = "get", relative_path = "/tasks/12" }

  local function run(actions, query)
    return call("POST", "/batch" .. (query or ""), { data = { actions = actions } })
  end

  before_each(freeze)

  it("gives one result per action, each with its own status", function()
    local answer = run {
      get, { method = "post", relative_path = "/tasks", data = { name = "new" } },
      { method = "get", relative_path = "/tasks/fail-403" }, { method = "get", relative_path = "/tasks/0" },
      { method = "get", relative_path = "/tasks?limit=1" }, { method = "post", relative_path = "/batch" },
      { method = "post", relative_path = "/tasks/1/attachments" }, { method = "get",
        relative_path = "/organization_exports/1" },
      { method = "get", relative_path = "/tasks", options = { pretty = true } },
      { method = "get", relative_path = "/tasks", options = { limit = 101 } },
    }
    local statuses = {}
    for i, result in ipairs(answer.json.data) do
      statuses[i] = result.status_code
    end
    assert.same({ 200, 201, 403, 404, 400, 400, 400, 400, 400, 400 }, statuses)
    assert.truthy(answer.json.data[2].headers.location:find("/tasks/%d+$"))
    assert.same({ reads = 7, writes = 3 }, sandbox.control("GET", "/log").entries[1].weights)
  end)

  it("refuses a call whole", function()
    local cases = { {}, repeated(get, 11), { { method = "GET", relative_path = "/tasks/1" } }, { { method = "get" } } }
    for _, actions in ipairs(cases) do
      local answer = run(actions)
      assert.equal(400, answer.status)
      assert.is_string(answer.json.errors[1].message)
    end
    assert.equal(400, run({ get }, "?opt_fields=nope").status)
    assert.same({ status_code = 200 }, run({ get }, "?opt_fields=status_code").json.data[1])
  end)

  it("pages with offsets that end", function()
    local options, seen = { limit = 10 }, 0
    local pages = 0
    repeat
      local body = run({ { method = "get", relative_path = "/tasks", options = options } }).json.data[1].body
      pages, seen = pages + 1, seen + #body.data
      options = { limit = 10, offset = body.next_page ~= cjson.null and body.next_page.offset or nil }
    until not options.offset
    assert.same({ 3, 25 }, { pages, seen })
    local page = run({ { method = "get", relative_path = "/tasks", options = { limit = 10 } } }).json.data[1].body
    sandbox.advance(901)
    local late = { { method = "get", relative_path = "/tasks", options = { limit = 10,
      offset = page.next_page.offset } } }
    assert.truthy(run(late).json.data[1].body.errors[1].message:find("expired"))
  end)

  it("counts actions by the minute, and those in flight", function()
    sandbox.control("POST", "/settings", { asana = { per_minute = 15, max_writes = 4 } })
    assert.equal(200, run(repeated(get, 10)).status)
    local answer = run(repeated(get, 10))
    assert.equal(429, answer.status)
    assert.truthy(tonumber(answer.headers["retry-after"]) <= 60)
    sandbox.advance(60)
    answer = run(repeated({ method = "post", relative_path = "/tasks" }, 5))
    assert.same({ 429, "1" }, { answer.status, answer.headers["retry-after"] })
    assert.equal(0, sandbox.control("GET", "/totals").asana.created or 0)
  end)

  it("tells of changes, but for the flags that are decided", function()
    sandbox.control("POST", "/settings", { asana = { changes = "name=a;info=http://x name=b;info=http://y" } })
    local raw = call("POST", "/batch", { data = { actions = { get } } }, { "Asana-Enable: a" })
    assert.equal("name=b;info=http://y", raw.headers["asana-change"])
  end)

  it("refreshes and revokes tokens", function()
    local function token(fields)
      return curl.request("POST", sandbox.url .. "/-/oauth_token", { body = fields .. "&client_id="
        .. env("ASANA_CLIENT_ID")
        .. "&client_secret=" .. env("ASANA_CLIENT_SECRET"),
          headers = { "Content-Type: application/x-www-form-urlencoded" } })
    end
    local refresh = "grant_type=refresh_token&refresh_token=" .. env("ASANA_REFRESH_TOKEN")
    local first = token(refresh).json
    assert.equal(3600, first.expires_in)
    local get_me = client(env("ASANA_BASE_URL"), "Authorization: Bearer " .. first.access_token)
    assert.equal(200, get_me("GET", "/users/me").status)
    sandbox.control("POST", "/oauth/revoke")
    assert.equal(401, get_me("GET", "/users/me").status)
    sandbox.control("POST", "/settings", { asana = { rotate_refresh_tokens = true } })
    local second = token(refresh).json
    assert.is_string(second.refresh_token)
    local answer = token(refresh)
    assert.same({ 400, "invalid_grant" }, { answer.status, answer.json.error })
    answer = token("grant_type=refresh_token&refresh_token=" .. second.refresh_token)
    assert.equal(200, answer.status)
    sandbox.advance(3601)
    assert.equal(401, client(env("ASANA_BASE_URL"), "Authorization: Bearer " .. answer.json.access_token)("GET",
      "/users/me").status)
  end)
end)


describe("the sandbox's FactSet", function()
  local mime = require("mime")
  local basic = "Authorization: Basic " .. mime.b64(env("FACTSET_USERNAME") .. ":" .. env("FACTSET_API_KEY"))
  local call = client(env("FACTSET_BASE_URL"), basic)

  before_each(freeze)

  it("runs a batch from queued to its result", function()
    local answer = call("POST", "/batch", { data = { documentName = "Client:failed-job" } })
    assert.equal(202, answer.status)
    assert.is_string(answer.headers["x-factset-api-request-key"])
    assert.equal("1000", answer.headers["x-factset-api-ratelimit-limit"])
    local path = "/batch/" .. answer.json.data.batchId
    local function state()
      local status = call("GET", path .. "/status")
      return status.status .. " " .. status.json.data.status
    end
    assert.equal("202 queued", state())
    assert.equal(404, call("GET", path .. "/result").status)
    sandbox.advance(0.2)
    assert.equal("202 executing", state())
    sandbox.advance(1)
    assert.equal("201 completed", state())
    local result = call("GET", path .. "/result").json
    assert.same({ "completed", "failed", "created" }, { result.data.status, result.data.jobs[1].status,
      result.data.jobs[2].status })
    assert.is_string(result.data.jobs[1].logs.errors[1].detail)
  end)

  it("refuses in its own words", function()
    assert.equal(400, call("POST", "/batch", { data = { x = 1 } }).status)
    local answer = call("POST", "/batch", { data = { documentName = "Client:missing" } })
    assert.same({ 404, "NotFound" }, { answer.status, answer.json.errors[1].code })
    answer = client(env("FACTSET_BASE_URL"), "Authorization: Bearer dead")("GET", "/documents?directoryPath=Client")
    assert.same({ 401, "FactSet-JWT", "text/html" }, { answer.status, answer.headers["www-authenticate"],
      answer.headers["content-type"] })
    assert.equal(302, client(env("FACTSET_BASE_URL"), "Authorization: Bearer de ad")("GET",
      "/documents?directoryPath=Client").status)
    sandbox.control("POST", "/settings", { factset = { rate_limit = 1, rate_window = 60 } })
    call("GET", "/documents?directoryPath=Client")
    answer = call("GET", "/documents?directoryPath=Client")
    assert.same({ 429, "0" }, { answer.status, answer.headers["x-factset-api-ratelimit-remaining"] })
    assert.equal(answer.headers["retry-after"], answer.headers["x-factset-api-ratelimit-reset"])
  end)

  it("keeps documents and scenarios", function()
    local copy = { data = { existingDocumentName = "Client:/ACFP/A", newDocumentName = "Client:/ACFP/B" } }
    assert.equal(201, call("POST", "/documents", copy).status)
    assert.equal(409, call("POST", "/documents", copy).status)
    local path = "/documents/Client%3A%2FACFP%2FB"
    assert.equal(204, call("PUT", path, { data = { portfolios = { "Client:/P.OFDB" } } }).status)
    assert.same({ "Client:/P.OFDB" }, call("GET", path).json.data.portfolios)
    assert.same({ "Client:/ACFP/B" }, call("GET", "/documents?directoryPath=Client").json.data.documents)
    local file = { data = { fileName = "a.csv", asOfDate = "2026-01-31" } }
    local upload = call("POST", "/scenarios", file).json.data
    assert.equal(409, call("POST", "/scenarios", file).status)
    assert.equal(400, call("POST", "/scenarios", { data = { fileName = "a.txt", asOfDate = "2026-01-31" } }).status)
    assert.equal("queued", call("GET", "/scenarios/" .. upload.uploadId .. "/status").json.data.status)
    sandbox.advance(1)
    assert.equal("created", call("GET", "/scenarios/" .. upload.uploadId .. "/status").json.data.status)
  end)

  it("hands out tokens only for a signed assertion", function()
    local discovery = curl.request("GET", sandbox.url .. "/.well-known/openid-configuration").json
    assert.equal(sandbox.url, discovery.issuer)
    local form = "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3A"
      .. "jwt-bearer&client_assertion=" .. "eyJhbGciOiJSUzI1NiJ9.e30.AAAA"
    local answer = curl.request("POST", discovery.token_endpoint, { body = form,
      headers = { "Content-Type: application/x-www-form-urlencoded" } })
    assert.same({ 401, "invalid_client" }, { answer.status, answer.json.error })
    assert.same({ 1, 1 }, { sandbox.control("GET", "/totals").oauth.token_requests, sandbox.control("GET",
      "/totals").oauth.refused })
  end)
end)


describe("the sandbox's Robotoff", function()
  local function call(query, header)
    return client(env("ROBOTOFF_BASE_URL"), header or "Authorization: Bearer " .. env("BATCH_JOB_KEY"))("POST",
      "/batch/import" .. query)
  end

  it("checks in the server's order", function()
    local good = "?job_type=ingredients_spellcheck&batch_dir=run-7"
    local cases = {
      { 200, good }, { 200, (good:gsub("%?", "/?")) }, { 400, "?job_type=ingredients_spellcheck" }, { 400, "" },
      { 400, (good:gsub("ts_s", "ts-s")) }, { 401, good, "Authorization: Bearer wrong" }, { 401, good,
        "Authorization: Basic x" },
      { 401, good, "Authorization: Bearer a b" }, { 400, good, "X-Nothing: 1" },
    }
    for _, case in ipairs(cases) do
      local answer = call(case[2], case[3])
      assert.equal(case[1], answer.status, answer.body)
      assert.is_string(answer.status == 200 and answer.json.status or answer.json.title)
    end
  end)

  it("splits a raw comma and keeps an encoded one", function()
    sandbox.control("POST", "/reset")
    call("?job_type=ingredients_spellcheck&batch_dir=a,b")
    call("?job_type=ingredients_spellcheck&batch_dir=a%2Cb")
    assert.same({ b = 1, ["a,b"] = 1 }, sandbox.control("GET", "/totals").robotoff_imports)
  end)
end)


describe("the sandbox's Anthropic", function()
  local call = client(env("ANTHROPIC_BASE_URL") .. "/v1/messages/batches", "x-api-key: " .. env("ANTHROPIC_API_KEY")
    .. "\nanthropic-version: 2023-06-01")

  local function request(id, model)
    return { custom_id = id, params = { model = model or "claude", max_tokens = 9, messages = { { role = "user",
      content = id } } } }
  end

  before_each(freeze)

  it("runs a batch to its results", function()
    local made = call("POST", "", { requests = { request("a"), request("b", "fail-429"), request("c", "never") } }).json
    assert.equal("in_progress", made.processing_status)
    assert.equal(3, made.request_counts.processing)
    sandbox.advance(86401)
    local batch = call("GET", "/" .. made.id).json
    assert.equal("ended", batch.processing_status)
    assert.same({ processing = 0, succeeded = 1, errored = 1, canceled = 0, expired = 1 }, batch.request_counts)
    local results = {}
    for text in call("GET", "/" .. made.id .. "/results").body:gmatch("[^\n]+") do
      local line = cjson.decode(text)
      results[line.custom_id] = line.result
    end
    assert.equal("echo: a", results.a.message.content[1].text)
    assert.equal("rate_limit_error", results.b.error.error.type)
    assert.equal("expired", results.c.type)
    assert.equal("message_batch_deleted", call("DELETE", "/" .. made.id).json.type)
  end)

  it("cancels, pages both ways and refuses", function()
    local ids = {}
    for i = 1, 3 do
      ids[i] = call("POST", "", { requests = { request("a") } }).json.id
    end
    assert.equal("canceling", call("POST", "/" .. ids[3] .. "/cancel").json.processing_status)
    sandbox.advance(1)
    assert.equal(1, call("GET", "/" .. ids[3]).json.request_counts.canceled)
    local page = call("GET", "?limit=2").json
    assert.same({ ids[3], ids[2], true }, { page.first_id, page.last_id, page.has_more })
    assert.equal(ids[1], call("GET", "?limit=2&after_id=" .. ids[2]).json.first_id)
    assert.equal(ids[2], call("GET", "?limit=1&before_id=" .. ids[1]).json.first_id)
    local answer = call("POST", "", { requests = { request("a b") } })
    assert.same({ 400, "invalid_request_error" }, { answer.status, answer.json.error.type })
    assert.equal(400, call("POST", "", { requests = { request("a"), request("a") } }).status)
    assert.equal(401, client(env("ANTHROPIC_BASE_URL"), "x-api-key: no")("GET", "/v1/messages/batches").status)
  end)
end)


describe("the sandbox's Mistral", function()
  local call = client(env("MISTRAL_BASE_URL") .. "/v1", "Authorization: Bearer " .. env("MISTRAL_API_KEY"))

  before_each(freeze)

  it("runs jobs whose requests are inline", function()
    local messages = { { role = "user", content = "hi" } }
    local job = call("POST", "/batch/jobs", { endpoint = "/v1/chat/completions", model = "m", requests = {
      { custom_id = "a", body = { messages = messages } }, { custom_id = "b", body = { model = "fail-500",
        messages = messages } } } }).json
    assert.equal("QUEUED", job.status)
    sandbox.advance(0.2)
    assert.equal("RUNNING", call("GET", "/batch/jobs/" .. job.id).json.status)
    sandbox.advance(1)
    job = call("GET", "/batch/jobs/" .. job.id).json
    assert.same({ "SUCCESS", 2, 1, 1 }, { job.status, job.total_requests, job.succeeded_requests, job.failed_requests })
    assert.equal(2, #job.outputs)
    local page = call("GET", "/batch/jobs?page_size=1&status=SUCCESS").json
    assert.same({ 1, job.id }, { page.total, page.data[1].id })
  end)

  it("runs jobs over files, and cancels", function()
    local form = "--xx\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xx\r\n"
      .. "Content-Disposition: form-data; name=\"file\"; filename=\"r.jsonl\"\r\n\r\n"
      .. '{"custom_id":"a","body":{"messages":[{"role":"user","content":"hi"}]}}\n\r\n--xx--\r\n'
    local file = curl.request("POST", env("MISTRAL_BASE_URL") .. "/v1/files", { body = form, headers = {
      "Authorization: Bearer " .. env("MISTRAL_API_KEY"), "Content-Type: multipart/form-data; boundary=xx" } }).json
    local wish = { endpoint = "/v1/chat/completions", model = "m", input_files = { file.id } }
    local job, other = call("POST", "/batch/jobs", wish).json, call("POST", "/batch/jobs", wish).json
    assert.equal("CANCELLATION_REQUESTED", call("POST", "/batch/jobs/" .. other.id .. "/cancel").json.status)
    sandbox.advance(1)
    assert.equal("CANCELLED", call("GET", "/batch/jobs/" .. other.id).json.status)
    job = call("GET", "/batch/jobs/" .. job.id).json
    local line = cjson.decode(call("GET", "/files/" .. job.output_file .. "/content").body)
    assert.same({ "a", "echo: hi" }, { line.custom_id, line.response.body.choices[1].message.content })
    assert.equal(cjson.null, job.error_file)
  end)
end)


describe("the sandbox's Microsoft Graph", function()
  local call = client(env("MSGRAPH_BASE_URL"), "Authorization: Bearer " .. env("MSGRAPH_ACCESS_TOKEN"))

  it("answers by id, in any order, each with its own status", function()
    local content = { ["Content-Type"] = "application/json" }
    local answer = call("POST", "/$batch", { requests = {
      { id = "1", method = "GET", url = "/me" }, { id = "2", method = "GET", url = "/users/fail-429" },
      { id = "3", method = "POST", url = "/e", body = { a = 1 }, headers = content, dependsOn = { "2" } },
      { id = "4", method = "POST", url = "/e", body = { a = 1 } }, { id = "5", method = "POST", url = "/e",
        body = { a = 1 },
        headers = content }, { id = "6", method = "DELETE", url = "/e/1" } } })
    local by_id = {}
    for _, response in ipairs(answer.json.responses) do
      by_id[response.id] = response
    end
    local statuses = {}
    for i = 1, 6 do
      statuses[i] = by_id[tostring(i)].status
    end
    assert.same({ 200, 429, 424, 400, 201, 204 }, statuses)
    assert.equal("1", by_id["2"].headers["Retry-After"])
    assert.equal(1, by_id["5"].body.a)
  end)

  it("refuses more than twenty, and ids that are not unique", function()
    local get = { id = "1", method = "GET", url = "/me" }
    assert.equal(400, call("POST", "/$batch", { requests = repeated(get, 21) }).status)
    assert.equal(400, call("POST", "/$batch", { requests = repeated(get, 2) }).status)
    assert.equal(401, client(env("MSGRAPH_BASE_URL"), "X-Nothing: 1")("GET", "/me").status)
  end)
end)


describe("OpenAI's relatives", function()
  it("are the same service behind another prefix and header", function()
    assert.equal(200, client(env("GROQ_BASE_URL"), "Authorization: Bearer " .. env("GROQ_API_KEY"))("GET",
      "/batches").status)
    local azure = client(env("AZURE_OPENAI_BASE_URL"), "api-key: " .. env("AZURE_OPENAI_API_KEY"))
    assert.equal(200, azure("GET", "/batches?api-version=2024-10-21").status)
    assert.equal(401, client(env("AZURE_OPENAI_BASE_URL"), "api-key: x")("GET", "/batches").status)
  end)
end)
