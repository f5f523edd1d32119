local doubts = require("batchapi.watch.doubt")

-- A doubt of a minute on a clock of its own. `say` hears the same answer so many seconds later, which was
-- asked for `before` seconds before.
local function start(times)
  local now = 1000
  local self = doubts.new({ now = function() return now end }, 60, times)
  return function(seconds, before)
    now = now + seconds
    return self:heard(now - (before or 0))
  end, self
end

describe("the doubt in an answer that may not be right yet", function()
  it("ends when it was said often enough, over the time, and more than once after it", function()
    local say = start()
    assert.is_false(say(0))
    assert.is_false(say(30))
    assert.is_false(say(29))
    assert.is_false(say(1)) -- as early as it can: may be the last of those that came late
    assert.is_true(say(1))
  end)

  it("does not end by one answer that came long after two others", function()
    local say = start()
    assert.is_false(say(0))
    assert.is_false(say(1))
    assert.is_false(say(600))
    assert.is_true(say(1))
  end)

  it("counts from when it was asked, not from when a stopped process came to read the answer", function()
    local say = start()
    for _ = 1, 20 do
      assert.is_false(say(3600, 3599))
    end
    assert.is_false(say(41))
    assert.is_true(say(1))
  end)

  it("is not used up by an outage", function()
    local say, self = start()
    say(0)
    say(50)
    for _ = 1, 10 do
      self:interrupted()
      assert.is_false(say(3600))
      assert.is_false(say(0.5))
    end
    assert.is_false(say(10))
    assert.is_true(say(1))
  end)

  it("begins anew when it was said otherwise", function()
    local say, self = start()
    say(0)
    say(100)
    self:reset()
    assert.is_false(say(1))
    assert.is_false(say(59))
    assert.is_false(say(1))
    assert.is_true(say(0))
  end)

  it("of what need be said only once ends with the time", function()
    local say = start(1)
    assert.is_false(say(0))
    assert.is_false(say(59))
    assert.is_true(say(1))
  end)
end)
