-- runs on: lua5.4
-- Each setting of the sandbox does what the README says.

local cjson = require("cjson")
local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local CHAT = { model = "m", messages = { { role = "user", content = "hi" } } }


local function set(settings)
  return sandbox.control("POST", "/settings", settings)
end


describe("settings of the sandbox:", function()
  before_each(function()
    sandbox.control("POST", "/reset")
    sandbox.control("POST", "/clock", { freeze = true })
  end)

  it("is refused when it is unknown or of another type", function()
    for _, wish in ipairs { { nope = 1 }, { shuffle = "yes" }, { batch = { nope = 1 } }, { batch = 1 } } do
      local answer = curl.request("POST", sandbox.url .. "/_control/settings", { json = wish })
      assert.equal(400, answer.status)
      assert.is_string(answer.json.error)
    end
    assert.same(set({ seed = 5 }), sandbox.control("GET", "/settings"))
  end)

  it("batch: changes how long the states last", function()
    set { batch = { validating = 10, in_progress = 0, per_line = 5, finalizing = 0 } }
    local batch = sandbox.create(sandbox.line("a") .. sandbox.line("b"))
    sandbox.advance(9)
    assert.equal("validating", sandbox.batch(batch.id).status)
    sandbox.advance(2)
    assert.equal("in_progress", sandbox.batch(batch.id).status)
    sandbox.advance(9)
    assert.equal("completed", sandbox.batch(batch.id).status)
  end)

  it("missing_file: accepts a batch whose file is unknown, which then fails", function()
    set { missing_file = "fail_later" }
    local wish = { input_file_id = "file-nope", endpoint = "/v1/chat/completions", completion_window = "24h" }
    local batch = sandbox.call("POST", "/batches", { json = wish }).json
    sandbox.advance(1)
    assert.equal("failed", sandbox.batch(batch.id).status)
  end)

  it("empty_error_file: gives an empty id, or an empty file", function()
    local ids = {}
    for _, way in ipairs { "null", "empty_string", "empty_file" } do
      set { empty_error_file = way }
      local batch = sandbox.create(sandbox.line("a"))
      sandbox.advance(1)
      ids[way] = sandbox.batch(batch.id).error_file_id
    end
    assert.same({ cjson.null, "" }, { ids.null, ids.empty_string })
    assert.same({ 200, "" }, { sandbox.call("GET", "/files/" .. ids.empty_file .. "/content").status,
      sandbox.call("GET", "/files/" .. ids.empty_file .. "/content").body })
  end)

  it("cancelled_lines: reports what a cancel left out", function()
    set { cancelled_lines = "report" }
    local batch = sandbox.create(sandbox.line("a") .. sandbox.line("b"))
    sandbox.advance(0.25)
    sandbox.call("POST", "/batches/" .. batch.id .. "/cancel")
    sandbox.advance(1)
    local line = cjson.decode(sandbox.results(sandbox.batch(batch.id).error_file_id)[1])
    assert.same({ "b", "batch_cancelled" }, { line.custom_id, line.error.code })
  end)

  it("gzip: compresses for those who accept it", function()
    set { gzip = true }
    local plain = sandbox.call("POST", "/chat/completions", { json = CHAT, args = {} })
    local packed = sandbox.call("POST", "/chat/completions", { json = CHAT, args = { "--compressed" } })
    assert.is_nil(plain.headers["content-encoding"])
    assert.equal("gzip", packed.headers["content-encoding"])
    assert.equal("echo: hi", packed.json.choices[1].message.content)
  end)

  it("shuffle: off, results stand in the order of the requests", function()
    set { shuffle = false }
    local text = {}
    for i = 1, 20 do
      text[i] = sandbox.line("r" .. i)
    end
    local batch = sandbox.create(table.concat(text))
    sandbox.advance(1)
    for i, line in ipairs(sandbox.results(sandbox.batch(batch.id).output_file_id)) do
      assert.equal("r" .. i, cjson.decode(line).custom_id)
    end
  end)

  it("answer_delay, log and the limits of files work", function()
    set { answer_delay = 0.1 }
    sandbox.call("POST", "/chat/completions", { json = CHAT })
    assert.is_true(sandbox.control("GET", "/log").entries[1].duration >= 0.09)
    set { log = false, max_file_bytes = 10 }
    assert.equal(413, sandbox.call("POST", "/files",
      { body = "--x\r\nContent-Disposition: form-data; name=purpose\r\n\r\nbatch"
      .. "\r\n--x\r\nContent-Disposition: form-data; name=file; filename=a.jsonl\r\n\r\n12345678901\r\n--x--\r\n",
      headers = { "Content-Type: multipart/form-data; boundary=x" } }).status)
    assert.equal(1, sandbox.control("GET", "/log").last)
    set { max_file_bytes = 1000, max_batch_bytes = 10 }
    local batch = sandbox.create(sandbox.line("a"))
    sandbox.advance(1)
    assert.equal("file_too_large", sandbox.batch(batch.id).errors.data[1].code)
  end)

  it("output_expires_after counts from the creation of the output", function()
    local batch = sandbox.create(sandbox.line("a"), { output_expires_after = { anchor = "created_at",
      seconds = 3600 } })
    sandbox.advance(1)
    local id = sandbox.batch(batch.id).output_file_id
    local file = sandbox.call("GET", "/files/" .. id).json
    assert.equal(file.created_at + 3600, file.expires_at)
    sandbox.advance(3601)
    assert.equal(404, sandbox.call("GET", "/files/" .. id).status)
  end)
end)
