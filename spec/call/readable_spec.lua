-- What is printed at the prompt is something to read, and stays what it was.

local batchapi = require("batchapi")
local jobs = require("support.job")
local json = require("batchapi.json")

local openai = assert(batchapi.openai{ max_retries = 0 })

teardown(function()
  openai:close()
end)


describe("the text of", function()
  it("an answer is its fields, and it is sent back as it is", function()
    local answer = assert(openai:list_models())
    local text = tostring(answer)
    assert.truthy(text:find("object = \"list\"", 1, true), text)
    assert.are.equal(text, batchapi.show(answer))
    local bare = {}
    for name, value in pairs(answer) do
      bare[name] = value
    end
    assert.are.equal(json.encode(bare), json.encode(answer))
    local sent = assert(openai:request{ method = "POST", path = "/chat/completions", body = answer.data and {
      model = "m", messages = { { role = "user", content = "hi" } }, extra = answer } })
    assert.truthy(sent.choices)
  end)

  it("a page is the same", function()
    local page = assert(openai:pages("list_batches", { limit = 1 }):next())
    assert.truthy(tostring(page):find("has_more", 1, true))
  end)

  it("a response is its status, its id and its attempts", function()
    local _, _, response = assert(openai:list_models())
    assert.matches("^200, request req_[%w_-]+, 1 attempt, %d", tostring(response))
    local _, _, err = openai:retrieve_batch("batch_none")
    assert.matches("^404, ", tostring(err.response))
  end)

  it("a client's counts is those that are not zero", function()
    local fresh = assert(batchapi.openai{ api_key = "k" })
    assert.are.equal("nothing was asked yet", tostring(fresh:stats()))
    local counts = tostring(openai:stats())
    assert.matches("^requests %d+, attempts %d+, succeeded %d+", counts)
    assert.is_nil(counts:find(" 0,", 1, true))
  end)

  it("a dry run is what would be sent, or what cannot be", function()
    local report = assert(openai:run(jobs.chats(3), jobs.quick{ dry_run = true }))
    assert.matches("^3 requests, %d+ bytes, 1 part: all is right, nothing was sent$", tostring(report))
    local list = jobs.chats(15)
    for i = 2, 14 do
      list[i] = { body = 1 }
    end
    report = tostring(assert(openai:run(list, jobs.quick{ dry_run = true })))
    assert.matches("^2 requests, %d+ bytes, 1 part: 13 cannot be sent\n  2: ", report)
    assert.matches("\n  and 3 more$", report)
  end)
end)
