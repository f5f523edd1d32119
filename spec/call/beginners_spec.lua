-- What somebody types who does not know the module yet: the answer is ours, at their line, without our file
-- names and without tail calls in the trace.

local batchapi = require("batchapi")
local jobs = require("support.job")

local openai = assert(batchapi.openai{ max_retries = 0 })
local job = assert(openai:run(jobs.chats(2), jobs.quick()))

teardown(function()
  job:close()
  openai:close()
end)

-- The message and the trace of what a mistake raises.
local function raised(f)
  local trace
  local ok, why = xpcall(f, function(message)
    trace = debug.traceback("", 1)
    return message
  end)
  assert.is_false(ok)
  return tostring(why), trace
end

-- name of the mistake = { what it is told, the mistake }
local mistakes = {
  ["a number for options"] = { "job:wait: the options must be a table, got a number", function()
    job:wait(1)
    return nil
  end },
  ["a dot for a colon, of a job"] = { "bad self to 'results': call it with a colon, job:results(…)", function()
    job.results()
    return nil
  end },
  ["a dot for a colon, of a client"] = { "bad self to 'list_batches': call it with a colon, client:list_batches(", function()
    openai.list_batches()
    return nil
  end },
  ["a colon for a dot"] = { "openai: call it with a dot, batchapi.openai{ … }", function()
    batchapi:openai()
    return nil
  end },
  ["a misspelt operation"] = { "openai has no operation 'crate_batch'; did you mean 'create_batch'?", function()
    openai:crate_batch{}
    return nil
  end },
  ["what another SDK has"] = { "openai has no operation 'batches'", function()
    openai.batches.create()
    return nil
  end },
  ["a misspelt method of a job"] = { "a job has no 'resluts'; did you mean 'results'?", function()
    job:resluts()
    return nil
  end },
  ["a field of a job"] = { "a job has no 'store'", function()
    return job.store == nil
  end },
  ["a field that is set"] = { "a job's fields cannot be set", function()
    job.id = "x"
    return nil
  end },
  ["a client for options"] = { "resume: give the client by its name: resume(dir, { client = client })", function()
    batchapi.resume("d", openai)
    return nil
  end },
  ["one request for a list"] = { "one request alone is { request }", function()
    openai:run({ body = { model = "m" } })
    return nil
  end },
  ["ipairs"] = { "give run the array itself", function()
    openai:run(ipairs(jobs.chats(1)))
    return nil
  end },
  ["pairs, with options"] = { "give run the array itself", function()
    openai:run(next, jobs.quick())
    return nil
  end },
  ["a text for options"] = { "progress: the options must be a table, got a string", function()
    batchapi.progress("x")
    return nil
  end },
  ["somebody else's client"] = { "option 'client' must be a client", function()
    batchapi.resume("d", { client = { _definition = { run = {} } } })
    return nil
  end },
}


describe("a beginner's mistake", function()
  for name, mistake in pairs(mistakes) do
    it(name .. " is answered", function()
      local why, trace = raised(mistake[2])
      assert.truthy(why:find(mistake[1], 1, true), why)
      assert.matches("^spec/call/beginners_spec%.lua:%d+: ", why)
      assert.is_nil(why:find("lua/batchapi", 1, true))
      local ours = trace:match("(.-)beginners_spec%.lua") or ""
      assert.is_nil(ours:find("tail call", 1, true), trace)
    end)
  end

  it("a table of comma separated values is told as what it is", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("custom_id,prompt\n1,hello\n")
    file:close()
    local made, why, err = openai:run(path, jobs.quick())
    os.remove(path)
    assert.is_nil(made)
    assert.are.equal("invalid", err.kind)
    assert.truthy(why:find("line 1: ", 1, true), why)
    assert.truthy(why:find("each line of a JSONL file is one JSON object", 1, true), why)
  end)
end)


describe("a job", function()
  it("gives one value where there is no failure to tell", function()
    assert.equal(1, select("#", job:status()))
    assert.equal(1, select("#", batchapi.help("create_batch")))
  end)

  it("has what it promises, and nothing else", function()
    for name in ("submit wait poll status results unclaimed retry write_failed cancel close"):gmatch("%S+") do
      assert.is_function(job[name])
    end
    assert.matches("^job_", job.id)
    assert.is_nil(next(job))
    assert.are.equal("batchapi.job", getmetatable(job))
  end)

  it("gives its next result when it is called", function()
    local own = assert(openai:run(jobs.chats(2), jobs.quick()))
    local first, second = assert(own()), assert(own())
    assert.is_true(first.ok and second.ok)
    assert.are_not.equal(first.index, second.index)
    assert.is_nil(own())
    own:close()
  end)

  it("goes when nobody holds it", function()
    local weak = setmetatable({}, { __mode = "v" })
    weak[1] = assert(openai:run(jobs.chats(1), jobs.quick{ on_update = function() return weak[1] end }))
    assert(weak[1]:wait())
    weak[1]:close()
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
  end)
end)


describe("OpenAI's plain calls", function()
  it("answer at once", function()
    local messages = { { role = "user", content = "hi" } }
    local answer = assert(openai:create_chat_completion{ model = "m", messages = messages })
    assert.are.equal("echo: hi", answer.choices[1].message.content)
    assert.are.equal("echo: hi", assert(openai:create_response{ model = "m", input = "hi" }).output[1].content[1].text)
    assert.is_number(assert(openai:create_embedding{ model = "m", input = "hi" }).data[1].embedding[1])
    local models = assert(openai:list_models()).data
    assert.is_true(#models > 0)
    local one, _, err = openai:retrieve_model(models[1].id)
    assert.truthy(one and one.id == models[1].id or err.status == 404)
  end)

  it("do not stream", function()
    for _, name in ipairs{ "create_chat_completion", "create_response" } do
      local answer, why, err = openai[name](openai, { model = "m", input = "hi", stream = true,
        messages = { { role = "user", content = "hi" } } })
      assert.is_nil(answer)
      assert.are.equal("invalid", err.kind)
      assert.is_false(err.sent)
      assert.truthy(why:find("client:lines", 1, true), why)
    end
    assert(openai:create_response{ model = "m", input = "hi", stream = false })
  end)
end)
