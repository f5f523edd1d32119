local batchapi = require("batchapi")
local core = require("batchapi.core")
local sandbox = require("support.sandbox")

local base_url = os.getenv("OPENAI_BASE_URL")
local key = os.getenv("OPENAI_API_KEY")

local function scratch(content)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(content or "")
  file:close()
  return name
end

local function lines(count)
  local list = {}
  for i = 1, count do
    list[i] = ('{"custom_id":"r%d","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":'
      .. '[{"role":"user","content":"hi %d"}]}}\n'):format(i, i)
  end
  return table.concat(list)
end

local function read(name)
  local file = assert(io.open(name, "rb"))
  local content = file:read("*a")
  file:close()
  return content
end

local function client_with(options)
  options = options or {}
  return assert(batchapi.openai(options))
end

-- Calls and gives the error; what must fail must fail.
local function failure(f, ...)
  local value, message, err = f(...)
  assert.is_nil(value)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  assert.is_nil(message:find("\n"))
  assert.is_nil(message:find(key, 1, true))
  return err
end

describe("batchapi", function()
  it("says its name and version", function()
    assert.equal("batchapi " .. core._VERSION, batchapi._VERSION)
    assert.matches("^batchapi %d+%.%d+%.%d+$", batchapi._VERSION)
  end)
end)

describe("the OpenAI client", function()
  local client, input

  before_each(function()
    sandbox.reset()
    client = client_with()
    input = scratch(lines(3))
  end)

  after_each(function()
    client:close()
    os.remove(input)
  end)

  local function started()
    local file = assert(client:create_file{ file = input, purpose = "batch" })
    return assert(client:create_batch{
      input_file_id = file.id, endpoint = "/v1/chat/completions", completion_window = "24h",
    }), file
  end

  it("runs a batch from its file to its results", function()
    local batch = started()
    local done = assert(client:wait(batch.id, { interval = 0.05 }))
    assert.equal("completed", done.status)
    assert.equal(3, done.request_counts.completed)
    local text = assert(client:download_file(done.output_file_id))
    assert.equal(3, select(2, text:gsub("\n", "\n")))
    local to = os.tmpname()
    local saved = assert(client:download_file(done.output_file_id, { to = to }))
    assert.same({ path = to, bytes = #text }, saved)
    assert.equal(text, read(to))
    os.remove(to)
  end)

  it("streams an answer's lines", function()
    local batch = started()
    local done = assert(client:wait(batch.id, { interval = 0.05 }))
    local contents = {}
    for line in client:lines("download_file", done.output_file_id) do
      contents[#contents + 1] = line.response.body.choices[1].message.content
    end
    table.sort(contents)
    assert.same({ "echo: hi 1", "echo: hi 2", "echo: hi 3" }, contents)
  end)

  it("tells what came with an answer", function()
    local page, why, response = client:list_batches{ limit = 1 }
    assert.truthy(page.data)
    assert.is_nil(why)
    assert.equal(200, response.status)
    assert.equal(1, response.attempts)
    assert.equal(response.headers["x-request-id"], response.request_id)
    assert.is_true(response.elapsed > 0)
    assert.equal("table", type(response.ratelimit))
    assert.is_boolean(response.reused)
  end)

  it("lists over pages", function()
    local _, file = started()
    for _ = 2, 5 do
      assert(client:create_batch{
        input_file_id = file.id, endpoint = "/v1/chat/completions", completion_window = "24h",
      })
    end
    local seen, count = {}, 0
    for batch in client:each("list_batches", { limit = 2 }) do
      assert.is_nil(seen[batch.id])
      seen[batch.id], count = true, count + 1
    end
    assert.equal(5, count)
    local sizes = {}
    for page in client:pages("list_batches", { limit = 2 }) do
      sizes[#sizes + 1] = #page.data
    end
    assert.same({ 2, 2, 1 }, sizes)
  end)

  it("knows files", function()
    local file = assert(client:create_file{
      file = { content = lines(1), filename = "named.jsonl" }, purpose = "batch",
      expires_after = { anchor = "created_at", seconds = 3600 },
    })
    assert.equal("named.jsonl", file.filename)
    assert.equal(file.created_at + 3600, assert(client:retrieve_file(file.id)).expires_at)
    assert.equal(1, #assert(client:list_files{ purpose = "batch", order = "asc", limit = 10 }).data)
    assert.is_true(assert(client:delete_file(file.id)).deleted)
    assert.equal(404, failure(client.retrieve_file, client, file.id).status)
  end)

  it("uploads in parts", function()
    local bytes = lines(2)
    local upload = assert(client:create_upload{
      filename = "a.jsonl", purpose = "batch", bytes = #bytes, mime_type = "text/jsonl",
    })
    local first = assert(client:add_upload_part(upload.id, { data = { content = bytes:sub(1, 10) } }))
    local rest = scratch(bytes:sub(11))
    local second = assert(client:add_upload_part(upload.id, { data = rest }))
    os.remove(rest)
    local done = assert(client:complete_upload(upload.id, { part_ids = { first.id, second.id } }))
    assert.equal("completed", done.status)
    assert.equal(bytes, client:download_file(done.file.id))
    local other = assert(client:create_upload{
      filename = "b.jsonl", purpose = "batch", bytes = 5, mime_type = "text/jsonl",
    })
    assert.equal("cancelled", assert(client:cancel_upload(other.id)).status)
  end)

  it("cancels, without a body", function()
    sandbox.set{ batch = { in_progress = 1000 } }
    local batch = started()
    local cancelled = assert(client:cancel_batch(batch.id))
    assert.equal("cancelling", cancelled.status)
    local entry = sandbox.last()
    assert.is_nil(entry.headers["content-type"])
    assert.equal("cancelled", assert(client:wait(batch.id, { interval = 0.05 })).status)
  end)

  it("reports a batch that fails validation with the service's reasons", function()
    local file = assert(client:create_file{ file = { content = "not json\n" }, purpose = "batch" })
    local batch = assert(client:create_batch{
      input_file_id = file.id, endpoint = "/v1/chat/completions", completion_window = "24h",
    })
    local err = failure(client.wait, client, batch.id, { interval = 0.05 })
    assert.equal("job", err.kind)
    assert.equal("failed", err.body.status)
    assert.matches("^wait: batch_%w+ ended as failed: line 1: ", err.message)
    assert.equal(err.body.errors.data[1].code, err.code)
  end)

  it("sends organization, project, headers and the agent", function()
    local other = client_with{
      organization = "org-1", project = "proj-1", user_agent = "mine/1", headers = { ["X-Mine"] = "yes" },
    }
    assert(other:list_files{ limit = 1 })
    local headers = sandbox.last().headers
    assert.equal("org-1", headers["openai-organization"])
    assert.equal("proj-1", headers["openai-project"])
    assert.equal("mine/1", headers["user-agent"])
    assert.equal("yes", headers["x-mine"])
    assert(client:list_files{ limit = 1 })
    assert.matches("^batchapi/%d", sandbox.last().headers["user-agent"])
  end)

  it("takes a call the definition lacks", function()
    local answer, why, response = client:request{ path = "/files", query = { limit = 1 } }
    assert.is_nil(why)
    assert.equal("list", answer.object)
    assert.equal(200, response.status)
    local reply = assert(client:request{
      method = "POST", path = "/chat/completions",
      body = { model = "m", messages = batchapi.array{ { role = "user", content = "x" } } },
    })
    assert.equal("echo: x", reply.choices[1].message.content)
    local err = failure(client.request, client, { path = "/nothing" })
    assert.matches("^GET /nothing: 404", err.message)
    assert.has_error(function()
      client:request{ pth = "/x" }
    end)
    assert.has_error(function()
      client:request{ path = "x" }
    end)
    for _, word in ipairs{ "query", "headers", "to", "repeats", "body", "method", "path" } do
      local given = { method = "GET", path = "/files" }
      given[word] = false
      assert.has_error(function() client:request(given) end, nil, word)
    end
  end)

  it("counts what it does", function()
    assert(client:list_files{ limit = 1 })
    local stats = client:stats()
    assert.equal(1, stats.requests)
    assert.equal(1, stats.succeeded)
    assert.equal(0, stats.in_flight)
  end)

  it("lets the hook see each attempt, without the key", function()
    local seen = {}
    local watched = client:with{ on_request = function(attempt)
      seen[#seen + 1] = attempt
    end }
    sandbox.faults{ { match = { path = "/v1/files", nth = 1 }, fault = { type = "status", status = 500 } } }
    assert(watched:list_files{ limit = 1 })
    assert.equal(2, #seen)
    assert.equal(500, seen[1].status)
    assert.equal(200, seen[2].status)
    assert.is_nil(batchapi.show(seen, { depth = 9, items = 99, text = 9999 }):find(key, 1, true))
  end)

  it("raises an error of the hook at the call", function()
    local watched = client:with{ on_request = function()
      error("from the hook", 0)
    end }
    local ok, message = pcall(watched.list_files, watched)
    assert.is_false(ok)
    assert.matches("from the hook", tostring(message))
  end)

  it("puts another codec in its place", function()
    local cjson = require("cjson")
    local other = client_with{ json = cjson }
    local page = assert(other:list_batches{ limit = 1 })
    assert.truthy(page.data)
    local err = failure(other.create_batch, other, {
      input_file_id = "f", endpoint = "e", completion_window = "24h", bad = print,
    })
    assert.equal("invalid", err.kind)
  end)
end)

describe("what is wrong is said well:", function()
  local client

  before_each(function()
    sandbox.reset()
    client = client_with{ max_retries = 0 }
  end)

  it("a wrong key", function()
    local other = client_with{ api_key = "sk-very-wrong-key-123456" }
    local err = failure(other.list_batches, other)
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
    assert.equal("invalid_api_key", err.code)
    assert.is_false(err.retryable)
    assert.matches("check api_key %(OPENAI_API_KEY%)$", err.message)
    assert.is_nil(batchapi.show(err, { text = 9999 }):find("sk-very-wrong-key-123456", 1, true))
  end)

  it("a secret that the server echoes", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = {
      type = "status", status = 400, body = { error = { message = "you sent " .. key, code = "odd" } },
    } } }
    local err = failure(client.list_batches, client)
    assert.equal("odd", err.code)
    assert.is_nil(err.body.error.message:find(key, 1, true))
  end)

  it("something that is not there", function()
    local err = failure(client.retrieve_batch, client, "batch_none")
    assert.equal("http", err.kind)
    assert.equal(404, err.status)
    assert.matches("; check the id, and that the account", err.message)
    assert.equal("retrieve_batch", err.operation)
    assert.equal(err.response.headers["x-request-id"], err.request_id)
    assert.equal("table", type(err.body.error))
    assert.is_true(err.sent)
  end)

  it("a server that is gone", function()
    local other = client_with{ base_url = "http://127.0.0.1:1/v1", max_retries = 0 }
    local err = failure(other.list_batches, other)
    assert.equal("connect", err.kind)
    assert.is_nil(err.status)
    assert.is_false(err.sent)
    assert.matches("is base_url %(http://127.0.0.1:1/v1%) right", err.message)
  end)

  it("a certificate that is not trusted", function()
    local url = os.getenv("BATCHAPI_SANDBOX_TLS_URL") .. "/v1"
    local other = client_with{ base_url = url, max_retries = 0, connect_timeout = 60 } -- valgrind reads the system's CAs slowly
    local err = failure(other.list_batches, other)
    assert.equal("tls", err.kind)
    assert.matches("ca_file", err.message)
    local trusting = client_with{ base_url = url, ca_file = os.getenv("BATCHAPI_SANDBOX_CA"), connect_timeout = 60 }
    assert(trusting:list_batches())
  end)

  it("a deadline", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "stall" } } }
    local begun = core.now()
    local other = client:with{ timeout = 0.3 }
    local err = failure(other.list_batches, other)
    assert.equal("timeout", err.kind)
    assert.is_true(core.now() - begun < 3)
    err = failure(other.create_batch, other, { input_file_id = "f", endpoint = "e", completion_window = "24h" })
    assert.matches("may have been carried out", err.message)
    assert.is_true(err.sent)
  end)

  it("a rate limit, and a quota that is used up", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = {
      type = "status", status = 429, code = "rate_limit_exceeded", retry_after = 7,
    } } }
    local err = failure(client.list_batches, client)
    assert.equal("rate_limit", err.kind)
    assert.equal(7, err.retry_after)
    assert.is_true(err.retryable)
    assert.matches("asks to wait 7 s", err.message)
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = {
      type = "status", status = 429, code = "insufficient_quota",
    } } }
    err = failure(client_with{}.list_batches, client_with{})
    assert.equal("http", err.kind)
    assert.equal(429, err.status)
    assert.is_false(err.retryable)
    assert.equal(1, err.attempts)
  end)

  it("an answer that is no JSON, or none at all", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "html", status = 200 } } }
    local err = failure(client.list_batches, client)
    assert.equal("decode", err.kind)
    assert.equal(200, err.status)
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "html", status = 502 } } }
    err = failure(client.list_batches, client)
    assert.equal("http", err.kind)
    assert.equal("string", type(err.body))
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "empty", status = 200 } } }
    assert.same({}, client:list_batches())
  end)

  it("an answer that ends early", function()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "truncate", at = 5 } } }
    assert.equal("truncated", failure(client.list_batches, client).kind)
  end)

  it("an answer that is too large", function()
    local other = client:with{ max_body_bytes = 10 }
    local err = failure(other.list_batches, other)
    assert.equal("too_large", err.kind)
    assert.matches("max_body_bytes", err.message)
  end)

  it("a file that cannot be read, and one that cannot be written", function()
    local err = failure(client.create_file, client, { file = "/nonexistent/in.jsonl", purpose = "batch" })
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.matches("^create_file: /nonexistent/in.jsonl: ", err.message)
    assert.is_false(err.sent)
    local file = assert(client:create_file{ file = { content = "x" }, purpose = "batch" })
    err = failure(client.download_file, client, file.id, { to = "/nonexistent/out.jsonl" })
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
  end)

  it("JSON that is nested too deep", function()
    local other = client:with{ max_json_depth = 1 }
    local err = failure(other.list_batches, other)
    assert.truthy(err.kind == "decode" or err.kind == "too_large")
  end)
end)

describe("client:lines", function()
  local client

  before_each(function()
    sandbox.reset()
    client = client_with{ max_retries = 0 }
  end)

  local function upload(content)
    return assert(client:create_file{ file = { content = content, filename = "a.jsonl" }, purpose = "batch" }).id
  end

  it("gives each value, the last without its LF too", function()
    local values = {}
    for value in client:lines("download_file", upload('{"a":1}\n{"a":2}\n{"a":3}')) do
      values[#values + 1] = value.a
    end
    assert.same({ 1, 2, 3 }, values)
  end)

  it("names the line that is broken, after those before it", function()
    local object = client:lines("download_file", upload('{"a":1}\nbroken\n{"a":3}\n'))
    assert.equal(1, object:next().a)
    local value, why, err = object:next()
    assert.is_nil(value)
    assert.equal("decode", err.kind)
    assert.matches("^download_file: line 2: ", why)
    assert.is_nil(object:next())
  end)

  it("fails when a line is too long", function()
    local id = upload('{"a":"' .. ("x"):rep(1000) .. '"}\n')
    local other = client:with{ max_line_bytes = 100 }
    local _, _, err = other:lines("download_file", id):next()
    assert.equal("too_large", err.kind)
  end)

  it("fails when the answer ends early, and does not end quietly", function()
    local id = upload(('{"a":1}\n'):rep(1000))
    sandbox.faults{ { match = { path = "/v1/files/" .. id }, fault = { type = "truncate", at = 4001 } } }
    local ok, err = pcall(function()
      for _ in client:lines("download_file", id) do
        assert(true)
      end
    end)
    assert.is_false(ok)
    assert.equal("truncated", err.kind)
  end)

  it("hands on the failure of the call", function()
    local _, why, err = client:lines("download_file", "file-none"):next()
    assert.equal(404, err.status)
    assert.matches("^download_file: 404", why)
  end)

  it("decodes with another codec", function()
    local other = client:with{ json = require("cjson") }
    assert.equal(1, other:lines("download_file", upload('{"a":1}\n')):next().a)
  end)

  it("can be left early", function()
    local object = client:lines("download_file", upload(('{"a":1}\n'):rep(10)))
    assert.equal(1, object:next().a)
    object:close()
    assert.is_nil(object:next())
  end)

  it("says once which line is too long", function()
    local other = client:with{ max_line_bytes = 10 }
    local _, why, err = other:lines("download_file", upload('{"a":"0123456789"}\n')):next()
    assert.equal("download_file: line 1 is longer than 10 bytes (max_line_bytes) (of the answer)", why)
    assert.equal(1, err.line)
  end)

  it("and each and pages raise misuse where they are called, not at the first value", function()
    for _, verb in ipairs{ "each", "pages" } do
      local ok, why = pcall(function()
        client[verb](client, "list_files", { limt = 2 })
      end)
      assert.is_false(ok)
      assert.matches("client_spec%.lua:%d+: 'list_files' has no parameter 'limt'; did you mean 'limit'", why)
      assert.is_false(pcall(client[verb], client, "list_files", {}, {}))
      local object = client[verb](client, "list_files", { limit = 0 }) -- a value is next's to refuse
      assert.equal("invalid", select(3, object:next()).kind)
    end
    assert.is_false(pcall(client.lines, client, "download_file"))
    assert.is_false(pcall(client.lines, client, "download_file", 5))
  end)

  it("raises for an operation that answers with one document", function()
    assert.has_error(function()
      client:lines("list_batches")
    end)
    assert.has_error(function()
      client:lines("no_such")
    end)
  end)
end)

describe("a client that is closed", function()
  it("ends its calls in flight as closed", function()
    sandbox.reset()
    sandbox.faults{ { match = { path = "/v1/batches" }, fault = { type = "status", status = 500, retry_after = 30 } } }
    local client
    client = client_with{ on_request = function()
      client:close()
    end }
    local err = failure(client.list_batches, client)
    assert.equal("closed", err.kind)
    assert.matches("^list_batches: ", err.message)
  end)
end)

describe("a closed client", function()
  it("raises at the caller's line, and may be closed again", function()
    local client = client_with()
    client:close()
    client:close()
    for _, name in ipairs{ "list_batches", "request", "lines", "each", "pages", "wait", "run", "with" } do
      local ok, message = pcall(function()
        client[name](client, "x")
      end)
      assert.is_false(ok)
      assert.matches("client_spec%.lua:%d+: " .. name .. ": the client is closed", message)
    end
    assert.matches("closed", tostring(client))
  end)

  it("is not taken for one when it is called with a dot", function()
    local ok, message = pcall(client_with().list_batches)
    assert.is_false(ok)
    assert.matches("call it with a colon", message)
  end)
end)

describe("base_url", function()
  it("may have a slash at its end", function()
    sandbox.reset()
    assert(client_with{ base_url = base_url .. "/" }:list_batches())
    assert.equal("/v1/batches", sandbox.last().path)
  end)
end)
