-- One bit of a job's directory is flipped, and the job is taken up again: no result is wrong, lost or
-- doubled, nothing is carried out twice, and no error of Lua's comes.
--
-- `make test` tries a sample; with FLIPS=1, as in `make test-all`, every bit is tried, and one in so many is
-- salvaged.

local flips = require("simulate.flips")

local every = tonumber(os.getenv("FLIPS") or (os.getenv("BATCHAPI_SLOW") and 4001 or 499))


describe("a flipped bit in the directory of", function()
  for _, shape in ipairs{ "file", "inline", "envelope", "single", "batch" } do
    for _, stage in ipairs{ 0.3, 0.6, 0.9, false } do
      it(("a job of the shape %s that %s does no harm"):format(shape,
        stage and ("was killed at %d %%"):format(stage * 100) or "has ended"), function()
        local found = flips.run(shape, stage or nil, every, every == 1 and 29 or 1)
        assert.are.same({}, found.wrong)
        assert.is_true(found.flips > 0)
      end)
    end
  end

  -- What a run of every bit found.
  for _, case in ipairs{
    { "an inline part, between its head and its first request", "inline", 0.3, "part-00001.json", 109 },
    { "the journal, between the requests' number and a call that writes", "envelope", 0.6, "journal.jsonl", 4858 },
    { "a result, while a call that writes is open", "single", 0.6, "results.jsonl.part", 22 },
  } do
    it(case[1] .. ", does no harm", function()
      assert.are.same({}, flips.one(case[2], case[3], case[4], case[5], function() end))
    end)
  end
end)
