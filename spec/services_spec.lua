--- What the contracts of the services say: which values are refused, and that each operation reaches its
--- place. The OpenAPI documents themselves are driven by spec/contract/check.

local batchapi = require("batchapi")
local sandbox = require("support.sandbox")

local origin = os.getenv("BATCHAPI_SANDBOX_URL")

-- Calls with arguments that must be refused, by the parameter's name, with nothing sent.
local function refused(client, name, parameter, ...)
  local before = client:stats().requests
  local value, message, err = client[name](client, ...)
  assert.is_nil(value)
  assert.equal("invalid", err.kind, message)
  assert.truthy(message:find(parameter, 1, true), message)
  assert.equal(before, client:stats().requests)
end

local function answered(value, message)
  assert.is_not_nil(value, message)
  return value
end

describe("openai", function()
  local client = assert(batchapi.openai{})

  before_each(sandbox.reset)

  local function create(change)
    local body = { input_file_id = "f", endpoint = "/v1/chat/completions", completion_window = "24h" }
    for name, value in pairs(change) do
      body[name] = value
    end
    return body
  end

  it("refuses what create_batch may not hold", function()
    for _, name in ipairs{ "input_file_id", "endpoint", "completion_window" } do
      local body = create{}
      body[name] = nil
      refused(client, "create_batch", name, body)
      refused(client, "create_batch", name, create{ [name] = 5 })
    end
    local pairs_of_17 = {}
    for i = 1, 17 do
      pairs_of_17["k" .. i] = "v"
    end
    refused(client, "create_batch", "metadata", create{ metadata = pairs_of_17 })
    refused(client, "create_batch", "metadata", create{ metadata = { [("k"):rep(65)] = "v" } })
    refused(client, "create_batch", "metadata.k", create{ metadata = { k = ("v"):rep(513) } })
    refused(client, "create_batch", "metadata.k", create{ metadata = { k = 1 } })
    refused(client, "create_batch", "metadata", create{ metadata = { "a" } })
    refused(client, "create_batch", "seconds",
      create{ output_expires_after = { anchor = "created_at", seconds = 3599 } })
    refused(client, "create_batch", "seconds",
      create{ output_expires_after = { anchor = "created_at", seconds = 2592001 } })
    refused(client, "create_batch", "anchor", create{ output_expires_after = { seconds = 3600 } })
  end)

  it("passes words of open lists, null metadata and fields to come", function()
    local err = select(3, client:create_batch(create{ endpoint = "/v1/of/tomorrow", completion_window = "7d" }))
    assert.equal(400, err.status)
    client:create_batch(create{ metadata = batchapi.null, field_of_tomorrow = 1 })
    assert.truthy(sandbox.last().body:find('"metadata":null', 1, true))
    assert.truthy(sandbox.last().body:find('"field_of_tomorrow":1', 1, true))
  end)

  it("refuses what lists, files and uploads may not hold", function()
    refused(client, "list_batches", "limit", { limit = 0 })
    refused(client, "list_batches", "limit", { limit = 101 })
    refused(client, "list_batches", "limit", { limit = "abc" })
    refused(client, "list_files", "limit", { limit = 10001 })
    refused(client, "list_files", "order", { order = "up" })
    refused(client, "create_file", "purpose", { file = "x" })
    refused(client, "create_file", "file", { purpose = "batch" })
    refused(client, "create_file", "prupose", { prupose = "batch", file = "x" })
    refused(client, "create_file", "seconds",
      { purpose = "batch", file = "x", expires_after = { anchor = "created_at", seconds = 5 } })
    refused(client, "create_file", "anchor", { purpose = "batch", file = "x", expires_after = { seconds = 3600 } })
    local upload = { filename = "a", purpose = "batch", bytes = 5, mime_type = "text/jsonl" }
    for name, wrong in pairs{ filename = 5, purpose = 5, bytes = 8589934593, mime_type = 5 } do
      local body = {}
      for key, value in pairs(upload) do
        body[key] = value
      end
      body[name] = nil
      refused(client, "create_upload", name, body)
      body[name] = wrong
      refused(client, "create_upload", name, body)
    end
    refused(client, "add_upload_part", "data", "u", {})
    refused(client, "complete_upload", "part_ids", "u", { part_ids = {} })
    refused(client, "complete_upload", "part_ids[1]", "u", { part_ids = { 5 } })
    refused(client, "retrieve_batch", "batch_id", "")
  end)

  it("asks for any kind of content when it downloads", function()
    client:download_file("file-none")
    assert.equal("*/*", sandbox.last().headers.accept)
  end)

  it("does not repeat a create that may have been carried out", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "lost" } } }
    local _, message, err = client:create_batch(create{})
    assert.equal(1, err.attempts)
    assert.is_true(err.sent)
    assert.equal(1, #sandbox.log{ path = "/v1/batches" }, message)
  end)
end)

describe("azure and groq", function()
  before_each(sandbox.reset)

  it("are OpenAI's operations with another address, header and form", function()
    local azure = assert(batchapi.azure{ endpoint = origin .. "/azure", api_key = "sandbox-azure-key" })
    local file = answered(azure:create_file{
      file = { content = "{}\n" }, purpose = "batch", expires_after = { anchor = "created_at", seconds = 3600 },
    })
    local entry = sandbox.last()
    assert.equal("/azure/openai/files", entry.path)
    assert.truthy(entry.query:find("api-version=2024-10-21", 1, true))
    assert.is_nil(entry.headers.authorization)
    assert.truthy(answered(azure:retrieve_file(file.id)))
    assert.is_nil(azure._definition.by_name.create_upload)
    local groq = assert(batchapi.groq{ base_url = origin .. "/groq/openai/v1", api_key = "gsk-sandbox-groq" })
    assert.truthy(answered(groq:list_batches{ limit = 1 }).data)
  end)

  it("Groq's address is taken with and without the path that its own SDKs add", function()
    for _, address in ipairs{ origin .. "/groq", origin .. "/groq/", origin .. "/groq/openai/v1/" } do
      local groq = assert(batchapi.groq{ base_url = address, api_key = "gsk-sandbox-groq" })
      assert.truthy(answered(groq:list_batches{ limit = 1 }).data, address)
    end
    local other = assert(batchapi.client({ extends = "groq", name = "other", base_url = origin .. "/groq/openai/v1" },
      { api_key = "gsk-sandbox-groq" }))
    assert.truthy(answered(other:list_batches{ limit = 1 }).data)
  end)
end)

describe("asana", function()
  local client = assert(batchapi.asana{})

  before_each(sandbox.reset)

  local function batch(...)
    return { data = { actions = { ... } } }
  end

  local me = { method = "get", relative_path = "/users/me" }

  it("runs actions, with what to return of each", function()
    local answer, _, response = client:create_batch_request(batch(me, me), { opt_fields = { "status_code", "body" } })
    assert.equal(2, #answered(answer).data)
    assert.equal(200, answer.data[1].status_code)
    assert.equal(200, response.status)
    assert.equal("opt_fields=status_code%2Cbody", sandbox.last().query)
  end)

  it("refuses what a batch may not hold", function()
    local function wrong(parameter, ...)
      refused(client, "create_batch_request", parameter, batch(...))
    end
    refused(client, "create_batch_request", "data", {})
    refused(client, "create_batch_request", "data.actions", { data = {} })
    refused(client, "create_batch_request", "data.actions", { data = { actions = {} } })
    wrong("actions", me, me, me, me, me, me, me, me, me, me, me)
    wrong("relative_path", { method = "get" })
    wrong("method", { relative_path = "/users/me" })
    wrong("method", { method = "fetch", relative_path = "/users/me" })
    wrong("relative_path", { method = "get", relative_path = "/users/me?opt_fields=name" })
    wrong("relative_path", { method = "get", relative_path = "users/me" })
    wrong("relative_path", { method = "post", relative_path = "/batch" })
    wrong("attachments", { method = "post", relative_path = "/tasks/1/attachments" })
    wrong("attachments", { method = "post", relative_path = "/attachments" })
    wrong("relative_path", { method = "post", relative_path = "/organization_exports" })
    wrong("relative_path", { method = "get", relative_path = "/scim/Users" })
    wrong("limit", { method = "get", relative_path = "/tasks", options = { limit = 101 } })
    wrong("offset", { method = "get", relative_path = "/tasks", options = { offset = 5 } })
    wrong("data", { method = "get", relative_path = "/tasks", data = { "x" } })
    wrong("nmae", { method = "get", relative_path = "/tasks", nmae = 1 })
    refused(client, "create_batch_request", "opt_fields", batch(me), { opt_fields = { "nope" } })
    refused(client, "create_batch_request", "opt_pretty", batch(me), { opt_pretty = "yes" })
  end)

  it("lowers methods, and lets attachments be read", function()
    local answer = client:create_batch_request(batch({ method = "GET", relative_path = "/users/me" }))
    assert.equal(200, answered(answer).data[1].status_code)
    answered(client:create_batch_request(batch{ method = "get", relative_path = "/tasks/1/attachments" }))
  end)

  it("repeats after a 429 as a whole, and a 5xx only when all actions read", function()
    sandbox.faults{ { match = { path = "/api/1.0/batch", nth = 1 },
      fault = { type = "status", status = 429, retry_after = 0.1 } } }
    local write = { method = "post", relative_path = "/tasks", data = { name = "x" } }
    local answer, _, response = client:create_batch_request(batch(write))
    assert.equal(2, response.attempts)
    assert.truthy(answer)
    sandbox.faults{ { match = { path = "/api/1.0/batch", nth = 1 }, fault = { type = "status", status = 500 } } }
    local _, message, err = client:create_batch_request(batch(write))
    assert.equal(500, err.status, message)
    assert.equal(1, err.attempts)
    sandbox.faults{ { match = { path = "/api/1.0/batch", nth = 1 }, fault = { type = "status", status = 500 } } }
    answered(client:create_batch_request(batch(me)))
  end)

  it("starts no more actions in a minute than it is told", function()
    local paced = assert(batchapi.asana{ requests_per_minute = 2 })
    answered(paced:create_batch_request(batch(me, me)))
    local _, _, err = paced:with{ timeout = 0.3 }:create_batch_request(batch(me))
    assert.equal("timeout", err.kind)
    assert.is_false(err.sent)
    assert.equal(1, #sandbox.log{ path = "/api/1.0/batch" })
  end)

  it("sends what to enable and disable, and tells each announced change once", function()
    local told = {}
    local other = assert(batchapi.asana{
      enable = { "new_sections", "other" }, disable = { "string_ids" }, on_change = function(change)
        told[#told + 1] = change.name
      end,
    })
    sandbox.faults{ { match = { path = "/api/1.0/batch" }, fault = { type = "status", status = 400,
      headers = { ["Asana-Change"] = "name=fresh;info=https://example.org;affected=true" } } } }
    other:create_batch_request(batch(me))
    local headers = sandbox.last().headers
    assert.equal("new_sections,other", headers["asana-enable"])
    assert.equal("string_ids", headers["asana-disable"])
    other:with{ timeout = 5 }:create_batch_request(batch(me))
    assert.same({ "fresh" }, told)
  end)
end)

describe("factset", function()
  local client = assert(batchapi.factset{})

  before_each(sandbox.reset)

  it("starts a batch, waits for it and reads its result", function()
    local started, _, response = client:post_batch{ data = { documentName = "Client:Scenario_01" } }
    local id = answered(started).data.batchId
    assert.equal(202, response.status)
    assert.truthy(response.request_id)
    assert.is_number(response.ratelimit.limit)
    assert.equal("completed", answered(client:wait(id, { interval = 0.05 })).data.status)
    assert.equal(id, answered(client:get_batch_job_result(id)).meta.batchId)
  end)

  it("knows documents by one encoded segment, and gives {} for an empty success", function()
    answered(client:get_documents{ directoryPath = "Client" })
    client:get_document_details("Client:/ACFP/Scenario_01")
    assert.truthy(sandbox.last().path:find("/documents/Client%3A%2FACFP%2FScenario_01", 1, true))
    local saved, message = client:post_document{ data = {
      existingDocumentName = "Client:/ACFP/Scenario_01", newDocumentName = "Client:/ACFP/New_01",
      asOfDate = "2025-06-30", portfolios = { "Client:/ACFP/X.OFDB" }, scenarios = {},
    } }
    assert.same({}, saved, message)
    assert.truthy(sandbox.last().body:find('"scenarios":[]', 1, true))
    local changed
    changed, message = client:put_document("Client:/ACFP/New_01", { data = { asOfDate = "2025-07-01" } })
    assert.same({}, changed, message)
  end)

  it("announces scenarios", function()
    local upload = answered(client:upload_scenarios{ data = { fileName = "base.csv", asOfDate = "2025-06-30" } })
    assert.truthy(upload.data.uploadId)
    answered(client:get_upload_status(upload.data.uploadId))
  end)

  it("refuses what the contract forbids", function()
    refused(client, "post_batch", "data", {})
    refused(client, "post_batch", "documentName", { data = {} })
    refused(client, "post_batch", "documentName", { data = { documentName = 5 } })
    refused(client, "get_documents", "directoryPath", {})
    refused(client, "post_document", "newDocumentName", { data = { existingDocumentName = "a" } })
    refused(client, "put_document", "asOfDate", "d", { data = { asOfDate = "30.06.2025" } })
    refused(client, "put_document", "portfolios", "d", { data = { portfolios = "x" } })
    local function upload(change)
      local data = { fileName = "base.csv", asOfDate = "2025-06-30" }
      for name, value in pairs(change) do
        data[name] = value
      end
      return { data = data }
    end
    refused(client, "upload_scenarios", "fileName", { data = { asOfDate = "2025-06-30" } })
    refused(client, "upload_scenarios", "fileName", upload{ fileName = ("a"):rep(38) .. ".csv" })
    refused(client, "upload_scenarios", "fileName", upload{ fileName = "base.txt" })
    refused(client, "upload_scenarios", "fileName", upload{ fileName = "base.Csv" })
    refused(client, "upload_scenarios", "overwrite", upload{ overwrite = "yes" })
    refused(client, "upload_scenarios", "overwrit", upload{ overwrit = true })
  end)

  it("takes the way to the login page for a refused credential", function()
    sandbox.faults{ { match = { service = "factset" }, fault = { type = "status", status = 302,
      headers = { Location = "https://login.factset.com/services/login" }, body = "" } } }
    local _, message, err = client:get_batch_status("x")
    assert.equal("auth", err.kind, message)
    assert.equal(302, err.status)
  end)
end)

describe("robotoff", function()
  local client = assert(batchapi.robotoff{})

  before_each(sandbox.reset)

  it("queues an import, its parameters encoded in the query", function()
    local answer = client:batch_import_post{ job_type = "ingredients_spellcheck", batch_dir = "a,b/c d" }
    assert.matches("Importing", answered(answer).status)
    local entry = sandbox.last()
    assert.equal("job_type=ingredients_spellcheck&batch_dir=a%2Cb%2Fc%20d", entry.query)
    assert.equal(0, entry.body_bytes)
  end)

  it("refuses what the server would", function()
    refused(client, "batch_import_post", "batch_dir", { job_type = "ingredients_spellcheck" })
    refused(client, "batch_import_post", "batch_dir", { job_type = "ingredients_spellcheck", batch_dir = "" })
    refused(client, "batch_import_post", "job_type", { batch_dir = "x" })
    refused(client, "batch_import_post", "job_type", { job_type = "ingredients-spellcheck", batch_dir = "x" })
    refused(client, "batch_import_post", "job_type", { job_type = 5, batch_dir = "x" })
  end)

  it("does not repeat what may have been queued", function()
    sandbox.faults{ { match = { service = "robotoff" }, fault = { type = "status", status = 502 } } }
    local _, message, err = client:batch_import_post{ job_type = "ingredients_spellcheck", batch_dir = "x" }
    assert.equal(502, err.status, message)
    assert.equal(1, err.attempts)
  end)

  it("says what Falcon says", function()
    local other = assert(batchapi.robotoff{ batch_job_key = "wrong" })
    local _, message, err = other:batch_import_post{ job_type = "ingredients_spellcheck", batch_dir = "x" }
    assert.equal("auth", err.kind)
    assert.matches("401: Invalid token", message)
  end)
end)

describe("anthropic", function()
  local client = assert(batchapi.anthropic{ base_url = origin .. "/anthropic", api_key = "sk-ant-sandbox" })

  before_each(sandbox.reset)

  local function requests(count)
    local list = {}
    for i = 1, count do
      list[i] = { custom_id = "r" .. i, params = {
        model = "m", max_tokens = 10, messages = { { role = "user", content = "hi " .. i } },
      } }
    end
    return { requests = list }
  end

  it("runs a batch and streams its results", function()
    local batch = answered(client:create_batch(requests(3)))
    assert.equal("2023-06-01", sandbox.last().headers["anthropic-version"])
    assert.equal("ended", answered(client:wait(batch.id, { interval = 0.05 })).processing_status)
    local seen = {}
    for result in client:lines("retrieve_batch_results", batch.id) do
      seen[result.custom_id] = result.result.type
    end
    assert.same({ r1 = "succeeded", r2 = "succeeded", r3 = "succeeded" }, seen)
    answered(client:delete_batch(batch.id))
  end)

  it("lists over pages by the answer's last id", function()
    for _ = 1, 3 do
      answered(client:create_batch(requests(1)))
    end
    local count = 0
    for _ in client:each("list_batches", { limit = 2 }) do
      count = count + 1
    end
    assert.equal(3, count)
  end)

  it("refuses ids the service refuses, and reads its errors", function()
    refused(client, "create_batch", "custom_id",
      { requests = { { custom_id = "a b", params = { model = "m" } } } })
    refused(client, "create_batch", "requests", { requests = {} })
    local _, message, err = client:retrieve_batch("msgbatch_none")
    assert.equal(404, err.status)
    assert.equal("not_found_error", err.code, message)
  end)

  it("does not repeat what a spend limit refuses, and names the cause", function()
    local used_up = { type = "error", error = { type = "rate_limit_error", message = "The limit is reached.",
      details = { error_code = "enforced_spend_limit_reached" } } }
    sandbox.faults{ { match = { operation = "anthropic.list_batches" }, fault = { type = "status", status = 429,
      body = used_up } } }
    local _, message, err = client:list_batches()
    assert.same({ 429, "enforced_spend_limit_reached", false, 1 },
      { err.status, err.code, err.retryable, err.attempts }, message)
    used_up.error.details.error_code = "another_cause"
    sandbox.faults{ { match = { operation = "anthropic.retrieve_batch" }, fault = { type = "status", status = 400,
      body = used_up } } }
    _, message, err = client:retrieve_batch("msgbatch_1")
    assert.equal("another_cause", err.code, message)
  end)
end)

describe("mistral", function()
  local client = assert(batchapi.mistral{ base_url = origin .. "/mistral", api_key = "sandbox-mistral-key" })

  before_each(sandbox.reset)

  it("runs a job over a file, its states in upper case", function()
    local line = '{"custom_id":"a","body":{"messages":[{"role":"user","content":"hi"}]}}\n'
    local file = answered(client:create_file{ file = { content = line, filename = "in.jsonl" }, purpose = "batch" })
    local job = answered(client:create_job{
      input_files = { file.id }, endpoint = "/v1/chat/completions", model = "mistral-small-latest",
    })
    local done = answered(client:wait(job.id, { interval = 0.05 }))
    assert.equal("SUCCESS", done.status)
    local text = answered(client:download_file(done.output_file))
    assert.truthy(text:find('"custom_id"', 1, true))
    assert.equal("a", answered(client:retrieve_job(job.id, { inline = true })).outputs[1].custom_id)
    assert.is_true(answered(client:delete_job(job.id)).deleted)
    assert.equal(404, select(3, client:retrieve_job(job.id)).status)
  end)

  it("lists over page numbers", function()
    local file = answered(client:create_file{ file = { content = '{"custom_id":"a","body":{}}\n' }, purpose = "batch" })
    for _ = 1, 3 do
      answered(client:create_job{ input_files = { file.id }, endpoint = "/v1/chat/completions", model = "m" })
    end
    local count = 0
    for _ in client:each("list_jobs", { page_size = 2 }) do
      count = count + 1
    end
    assert.equal(3, count)
  end)
end)

describe("msgraph", function()
  local client = assert(batchapi.msgraph{ base_url = origin .. "/graph/v1.0", access_token = "sandbox-graph-token" })

  before_each(sandbox.reset)

  it("runs an envelope, answers matched by id", function()
    local answer = answered(client:create_batch{ requests = {
      { id = "1", method = "get", url = "/me" }, { id = "2", method = "GET", url = "/me" },
    } })
    local seen = {}
    for _, one in ipairs(answer.responses) do
      seen[one.id] = one.status
    end
    assert.same({ ["1"] = 200, ["2"] = 200 }, seen)
  end)

  it("refuses more than twenty, and a batch within a batch", function()
    local many = {}
    for i = 1, 21 do
      many[i] = { id = tostring(i), method = "GET", url = "/me" }
    end
    refused(client, "create_batch", "requests", { requests = many })
    refused(client, "create_batch", "url", { requests = { { id = "1", method = "GET", url = "/$batch" } } })
  end)
end)

describe("a service of one's own", function()
  it("may put bytes to a URL, and send a key with a create", function()
    sandbox.reset()
    local mine = assert(batchapi.client({
      name = "mine", base_url = origin .. "/v1",
      auth = { { kind = "bearer", option = "key", environment = "OPENAI_API_KEY" } },
      operations = {
        { name = "put", method = "PUT", path = "{+to}", content = "bytes", body = { "data", "file", required = true } },
        { name = "create", method = "POST", path = "/batches", idempotency_key = "Idempotency-Key" },
      },
    }))
    mine:put(os.getenv("BATCHAPI_SANDBOX_OTHER_URL") .. "/v1/files", { content = "a,b\n", type = "text/csv" })
    local entry = sandbox.last()
    assert.equal("PUT", entry.method)
    assert.equal("4", entry.headers["content-length"])
    assert.equal("text/csv", entry.headers["content-type"])
    assert.is_nil(entry.headers.authorization) -- another origin
    mine:create()
    assert.truthy(sandbox.last().headers["idempotency-key"])
  end)

  it("is a table", function()
    sandbox.reset()
    local mine = assert(batchapi.client({
      name = "mine", base_url = origin .. "/v1",
      auth = { { kind = "bearer", option = "key", environment = "OPENAI_API_KEY" } },
      options = { { "team", "string", header = "X-Team" } },
      operations = {
        { name = "list", method = "GET", path = "/batches", query = { { "limit", "integer", min = 1, max = 5 } } },
        { name = "get", method = "GET", path = "/batches/{id}" },
      },
    }, { team = "blue" }))
    assert.truthy(answered(mine:list{ limit = 5 }).data)
    assert.equal("blue", sandbox.last().headers["x-team"])
    refused(mine, "list", "limit", { limit = 6 })
    assert.equal(404, select(3, mine:get("none")).status)
  end)
end)
