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
end)
