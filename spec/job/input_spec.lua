--- What is wrong with the requests is said of each, before anything is spent; what is right goes out as
--- it was written.

local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all, quick = jobs.all, jobs.quick


describe("requests in a file", function()
  local openai, path

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 20 }
    openai = assert(batchapi.openai{ max_retries = 1 })
    path = os.tmpname()
  end)

  after_each(function()
    openai:close()
    jobs.clear()
    os.remove(path)
  end)

  local function body(text, more)
    return ('{"model":"gpt-4o-mini","messages":[{"role":"user","content":"%s"}]%s}'):format(text, more or "")
  end

  -- The lines of the first part of a job over a file with this text, and its results.
  local function run(text, more)
    local dir = jobs.dir()
    jobs.write(path, text)
    local options = quick(more)
    options.dir = dir
    local job = assert(openai:run(path, options))
    local list = all(job)
    local lines = {}
    for line in io.lines(dir .. "/part-00001.jsonl") do
      lines[#lines + 1] = line
    end
    return lines, list
  end

  local function refused(text, wanted, more)
    jobs.write(path, text)
    local job, why, err = openai:run(path, quick(more))
    assert.is_nil(job)
    assert.are.equal("invalid", err.kind)
    assert.is_truthy(why:find(wanted, 1, true), why)
    assert.are.equal(0, sandbox.count("batches", "all"))
    return err
  end

  it("may begin with a byte order mark", function()
    local one = '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":' .. body("x") .. "}"
    local lines, list = run("\239\187\191" .. one .. "\r\n{\"body\":" .. body("y") .. "}\r\n")
    assert.are.equal(one, (lines[1]:gsub("%s+$", "")))
    assert.is_true(list[1].ok and list[2].ok)
    run("\239\187\191\n" .. one .. "\n")
    sandbox.reset()
    refused("\239\187\191{\"body\":}\n", "line 1: not valid JSON")
  end)

  it("keep the order of their keys, also with a body alone", function()
    local inner = '{"zeta":1,"messages":[{"role":"user","content":"q"}],"model":"gpt-4o-mini",'
      .. '"response_format":{"steps":{"b":1,"a":2},"final_answer":[]}, "n" : 1.50}'
    local lines, list = run('{"body":' .. inner .. '}\n  { "body" : ' .. inner .. ' , "custom_id" : "own" }\n')
    local added = '"method":"POST","url":"/v1/chat/completions",'
    assert.are.equal('{"custom_id":"request-1",' .. added .. '"body":' .. inner .. "}", lines[1])
    assert.are.equal("{" .. added .. '"body" : ' .. inner .. ' , "custom_id" : "own" }', lines[2])
    assert.is_true(list[1].ok and list[2].ok)
    assert.are.equal("own", list[2].custom_id)
  end)

  describe("that are complete have their types checked", function()
    local function line(words)
      local fields = { custom_id = '"a"', method = '"POST"', url = '"/v1/chat/completions"', body = body("x") }
      for name, value in pairs(words) do
        fields[name] = value
      end
      return ('{"custom_id":%s,"method":%s,"url":%s,"body":%s,"extra":1}\n'):format(fields.custom_id, fields.method,
        fields.url, fields.body)
    end

    it("and are sent with what the service may know besides", function()
      local lines = run(line{})
      assert.are.equal(line{}, lines[1] .. "\n")
    end)

    for _, case in ipairs{
      { { custom_id = "7" }, "line 2: 'custom_id' must be a string, got a number" },
      { { custom_id = '""' }, "line 2: 'custom_id' must be a string that is not empty" },
      { { method = "true" }, "line 2: 'method' must be a string, got a boolean" },
      { { method = '"GET"' }, [[line 2: 'method' is "GET", but this job is for "POST"]] },
      { { url = "{}" }, "line 2: 'url' must be a string, got a table" },
      { { url = '"/v1/embeddings"' }, [[line 2: 'url' is "/v1/embeddings", but this job is for "/v1/chat/completions"]] },
      { { body = "[1]" }, "line 2: 'body' must be an object, got an array" },
      { { body = '"text"' }, "line 2: 'body' must be an object, got a string" },
      { { body = '{"model":"other"}' }, [[line 2: 'body.model' is "other", but the first request has "gpt-4o-mini"]] },
    } do
      it(case[2], function()
        assert.are.equal(2, refused(line{ custom_id = '"first"' } .. line(case[1]), case[2]).line)
      end)
    end

    it("each with its own reason", function()
      jobs.write(path, line{ custom_id = '"b"' } .. line{ method = "1" } .. "{\n" .. line{ body = "[]" }
        .. ("x"):rep(3000) .. "\n" .. line{ custom_id = '"c"' } .. line{ custom_id = "1" })
      local options = quick{ dry_run = true }
      local client = assert(openai:with{ max_line_bytes = 1000 })
      local report = assert(client:run(path, options))
      local faults = {}
      for _, fault in ipairs(report.faults) do
        faults[fault.line] = fault.message
      end
      assert.are.equal(5, report.fault_count)
      assert.matches("'method' must be a string, got a number", faults[2])
      assert.matches("not valid JSON", faults[3])
      assert.matches("'body' must be an object, got an array", faults[4])
      assert.matches("line 5 has 3000 bytes; max_line_bytes allows 1000", faults[5])
      assert.matches("'custom_id' must be a string, got a number", faults[7])
      assert.are.equal(2, report.requests)
    end)
  end)

  it("with a line over the cap name file, line, length and option", function()
    jobs.write(path, '{"body":' .. body("x") .. '}\n{"body":' .. body(("y"):rep(2000)) .. "}\n")
    local client = assert(openai:with{ max_line_bytes = 1000 })
    local job, why, err = client:run(path, quick())
    assert.is_nil(job)
    assert.are.equal(2, err.line)
    assert.is_truthy(why:find(path .. ", line 2 has ", 1, true), why)
    assert.matches("line 2 has 20%d%d bytes; max_line_bytes allows 1000", why)
    assert.are.equal(0, sandbox.count("batches", "all"))
  end)

  it("that a service refuses as a whole: each says whose reason it is", function()
    sandbox.faults{ { match = { operation = "openai.retrieve_batch" }, fault = { type = "body", body =
      [[{"id":"b","status":"failed","errors":{"data":[{"code":"invalid_json_line","message":"No JSON.","line":2}]},
      "request_counts":{"total":0,"completed":0,"failed":0}}]] } } }
    local list = all(assert(openai:run(jobs.chats(3), quick())))
    local codes, messages = {}, {}
    for _, result in ipairs(list) do
      codes[result.index], messages[result.index] = result.error.code, result.error.message
    end
    assert.are.same({ "failed", "invalid_json_line", "failed" }, codes)
    assert.are.equal("No JSON.", messages[2])
    assert.are.equal("the service refused the whole batch for line 2 of its file: No JSON.", messages[3])
  end)

  it("of a create that is refused are taken back from the service with cleanup", function()
    sandbox.faults{ { match = { operation = "openai.create_batch" }, fault = { type = "status", status = 400 } } }
    local job, why = openai:run(jobs.chats(3), quick{ cleanup = true })
    assert.is_nil(job)
    assert.is_string(why)
    assert.are.equal(0, #assert(openai:list_files()).data)
  end)

end)
