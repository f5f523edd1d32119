-- What a job keeps in Lua's memory does not grow with its requests.

local world = require("simulate.world")


describe("a job of the shape", function()
  -- The most fields that a job of so many requests had at a time.
  local function kept(shape, count)
    local run = world.run(11, {}, { shape = shape, count = count, per_batch = 10000, attempts = 2, concurrency = 2,
      interval = 5, settle = 2, slowest = 30, page_size = 100, ordered = true, cleanup = false, raw = false, yields = false,
      durable = true })
    assert.are.same({}, run.violations)
    assert.are.equal(1, run.processes)
    return run.world.kept_fields
  end

  for shape, count in pairs{ file = 100, inline = 100, envelope = 100, graph = 100, single = 25, batch = 25 } do
    it(shape .. " keeps as much for four times as many requests", function()
      local few, many = kept(shape, count), kept(shape, 4 * count)
      assert.is_true(many <= few + 10, ("%d fields for %d, %d for %d"):format(few, count, many, 4 * count))
    end)
  end
end)
