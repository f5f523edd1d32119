local batchapi = require("batchapi")
local definition = require("batchapi.definition")
local operation = require("batchapi.call.operation")
local codec = require("batchapi.json.codec").new{}

local openai = definition.load("openai").by_name
local asana = definition.load("asana").by_name
local msgraph = definition.load("msgraph").by_name

local function build(one, ...)
  return operation.build(one, { n = select("#", ...), ... }, codec)
end

local function misuse(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, message)
end

describe("operation.signature", function()
  it("shows path parameters, fields, what may be left out, and where an answer may go", function()
    assert.equal("download_file(file_id, { [to] })", operation.signature(openai.download_file))
    assert.equal("complete_upload(upload_id, { part_ids, [md5] })", operation.signature(openai.complete_upload))
    assert.equal("create_batch_request({ data }, { [opt_fields], [opt_pretty] })",
      operation.signature(asana.create_batch_request))
  end)
end)

describe("operation.build", function()
  it("makes method, path and query", function()
    local request = build(openai.list_batches, { after = "a b", limit = 5 })
    assert.equal("GET", request.method)
    assert.equal("/batches", request.path)
    assert.same({ { "after", "a b" }, { "limit", "5" } }, request.query)
    assert.is_nil(request.body)
  end)

  it("encodes a path parameter as one segment", function()
    assert.equal("/batches/a%2F..%2Fb%3Fc%23", build(openai.retrieve_batch, "a/../b?c#").path)
  end)

  it("refuses segments that would leave the path, and empty ones", function()
    for _, segment in ipairs{ ".", "..", "" } do
      local request, message, err = build(openai.retrieve_batch, segment)
      assert.is_nil(request)
      assert.equal("invalid", err.kind)
      assert.matches("^retrieve_batch: batch_id must not be", message)
    end
  end)

  it("writes the body as JSON", function()
    local request = build(openai.complete_upload, "u", { part_ids = { "a", "b" } })
    assert.equal('{"part_ids":["a","b"]}', request.body)
    assert.equal("application/json", request.content_type)
  end)

  it("sends no body where the operation has none", function()
    local request = build(openai.cancel_batch, "b")
    assert.is_nil(request.body)
    assert.is_nil(request.content_type)
  end)

  it("takes `to` out of the query", function()
    local request = build(openai.download_file, "f", { to = "x.jsonl" })
    assert.equal("x.jsonl", request.to)
    assert.same({}, request.query)
    misuse("to: the path of a file expected", build, openai.download_file, "f", { to = 5 })
  end)

  it("refuses what the service refuses, naming the parameter, with nothing sent", function()
    local request, message, err = build(openai.create_batch, { endpoint = "/v1/x", completion_window = "24h" })
    assert.is_nil(request)
    assert.equal("create_batch: input_file_id is required", message)
    assert.equal("invalid", err.kind)
    assert.is_false(err.sent)
    assert.equal(0, err.attempts)
  end)

  it("says what cannot be encoded", function()
    local request, _, err = build(openai.create_batch, {
      input_file_id = "f", endpoint = "e", completion_window = "24h", extra = print,
    })
    assert.is_nil(request)
    assert.equal("invalid", err.kind)
    assert.matches("^create_batch: ", err.message)
  end)

  it("raises on a wrong number or kind of arguments, at the caller's line", function()
    misuse("operation_spec%.lua:%d+: bad argument #1 to 'retrieve_batch' %(batch_id: a string expected, got no value%)",
      function()
        build(openai.retrieve_batch)
      end)
    misuse("batch_id: a string expected, got a number", build, openai.retrieve_batch, 5)
    misuse("the body: a table expected, got no value", build, openai.create_batch)
    misuse("the body: a table expected, got a string", build, openai.create_batch, "{}")
    misuse("the query: a table expected", build, openai.list_batches, 5)
    misuse("too many arguments to 'retrieve_batch' %(3%)", build, openai.retrieve_batch, "a", {}, "c")
    misuse("'list_batches' has no parameter 'limmit'; did you mean 'limit'", build, openai.list_batches, { limmit = 1 })
  end)

  it("does not count arguments that are nil", function()
    assert.truthy(build(openai.retrieve_batch, "a", nil, nil))
  end)
end)

describe("an operation whose body decides", function()
  local function batch(...)
    local actions = {}
    for i, method in ipairs{ ... } do
      actions[i] = { method = method, relative_path = "/tasks/" .. i }
    end
    return build(asana.create_batch_request, { data = { actions = actions } })
  end

  it("is repeated when every action only reads", function()
    assert.equal("safe", batch("get", "GET").repeats)
    assert.equal("never_sent", batch("get", "post").repeats)
  end)

  it("weighs its actions", function()
    local weights = batch("get", "post", "head", "delete", "put").weights
    assert.equal(2, weights.read)
    assert.equal(3, weights.write)
    assert.equal(5, weights.minute)
  end)

  it("converts the case of words", function()
    assert.truthy(batch("GET").body:find('"method":"get"', 1, true))
    local request = build(msgraph.create_batch, { requests = { { id = "1", method = "get", url = "/me" } } })
    assert.truthy(request.body:find('"method":"GET"', 1, true))
    assert.equal("safe", request.repeats)
  end)

  it("writes empty tables as what they are", function()
    local request = build(asana.create_batch_request, { data = { actions = {
      { method = "post", relative_path = "/tasks", data = {}, options = { fields = {} } },
    } } })
    assert.truthy(request.body:find('"data":{}', 1, true))
    assert.truthy(request.body:find('"fields":[]', 1, true))
  end)
end)

describe("an operation with a URL for a path", function()
  local upload = definition.load({
    name = "store", base_url = "https://example.org",
    operations = {
      { name = "put_bytes", method = "PUT", path = "{+upload_url}", content = "bytes", credential = false,
        body = { "data", "file", required = true } },
      { name = "cancel", method = "POST", path = "/v1/{+name}:cancel" },
    },
  }).by_name

  it("sends a file as it is", function()
    local request = build(upload.put_bytes, "https://bucket.example/x?sig=a%2Fb", "in.csv")
    assert.equal("https://bucket.example/x?sig=a%2Fb", request.path)
    assert.equal("in.csv", request.body_file)
    assert.equal("application/octet-stream", request.content_type)
    assert.is_true(request.no_credential)
    request = build(upload.put_bytes, "https://bucket.example/x", { content = "a,b\n", type = "text/csv" })
    assert.equal("a,b\n", request.body)
    assert.equal("text/csv", request.content_type)
  end)

  it("refuses what is no URL, and a path that climbs", function()
    assert.matches("upload_url must be a URL", select(2, build(upload.put_bytes, "/etc/passwd", "x")))
    assert.matches("name must not be '%.%.'", select(2, build(upload.cancel, "batches/../x")))
    assert.equal("/v1/batches/1:cancel", build(upload.cancel, "batches/1").path)
  end)
end)

describe("an operation with an idempotency key", function()
  it("sends a fresh one with each call, and may then be repeated", function()
    local create = definition.load({
      name = "keyed", base_url = "https://example.org",
      operations = { { name = "create", method = "POST", path = "/x", idempotency_key = "Idempotency-Key" } },
    }).by_name.create
    local first, second = build(create), build(create)
    assert.equal("idempotent", first.repeats)
    assert.is_true(#first.idempotency["Idempotency-Key"] >= 16)
    assert.are_not.equal(first.idempotency["Idempotency-Key"], second.idempotency["Idempotency-Key"])
  end)
end)

describe("batchapi.array", function()
  it("marks a table, so that it encodes as an array", function()
    assert.equal("[]", codec.encode(batchapi.array{}))
    local list = { 1 }
    assert.equal(list, batchapi.array(list))
  end)
end)
