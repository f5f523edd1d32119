-- The results of a job on disk, when something goes wrong midway.

local core = require("batchapi.core")
local files = require("batchapi.host.files")
local in_order = require("batchapi.job.store.order")
local journal_of = require("batchapi.job.store.journal")
local jobs = require("support.job")
local loop = require("batchapi.host")
local outcomes = require("batchapi.job.answer.outcome")
local store = require("batchapi.job.store.results")

local unpack = rawget(table, "unpack") or unpack


describe("the store", function()
  local dir, pause

  -- As in an event loop: the work is done while the caller waits.
  local here -- the files of the directory
  local waiting = setmetatable({}, { __index = function(_, name) return here[name] end })
  for _, name in ipairs{ "rename", "unlink", "flush", "close", "record" } do
    waiting[name] = function(_, ...)
      local result = { here[name](here, ...) }
      if name == pause then
        coroutine.yield()
      end
      return unpack(result, 1, 3)
    end
  end

  local function new(indexes)
    local ledger = core.ledger(1)
    for _ = 1, math.max(3, #indexes) do
      ledger:add(nil)
    end
    local one = store.new({ files = waiting, clock = { sleep = loop.sleep }, ledger = ledger,
      durable = true, run = {}, id = "job_1", outcome = outcomes.new{} }, dir)
    for _, index in ipairs(indexes) do
      assert(one:append{ index = index, ok = true })
    end
    return one
  end

  local function breathe() end

  local function lines()
    local list = {}
    for line in io.lines(dir .. "/results.jsonl") do
      list[#list + 1] = core.decode(line).index
    end
    return list
  end

  before_each(function()
    dir, pause = jobs.dir(), nil
    here = assert(files.direct:directory(dir, { create = true }))
    waiting.disk = here.disk
  end)

  teardown(function()
    jobs.clear()
  end)

  for _, ordered in ipairs{ true, false } do
    for _, where in ipairs{ "rename", "unlink" } do
      it(("finishes again when it was stopped in %s%s"):format(where, ordered and ", in order" or ""), function()
        local one = new{ 2, 3, 1 }
        pause = where
        assert(coroutine.resume(coroutine.create(function() one:finish(ordered, breathe) end)))
        pause = nil
        assert(one:finish(ordered, breathe))
        assert.is_true(one.finished)
        assert.same(ordered and { 1, 2, 3 } or { 2, 3, 1 }, lines())
        assert.is_nil((core.fs.stat(dir .. "/results.jsonl.part")))
      end)
    end
  end

  it("finishes again when the rename could not be made", function()
    local one = new{ 2, 3, 1 }
    assert(core.fs.mkdir(dir .. "/results.jsonl")) -- in its way
    assert(core.fs.replace(dir .. "/results.jsonl/x", ""))
    pause = "rename"
    assert(coroutine.resume(coroutine.create(function() one:finish(true, breathe) end)))
    pause = nil
    assert(core.fs.unlink(dir .. "/results.jsonl/x"))
    assert(core.fs.rmdir(dir .. "/results.jsonl"))
    assert(one:finish(true, breathe))
    assert.same({ 1, 2, 3 }, lines())
  end)

  it("gives in order what was written when it is closed", function()
    local one = new{ 2, 1 }
    local results = in_order.new(one)
    assert.equal(1, results:take("proven").index)
    one:append{ index = 3, ok = true }
    one:close()
    assert.equal(2, results:take("proven").index)
    assert.equal(3, results:take("proven").index)
    assert.is_nil((results:take("proven")))
    results:close()
  end)

  it("gives each line once also when its file is put in order meanwhile, where numbers have other lengths", function()
    local indexes = {}
    for i = 1, 120 do
      indexes[i] = 121 - i
    end
    local one = new(indexes)
    local results = in_order.new(one)
    for i = 1, 7 do
      assert.equal(i, results:take("proven").index)
    end
    assert(one:finish(true, breathe))
    for i = 8, 120 do
      assert.equal(i, results:take("proven").index)
    end
    assert.is_nil((results:take("proven")))
    results:close()
  end)

  for _, where in ipairs{ "flush", "close" } do
    it("is closed by two at once, the first of them in its " .. where, function()
      local one = new{ 2, 3, 1 }
      pause = where
      local first = coroutine.create(function() one:close() end)
      assert(coroutine.resume(first))
      pause = nil
      one:close()
      while coroutine.status(first) == "suspended" do
        assert(coroutine.resume(first))
      end
      assert.is_true(one:flush())
      assert.equal(one.visible, here:stat(one.path).size)
    end)
  end

  it("shows what is appended while it is being closed", function()
    local one = new{ 2 }
    pause = "flush"
    local closing = coroutine.create(function() one:close() end)
    assert(coroutine.resume(closing))
    pause = nil
    assert(one:append{ index = 1, ok = true })
    assert(coroutine.resume(closing))
    assert.equal("dead", coroutine.status(closing))
    assert.equal(one.visible, here:stat(one.path).size)
  end)

  it("may be closed while something is being appended", function()
    local one, appended = new{ 2 }, nil
    pause = "record"
    local appending = coroutine.create(function() appended = one:append{ index = 1, ok = true } end)
    assert(coroutine.resume(appending))
    pause = nil
    one:close()
    assert(coroutine.resume(appending))
    assert.is_true(appended)
    assert.equal(one.visible, here:stat(one.path).size)
  end)

  it("has a journal that takes nothing once it is closed, nor while it is being closed", function()
    local journal = assert(journal_of.open(waiting, "journal.jsonl", function() return true end))
    assert(journal:append{ type = "a" })
    pause = "record"
    local ok, why, err
    local appending = coroutine.create(function() ok, why, err = journal:append{ type = "b" } end)
    assert(coroutine.resume(appending))
    pause = nil
    journal:close()
    assert(coroutine.resume(appending))
    for _ = 1, 2 do
      assert.is_nil(ok)
      assert.equal("the job was closed", why)
      assert.equal("closed", err.kind)
      ok, why, err = journal:append{ type = "c" }
    end
    assert.not_match('"c"', here:read("journal.jsonl"), 1, true)
  end)

  it("gives each line once, also behind one that is damaged or blank", function()
    for _, damage in ipairs{ "X", " " } do
      local one = new{ 1, 2, 3 }
      assert(one:flush())
      local first, second, third = here:read(one.path):match("^(.-\n)(.-)(\n.*)$")
      assert(here:replace(one.path, first .. damage:rep(#second) .. third))
      local results, seen = in_order.new(one), {}
      for _ = 1, 4 do
        local result = results:take("proven")
        seen[#seen + 1] = result and result.index
      end
      assert.same({ 1, 3 }, seen)
      if damage == " " then -- a line that is none cannot be put in order
        local ok, why, err = one:finish(true, breathe)
        assert.is_nil(ok)
        assert.match("results.jsonl", why, 1, true)
        assert.equal("results_damaged", err.code)
      end
      results:close()
      one:close()
      assert(here:unlink(one.path))
    end
  end)
end)
