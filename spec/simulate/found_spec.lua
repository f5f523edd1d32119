-- What the simulator found: each schedule that broke a promise once, made short.

local world = require("simulate.world")

local unpack = rawget(table, "unpack") or unpack

--- { what was wrong, the seed, what happens in it, the parts of its plan that are not drawn }
local found = {
  { "a job that another process takes up knows the endpoint that its first request told", 98,
    { { "process.killed", 1, 30 } },
    { shape = "file", durable = true, count = 3, per_batch = 1, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "the reads of a call that nobody knows the outcome of are not forgotten when they fail in turn", 276,
    { { "net.outage", 1, 3753 } },
    { shape = "graph", durable = true, count = 2, per_batch = 100, attempts = 1, concurrency = 1, yields = false } },
  { "the reads of a call whose process died are read again", 116, { { "process.killed", 1, 1 } },
    { shape = "envelope", durable = true, count = 2, per_batch = 100, attempts = 1, concurrency = 1, yields = false } },
  { "a file of results that was synced is still there after a power cut", 466, { { "process.killed", 1, 253 } },
    { shape = "batch", durable = true, count = 2, per_batch = 100, attempts = 1, concurrency = 1, interval = 0.5,
      settle = 10, slowest = 7200, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "a part whose create was lost is not taken for a damaged one", 25,
    { { "file.late", 1, 11.8 }, { "create.late", 2, 32.4 }, { "list.empty_page", 5, 20 } },
    { shape = "file", durable = true, count = 1, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = true, yields = false } },
}


describe("what the simulator found:", function()
  for _, case in ipairs(found) do
    local what, seed, script, fixed = unpack(case, 1, 4)
    it(what, function()
      assert.are.same({}, world.run(seed, script, fixed).violations)
    end)
  end
end)
