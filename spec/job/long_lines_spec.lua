--- Lines of answers that are longer than the client's max_line_bytes.

local batchapi = require("batchapi")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all, quick = jobs.all, jobs.quick


describe("a line of answers over the cap", function()
  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
  end)

  after_each(jobs.clear)

  local function requests()
    return { jobs.chat("one"), jobs.chat(("x"):rep(6000)), jobs.chat("three"), jobs.chat(("y"):rep(3000)) }
  end

  for _, ordered in ipairs{ true, false } do
    it(("ends its request alone, which a larger cap then gives; ordered = %s"):format(tostring(ordered)), function()
      local dir = jobs.dir()
      local narrow = assert(batchapi.openai{ max_line_bytes = 4000 })
      local job = assert(narrow:run(requests(), quick{ dir = dir, ordered = ordered, cleanup = true }))
      local list, results = all(job)
      assert.are.equal(4, #list)
      assert.is_true(results[1].ok and results[3].ok and results[4].ok)
      assert.are.equal("uncollected", results[2].error.code)
      for _, words in ipairs{ "part%-00001%.answer%-1%.jsonl", "line %d", "%d%d%d%d bytes", "max_line_bytes", "resume" } do
        assert.matches(words, results[2].error.message)
      end
      assert.are.equal(0, sandbox.count("requests", "openai.delete_file"))
      job = assert(batchapi.resume(dir, { client = narrow }))
      assert.are.equal("uncollected", select(2, all(job))[2].error.code)
      local wide = assert(batchapi.openai{})
      job = assert(batchapi.resume(dir, { client = wide }))
      list, results = all(job)
      assert.are.equal(4, #list)
      assert.are.equal("echo: " .. ("x"):rep(6000), jobs.content(results[2]))
      assert.are.equal(1, sandbox.count("batches", "all"))
      narrow:close()
      wide:close()
    end)
  end

  it("is not one that is longer in our own files only", function()
    local narrow = assert(batchapi.openai{})
    local job = assert(narrow:run({ jobs.chat(("y"):rep(3000)) }, quick{ dir = jobs.dir() }))
    local length = #all(assert(job)) == 1 and #job:results{ raw = true }:next().raw
    narrow:close()
    narrow = assert(batchapi.openai{ max_line_bytes = length + 10 })
    for _, ordered in ipairs{ true, false } do
      local list = all(assert(narrow:run({ jobs.chat(("y"):rep(3000)) }, quick{ ordered = ordered, dir = jobs.dir() })))
      assert.is_true(list[1].ok, list[1].error and list[1].error.message)
    end
    narrow:close()
  end)
end)
