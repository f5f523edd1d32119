local definition = require("batchapi.definition")
local multipart = require("batchapi.call.multipart")

local openai = definition.load("openai").by_name.create_file
local azure = definition.load("azure").by_name.create_file

local function filename(file, purpose)
  local parts = multipart.parts({ file = file, purpose = purpose or "batch" }, openai)
  return parts[#parts].filename
end

describe("multipart.parts", function()
  it("writes nested fields in brackets, and the file last", function()
    local parts = multipart.parts({
      file = "dir/in.jsonl", purpose = "batch", expires_after = { anchor = "created_at", seconds = 3600 },
    }, openai)
    assert.same({
      { name = "purpose", content = "batch" },
      { name = "expires_after[anchor]", content = "created_at" },
      { name = "expires_after[seconds]", content = "3600" },
      { name = "file", file = "dir/in.jsonl", filename = "in.jsonl", type = "application/jsonl" },
    }, parts)
  end)

  it("writes them with dots for Azure", function()
    local parts = multipart.parts({ file = "in.jsonl", purpose = "batch", expires_after = { seconds = 3600 } }, azure)
    assert.equal("expires_after.seconds", parts[2].name)
  end)

  it("gives a batch's file the ending the service insists on", function()
    assert.equal("in.jsonl", filename("/tmp/in.jsonl"))
    assert.equal("in.JSONL", filename("in.JSONL"))
    assert.equal("notes.txt.jsonl", filename("notes.txt"))
    assert.equal("notes.txt", filename("notes.txt", "assistants"))
    assert.equal("file.jsonl", filename{ content = "x" })
    assert.equal("a.jsonl", filename{ content = "x", filename = "../../a.jsonl" })
  end)

  it("lets no name break the header it stands in", function()
    assert.equal('a_b_.jsonl', filename('a"b\n.jsonl'))
  end)

  it("sends content as it is", function()
    local parts = multipart.parts({ file = { content = "{}\n", filename = "a.jsonl" }, purpose = "batch" }, openai)
    assert.equal("{}\n", parts[2].content)
    assert.is_nil(parts[2].file)
  end)
end)

describe("multipart.form", function()
  it("is pairs of names and values, encoded", function()
    local operation = { nesting = "bracket", body = { fields = { { name = "a", type = "string" } } } }
    assert.equal("a=1%262&b=true", multipart.form({ a = "1&2", b = true }, operation))
  end)
end)
