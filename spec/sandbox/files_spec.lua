-- runs on: lua5.4
-- The sandbox's OpenAI files and uploads, and direct calls.

local cjson = require("cjson")
local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local TLS, CA = os.getenv("BATCHAPI_SANDBOX_TLS_URL"), os.getenv("BATCHAPI_SANDBOX_CA")


describe("files of the sandbox", function()
  before_each(function()
    sandbox.control("POST", "/reset")
  end)

  it("come back as they were sent, also when the purpose follows the bytes", function()
    local text = ("0123456789\r\n--x\r\n\0\u{ff}\u{20ac}\u{1f600}"):rep(20000)
    local path = os.tmpname()
    local handle = io.open(path, "wb")
    handle:write(text)
    handle:close()
    for _, origin in ipairs { sandbox.url, TLS } do
      local answer = curl.request("POST", origin .. "/v1/files", { headers = { sandbox.key }, args = { "--cacert "
        .. CA },
        form = { "file=@" .. path .. ";filename=in.jsonl", "purpose=batch" } })
      assert.equal(200, answer.status, answer.body .. answer.why)
      assert.equal(#text, answer.json.bytes)
      assert.equal("in.jsonl", answer.json.filename)
      local content = sandbox.call("GET", "/files/" .. answer.json.id .. "/content")
      assert.is_true(content.body == text)
      assert.equal("application/octet-stream", content.headers["content-type"])
      assert.equal('attachment; filename="in.jsonl"', content.headers["content-disposition"])
      assert.equal(tostring(#text), content.headers["content-length"])
    end
    os.remove(path)
  end)

  it("may have a name with quotes", function()
    local form = '--xx\r\nContent-Disposition: form-data; name=purpose\r\n\r\nbatch\r\n--xx\r\n'
      .. 'Content-Disposition: form-data; filename="a \\"b\\" ü.jsonl"; name="file"\r\n\r\n\r\n--xx--\r\n'
    local headers = { "Content-Type: multipart/form-data; boundary=xx" }
    local answer = sandbox.call("POST", "/files", { body = form, headers = headers })
    assert.same({ 'a "b" ü.jsonl', 0 }, { answer.json.filename, answer.json.bytes })
    assert.equal("", sandbox.call("GET", "/files/" .. answer.json.id .. "/content").body)
  end)

  it("can be read from the middle, unless they have changed", function()
    local file = sandbox.upload(sandbox.line("a"))
    local path = "/files/" .. file.id .. "/content"
    local whole = sandbox.call("GET", path)
    local part = sandbox.call("GET", path, { headers = { "Range: bytes=5-9", "If-Range: " .. whole.headers.etag } })
    assert.equal(206, part.status)
    assert.equal(whole.body:sub(6, 10), part.body)
    local touched = sandbox.call("GET", path, { headers = { "X-Sandbox-Fault: touch", "Range: bytes=5-9",
      "If-Range: " .. whole.headers.etag } })
    assert.equal(200, touched.status)
    assert.equal(whole.body, touched.body)
    sandbox.control("POST", "/settings", { ranges = false })
    assert.equal(200, sandbox.call("GET", path, { headers = { "Range: bytes=5-9" } }).status)
  end)

  it("take part faults with ranges, as a resumed download meets them", function()
    local path = "/files/" .. sandbox.upload(sandbox.line("a"):rep(50)).id .. "/content"
    local whole = sandbox.call("GET", path)
    local cut = sandbox.call("GET", path, { headers = { "X-Sandbox-Fault: truncate at=100" }, args = {} })
    assert.equal(18, cut.code)
    assert.equal(whole.body:sub(1, 100), cut.body)
    assert.equal(tostring(#whole.body), cut.headers["content-length"])
    assert.equal(whole.headers.etag, cut.headers.etag)
    local rest = sandbox.call("GET", path, { headers = { "X-Sandbox-Fault: truncate at=50", "Range: bytes=100-" },
      args = {} })
    assert.equal(206, rest.status)
    assert.equal(18, rest.code)
    assert.equal(whole.body:sub(101, 150), rest.body)
    assert.equal("bytes 100-" .. #whole.body - 1 .. "/" .. #whole.body, rest.headers["content-range"])
  end)

  it("are refused by name, purpose and form", function()
    local path = os.tmpname()
    local cases = {
      { { "file=@" .. path .. ";filename=a.jsonl" }, "purpose" },
      { { "purpose=batch" }, "file" },
      { { "purpose=nope", "file=@" .. path .. ";filename=a.jsonl" }, "purpose" },
      { { "purpose=batch", "file=@" .. path .. ";filename=notes.txt" }, "file" },
      { { "purpose=batch", "expires_after[anchor]=created_at", "expires_after[seconds]=5",
        "file=@" .. path .. ";filename=a.jsonl" }, "expires_after.seconds" },
    }
    for _, case in ipairs(cases) do
      local answer = sandbox.call("POST", "/files", { form = case[1] })
      assert.equal(400, answer.status, answer.body)
      assert.equal(case[2], answer.json.error.param)
    end
    os.remove(path)
    for _, text in ipairs { "\255", "a\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF5\x80\x80\x80" } do
      assert.truthy(select(2, pcall(sandbox.upload, text)):find("utf%-8"))
    end
    assert.equal(415, sandbox.call("POST", "/files", { json = { purpose = "batch" } }).status)
  end)

  it("end their life by the clock, and can be invisible at first", function()
    local file = sandbox.upload(sandbox.line("a"))
    sandbox.control("POST", "/settings", { file_visibility_delay = 60 })
    local wish = { input_file_id = file.id, endpoint = "/v1/chat/completions", completion_window = "24h" }
    local answer = sandbox.call("POST", "/batches", { json = wish })
    assert.equal(400, answer.status)
    assert.truthy(answer.json.error.message:find("Cannot find file", 1, true))
    assert.equal(200, sandbox.call("GET", "/files/" .. file.id).status)
    sandbox.advance(61)
    assert.equal(200, sandbox.call("POST", "/batches", { json = wish }).status)
    sandbox.advance(2592000)
    assert.equal(404, sandbox.call("GET", "/files/" .. file.id).status)
  end)

  it("are listed by purpose and order, and deleted", function()
    local first, second = sandbox.upload("1").id, sandbox.upload("2").id
    local page = sandbox.call("GET", "/files?order=asc&limit=1&purpose=batch").json
    assert.equal(first, page.data[1].id)
    assert.is_true(page.has_more)
    assert.equal(second, sandbox.call("GET", "/files").json.data[1].id)
    assert.is_true(sandbox.call("DELETE", "/files/" .. first).json.deleted)
    assert.equal(404, sandbox.call("GET", "/files/" .. first .. "/content").status)
  end)
end)


describe("uploads of the sandbox", function()
  local function create(bytes)
    return sandbox.call("POST", "/uploads", { json = { bytes = bytes, filename = "a.jsonl", purpose = "batch",
      mime_type = "application/jsonl" } }).json
  end

  local function add_part(upload, text)
    local path = os.tmpname()
    local handle = io.open(path, "wb")
    handle:write(text)
    handle:close()
    local answer = sandbox.call("POST", "/uploads/" .. upload.id .. "/parts", { form = { "data=@" .. path } })
    os.remove(path)
    return answer
  end

  it("become a file of their parts in the order that was asked for", function()
    local upload = create(6)
    local one, two = add_part(upload, "abc").json, add_part(upload, "def").json
    local order = { part_ids = { two.id, one.id } }
    local answer = sandbox.call("POST", "/uploads/" .. upload.id .. "/complete", { json = order })
    assert.equal("completed", answer.json.status)
    assert.equal("defabc", sandbox.call("GET", "/files/" .. answer.json.file.id .. "/content").body)
  end)

  it("must have the bytes they were created with, be pending, and be in time", function()
    local upload = create(5)
    local part = add_part(upload, "abc").json
    local complete = "/uploads/" .. upload.id .. "/complete"
    assert.equal(400, sandbox.call("POST", complete, { json = { part_ids = { part.id } } }).status)
    assert.equal("cancelled", sandbox.call("POST", "/uploads/" .. upload.id .. "/cancel").json.status)
    assert.equal(400, add_part(upload, "de").status)
    local late = create(5)
    sandbox.advance(3601)
    assert.equal(400, add_part(late, "de").status)
  end)
end)


describe("models of the sandbox", function()
  it("echo, and embed by crc32", function()
    local answer = sandbox.call("POST", "/chat/completions", { json = { model = "m", messages = {
      { role = "system", content = "s" }, { role = "user", content = { { type = "text", text = "hi" } } } } } })
    assert.equal("echo: hi", answer.json.choices[1].message.content)
    answer = sandbox.call("POST", "/embeddings", { json = { model = "m", input = "hi", dimensions = 3 } })
    assert.equal(3, #answer.json.data[1].embedding)
    assert.equal(2007467780 % 2000001 / 1000000 - 1, answer.json.data[1].embedding[1]) -- crc32 of "hi#1"
    answer = sandbox.call("POST", "/responses", { json = { model = "m", input = "hi" } })
    assert.equal("echo: hi", answer.json.output[1].content[1].text)
  end)

  it("fail as asked, so many times", function()
    local wish = { model = "fail-500-times-1", messages = { { role = "user", content = "once" } } }
    assert.equal(500, sandbox.call("POST", "/chat/completions", { json = wish }).status)
    assert.equal(200, sandbox.call("POST", "/chat/completions", { json = wish }).status)
    wish = { model = "fail-429-insufficient_quota", messages = { { role = "user", content = "x" } } }
    local answer = sandbox.call("POST", "/chat/completions", { json = wish })
    assert.same({ 429, "insufficient_quota" }, { answer.status, answer.json.error.code })
  end)

  it("want a key", function()
    local answer = curl.request("GET", sandbox.base .. "/batches")
    assert.equal(401, answer.status)
    assert.equal(cjson.null, answer.json.error.code)
    answer = curl.request("GET", sandbox.base .. "/batches", { headers = { "Authorization: Bearer sk-wrong" } })
    assert.equal("invalid_api_key", answer.json.error.code)
  end)
end)
