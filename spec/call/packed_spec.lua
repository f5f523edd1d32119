--- Answers that are compressed, asked for or not.

local batchapi = require("batchapi")
local sandbox = require("support.sandbox")
local jobs = require("support.job")


describe("a compressed answer", function()
  local openai, id

  local LINES = ('{"custom_id":"a","n":1}\n'):rep(2000)

  before_each(function()
    sandbox.reset()
    openai = assert(batchapi.openai{ max_retries = 0 })
    id = assert(openai:create_file{ purpose = "batch", file = { filename = "a.jsonl", content = LINES } }).id
  end)

  after_each(function()
    openai:close()
    jobs.clear()
  end)

  local function fault(words, operation)
    sandbox.faults{ { match = { operation = operation or "openai.download_file" }, fault = words } }
  end

  local function refused(value, why, err)
    assert.is_nil(value)
    assert.is_string(why)
    return err, why
  end

  it("is read in a call", function()
    fault({ type = "gzip" }, "openai.retrieve_file")
    assert.are.equal(id, assert(openai:retrieve_file(id)).id)
  end)

  it("that ends before its end is truncated in a call", function()
    fault({ type = "gzip", cut = true }, "openai.retrieve_file")
    local err, why = refused(openai:retrieve_file(id))
    assert.are.equal("truncated", err.kind)
    assert.matches("the packed answer ends before its end", why)
  end)

  it("that is not asked for is unpacked in a download", function()
    local path = jobs.dir()
    fault{ type = "gzip" }
    assert(openai:download_file(id, { to = path }))
    assert.are.equal(LINES, jobs.read(path))
    os.remove(path)
    assert.are.equal(LINES, assert(openai:download_file(id)))
  end)

  it("that ends before its end is truncated in a download, and leaves no file", function()
    local path = jobs.dir()
    fault{ type = "gzip", cut = true }
    assert.are.equal("truncated", refused(openai:download_file(id, { to = path })).kind)
    assert.is_nil(jobs.read(path))
    assert.is_nil(jobs.read(path .. ".part"))
  end)

  it("is unpacked in a stream of lines, whether or not it says what it is", function()
    for _, silent in ipairs{ false, true } do
      fault{ type = "gzip", silent = silent }
      local count = 0
      for line in openai:lines("download_file", id) do
        assert.are.equal("a", line.custom_id)
        count = count + 1
      end
      assert.are.equal(2000, count)
    end
  end)

  it("that unpacks to more than its reader has room for waits for it", function()
    local long = ("x"):rep(200)
    local content = ('{"custom_id":"a","text":"' .. long .. '"}\n'):rep(40000) -- 9 MB of 20 kB
    local big = assert(openai:create_file{ purpose = "batch", file = { filename = "b.jsonl", content = content } }).id
    fault{ type = "gzip", silent = true }
    local lines, count = openai:lines("download_file", big), 0
    for line in lines do
      if count == 0 then
        assert(openai:retrieve_file(id)) -- meanwhile what came fills the buffer
      end
      assert.are.equal(long, line.text)
      count = count + 1
    end
    assert.are.equal(40000, count)
  end)

  it("that ends before its end is truncated in a stream of lines", function()
    fault{ type = "gzip", cut = true }
    local lines = openai:lines("download_file", id)
    local failure
    repeat
      local value, _, err = lines:next()
      failure = err
    until value == nil
    assert.are.equal("truncated", failure.kind)
  end)

  it("of a kind that was not asked for is refused by name", function()
    for _, operation in ipairs{ "openai.download_file", "openai.retrieve_file" } do
      fault({ type = "encoded", name = "br" }, operation)
      local method = operation:match("%.(.*)$")
      local err, why = refused(openai[method](openai, id))
      assert.are.equal("decode", err.kind)
      assert.are.equal("content_encoding", err.code)
      assert.matches("the answer is encoded as 'br', which was not asked for", why)
    end
  end)

  it("that is damaged is refused, and a refusal's status stays", function()
    fault({ type = "encoded", name = "gzip" }, "openai.retrieve_file")
    local err = refused(openai:retrieve_file(id))
    assert.are.equal("decode", err.kind)
    fault({ type = "status", status = 404, headers = { ["Content-Encoding"] = "gzip" } }, "openai.retrieve_file")
    assert.are.equal(404, refused(openai:retrieve_file(id)).status)
    fault({ type = "status", status = 404, headers = { ["Content-Encoding"] = "br" } }, "openai.retrieve_file")
    assert.are.equal(404, refused(openai:retrieve_file(id)).status)
  end)

  it("is given as it is where bytes are bytes", function()
    local path = jobs.dir()
    fault{ type = "gzip", silent = true }
    assert(openai:download_file(id, { to = path }))
    assert.are.equal("\31\139", jobs.read(path):sub(1, 2))
    os.remove(path)
  end)

  it("in UTF-16 is read as lines", function()
    fault{ type = "utf16" }
    local count = 0
    for line in openai:lines("download_file", id) do
      assert.are.equal("a", line.custom_id)
      count = count + 1
    end
    assert.are.equal(2000, count)
  end)
end)
