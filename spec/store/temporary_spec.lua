-- A job without `dir` keeps its requests in a directory that is nobody else's, and that goes.

local core = require("batchapi.core")
local files = require("batchapi.host.files")
local jobs = require("support.job")
local own_files = require("batchapi.job.store.own_files")
local program = require("support.program")
local sandbox = require("support.sandbox")

local SCRIPT = [[
local batchapi = require("batchapi")
local openai = assert(batchapi.openai{})
local job = assert(openai:run({ { body = { model = "m", messages = { { role = "user", content = "x" } } } } },
  { endpoint = "/v1/chat/completions", interval = 0.05 }))
io.write(io.popen("stat -c %a " .. os.getenv("TMPDIR") .. "/batchapi-* | sort -u"):read("*l"), "\n")
io.stdout:flush()
os.exit(0) -- and nothing is finalised
]]
local KILLED = SCRIPT:gsub("os%.exit%b()", function()
  return 'os.execute("kill -TERM " .. require("batchapi.core").pid())'
end)


describe("a job without a directory", function()
  local base

  before_each(function()
    sandbox.reset()
    base = jobs.dir()
    assert(core.fs.mkdir(base))
  end)

  after_each(function()
    jobs.clear()
  end)

  local function left()
    local count = 0
    for _, name in ipairs(assert(core.fs.list(base))) do
      count = count + (name:find("^batchapi%-%x+$") and 1 or 0)
    end
    return count
  end

  it("is its owner's alone, and goes when the process exits, though nothing is finalised", function()
    assert.are.equal("700\n", program.said(SCRIPT, "env TMPDIR=" .. base))
    assert.are.equal(0, left())
  end)

  it("that a signal left goes with the next process that comes", function()
    assert.match("^700\n", program.said(KILLED, "env TMPDIR=" .. base))
    assert.are.equal(1, left())
    assert(os.execute(("touch -d '2 hours ago' %s/batchapi-*"):format(base)))
    assert.match("^700\n", program.said(KILLED, "env TMPDIR=" .. base))
    assert.are.equal(1, left()) -- the second one's own
  end)

  it("is not swept while somebody has it, nor one that is just being made", function()
    program.said(KILLED, "env TMPDIR=" .. base) -- young
    local dir = base .. "/batchapi-0123456789abcdef"
    local held = assert(files.direct:directory(dir, { create = true }))
    local lock = assert(held:lock("lock"))
    assert(os.execute(("touch -d '2 hours ago' %s"):format(dir)))
    program.said(KILLED, "env TMPDIR=" .. base)
    assert.are.equal(3, left())
    lock:release()
  end)

  it("knows its own files by their names, and no others", function()
    for _, name in ipairs{ "journal.jsonl", "journal.jsonl.new", "results.jsonl", "results.jsonl.part",
      "results.jsonl.ordered",
      "results.jsonl.part.new", "requests.jsonl.new",
      "part-00001.jsonl", "part-00001.json.new", "part-00003.answer-2.jsonl",
      "part-00003.answer-1.jsonl.part", "part-100000.unclaimed.jsonl", "unclaimed.jsonl", "journal-1.jsonl",
      "journal-damaged-1.jsonl", "results-damaged-2.jsonl" } do
      assert.is_true(own_files.is_own(name), name)
    end
    for _, name in ipairs{ "results.csv", "part-1.jsonl", "my-journal.jsonl", "results-2024.jsonl", "requests.jsonl.bak",
      "part-00001.jsonl.gz", "lock", "" } do
      assert.is_false(own_files.is_own(name), name)
    end
  end)
end)
