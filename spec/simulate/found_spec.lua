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
  { "an outage is waited out, and not handed out as the answer to reads", 7303,
    { { "net.outage", 1, 3923 }, { "process.killed", 3, 2 } },
    { shape = "graph", durable = true, count = 2, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "rubbish before an answer that can be mended is not a page", 17757,
    { { "line.garbage", 3, true }, { "line.odd", 4, 1 } },
    { shape = "file", durable = true, count = 4, per_batch = 2, attempts = 1, concurrency = 1, interval = 5,
      settle = 60, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "a batch is not gone because the process was stopped while it asked for it", 19731,
    { { "batch.late", 1, 23.27 }, { "process.paused", 102, 2355 }, { "process.leaves", 1, true } },
    { shape = "batch", durable = true, count = 4, per_batch = 100, attempts = 1, concurrency = 20, interval = 0.5,
      settle = 60, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = true, yields = false,
      timeout = 15223 } },
  { "a result is not gone because it was not found before and after an outage", 5335,
    { { "batch.hidden", 1, true }, { "result.late", 1, 4.56 }, { "batch.hidden", 6, true }, { "batch.hidden", 8, true },
      { "net.lost_answer", 12, true }, { "batch.late", 3, 19.73 }, { "net.outage", 28, 333 }, { "batch.hidden", 10, true } },
    { shape = "batch", durable = true, count = 9, per_batch = 100, attempts = 1, concurrency = 1, interval = 0.5,
      settle = 60, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "a journal whose first line was not yet on the disk holds no job, and no damage", 10807, { { "process.killed", 1, -6 } },
    { shape = "single", durable = true, count = 1, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 2, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "requests that have their results are not read again", 706, { { "disk.flip", 2, 0.71329183864163 } },
    { shape = "batch", durable = true, count = 1, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "what an empty page by its number has passed over is not absent", 288,
    { { "create.unanswered", 1, true }, { "list.empty_page", 1, 11.444 }, { "list.empty_page", 26, 10.758 },
      { "list.empty_page", 48, 0.363 }, { "list.empty_page", 51, 7.884 } },
    { shape = "mistral", durable = true, count = 3, per_batch = 2, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
  { "a request that is sent again is not repeated by the part whose answers are asked for again", 12818,
    { { "line.failed", 3, 2 }, { "batch.expires", 2, 1 }, { "line.garbage", 4, true }, { "job.retried", 1, true } },
    { shape = "file", durable = true, count = 6, per_batch = 3, attempts = 1, concurrency = 1, interval = 5,
      settle = 60, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = true, yields = false } },
  { "what is sent again has its new answer, also in the next process", 533,
    { { "net.refused", 1, true }, { "net.unsent", 1, true }, { "file.pending", 1, 2.35 }, { "line.dropped", 1, true },
      { "http.page", 18, true }, { "net.truncated", 3, true }, { "net.lost_answer", 14, true }, { "job.retried", 1, true },
      { "net.truncated", 6, true } },
    { shape = "azure", durable = true, count = 1, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = true, yields = false } },
  { "one 500 behind answers that ask to come again is not the answer to reads", 17134,
    { { "http.passing", 1, 423 }, { "http.unavailable", 2, 500 }, { "http.rate_limit", 2, 0 }, { "http.passing", 2, 409 },
      { "http.passing", 3, 408 }, { "http.unavailable", 6, 500 } },
    { shape = "graph", durable = true, count = 1, per_batch = 100, attempts = 1, concurrency = 1, interval = 5,
      settle = 10, slowest = 30, page_size = 100, ordered = false, cleanup = false, raw = false, yields = false } },
}


describe("what the simulator found:", function()
  for _, case in ipairs(found) do
    local what, seed, script, fixed = unpack(case, 1, 4)
    it(what, function()
      assert.are.same({}, world.run(seed, script, fixed).violations)
    end)
  end
end)
