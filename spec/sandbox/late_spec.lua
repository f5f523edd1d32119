-- runs on: lua5.4
-- What services do late, twice or not at all: creates, deletes, files, lists.

local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local RESET = 56 -- curl's exit code
local LINES = sandbox.line("a") .. sandbox.line("b")


local function set(settings)
  return sandbox.control("POST", "/settings", settings)
end


local function create(file_id, fault)
  return sandbox.call("POST", "/batches", {
    json = { input_file_id = file_id, endpoint = "/v1/chat/completions", completion_window = "24h" },
    headers = fault and { "X-Sandbox-Fault: " .. fault } or nil, args = fault and {} or nil,
  })
end


local function batches()
  return (sandbox.control("GET", "/totals").batches or {}).all or 0
end


local function until_batches(count)
  local deadline = os.time() + 10
  while batches() < count do
    assert(os.time() < deadline, "the batches did not come")
  end
end


describe("the sandbox, late and twice:", function()
  before_each(function()
    sandbox.control("POST", "/reset")
  end)

  it("late: the connection is cut, and the create takes effect afterwards", function()
    local file = sandbox.upload(LINES)
    assert.equal(RESET, create(file.id, "late seconds=0.3").code)
    assert.equal(0, batches())
    until_batches(1)
    local list = sandbox.call("GET", "/batches").json
    assert.equal(file.id, list.data[1].input_file_id)
  end)

  it("late: finds what is there when it arrives", function()
    local file = sandbox.upload(LINES)
    assert.equal(RESET, create(file.id, "late seconds=0.2").code)
    assert.equal(200, sandbox.call("DELETE", "/files/" .. file.id).status)
    local other = sandbox.upload(LINES)
    assert.equal(RESET, create(other.id, "late seconds=0.3").code) -- behind the first: both have come by then
    until_batches(1)
    assert.equal(other.id, sandbox.call("GET", "/batches").json.data[1].input_file_id)
  end)

  it("late: what is to come when the sandbox is reset never does", function()
    assert.equal(RESET, create(sandbox.upload(LINES).id, "late seconds=0.2").code)
    sandbox.control("POST", "/reset")
    assert.equal(RESET, create(sandbox.upload(LINES).id, "late seconds=0.3").code)
    until_batches(1)
    assert.equal(1, batches())
  end)

  it("double: one create makes two batches", function()
    local file = sandbox.upload(LINES)
    assert.equal(200, create(file.id, "double").status)
    assert.equal(2, batches())
    assert.equal(RESET, create(file.id, "double lost=true").code)
    assert.equal(4, batches())
  end)

  it("file_deletion_delay: batches are taken of a file that is gone for who asks for it", function()
    sandbox.control("POST", "/clock", { freeze = true })
    set { file_deletion_delay = 5 }
    local file = sandbox.upload(LINES)
    assert.is_true(sandbox.call("DELETE", "/files/" .. file.id).json.deleted)
    assert.equal(404, sandbox.call("DELETE", "/files/" .. file.id).status)
    assert.equal(404, sandbox.call("GET", "/files/" .. file.id).status)
    assert.equal(200, create(file.id).status)
    sandbox.advance(5)
    assert.equal(400, create(file.id).status)
  end)

  it("file_lookup_delay: a file is used before it is seen", function()
    sandbox.control("POST", "/clock", { freeze = true })
    set { file_lookup_delay = 5 }
    local file = sandbox.upload(LINES)
    assert.equal(404, sandbox.call("GET", "/files/" .. file.id).status)
    assert.equal(404, sandbox.call("DELETE", "/files/" .. file.id).status)
    assert.equal(200, create(file.id).status)
    sandbox.advance(5)
    assert.equal(200, sandbox.call("GET", "/files/" .. file.id).status)
  end)

  it("deleted_input: a batch that runs goes on from a copy, or breaks midway", function()
    for _, way in ipairs { "keep", "break" } do
      sandbox.control("POST", "/reset")
      sandbox.control("POST", "/clock", { freeze = true })
      set { deleted_input = way, batch = { validating = 1, in_progress = 10 } }
      local batch = sandbox.create(LINES)
      sandbox.advance(7)
      assert.equal("in_progress", sandbox.batch(batch.id).status)
      sandbox.call("DELETE", "/files/" .. batch.input_file_id)
      sandbox.advance(20)
      local ended = sandbox.batch(batch.id)
      assert.equal(way == "keep" and "completed" or "failed", ended.status)
      assert.equal(way == "keep" and 2 or 1, ended.request_counts.completed)
      assert.is_string(ended.output_file_id)
    end
  end)

  it("empty_pages: lists begin with pages that have nothing but more to come", function()
    set { empty_pages = 2 }
    local batch = sandbox.create(LINES)
    local after, empty = nil, 0
    repeat
      local page = sandbox.call("GET", "/batches" .. (after and "?after=" .. after or "")).json
      empty, after = #page.data == 0 and empty + 1 or empty, page.last_id
    until not page.has_more
    assert.equal(2, empty)
    assert.equal(batch.id, after)
  end)

  it("azure.file_pending: no batch is taken of a file that is not looked through", function()
    sandbox.control("POST", "/clock", { freeze = true })
    set { azure = { file_pending = 5 } }
    local base, key = os.getenv("AZURE_OPENAI_BASE_URL"), "api-key: " .. os.getenv("AZURE_OPENAI_API_KEY")
    local form = "--xx\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xx\r\n"
      .. "Content-Disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n\r\n" .. LINES .. "\r\n--xx--\r\n"
    local file = curl.request("POST", base .. "/files", { body = form,
      headers = { key, "Content-Type: multipart/form-data; boundary=xx" } }).json
    assert.equal("pending", file.status)
    local function made()
      return curl.request("POST", base .. "/batches", { headers = { key }, json = { input_file_id = file.id,
        endpoint = "/chat/completions", completion_window = "24h" } })
    end
    assert.equal(400, made().status)
    assert.matches("not processed", made().body)
    sandbox.advance(5)
    assert.equal("processed", curl.request("GET", base .. "/files/" .. file.id, { headers = { key } }).json.status)
    assert.equal(200, made().status)
    assert.equal("processed", sandbox.upload(LINES).status) -- OpenAI's are at once
  end)

  it("tells its own time in Date", function()
    sandbox.control("POST", "/clock", { advance = 3 * 86400 })
    local now = math.floor(sandbox.control("GET", "/clock").now)
    local date = sandbox.call("GET", "/batches").headers["date"]
    local core = require("batchapi.core")
    assert.is_true(math.abs(core.http_date(date) - now) <= 2)
  end)
end)
