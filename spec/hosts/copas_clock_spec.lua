-- runs on: luajit
-- copas waits for the clock by descriptors of ours, and select() takes none beyond 1023: none outlives its wait.

local copas = require("copas")
local core = require("batchapi.core")
local loop = require("batchapi.host")


local function open_descriptors()
  local pipe = assert(io.popen(("ls /proc/%d/fd | wc -l"):format(core.pid())))
  local count = pipe:read("*n")
  pipe:close()
  return count
end


local function in_copas(f)
  local over = false
  copas.addthread(function()
    f()
    over = true
  end)
  local deadline = core.now() + 20
  while not over do
    assert(core.now() < deadline, "it does not end")
    copas.step()
  end
end


describe("copas", function()
  local before

  before_each(function()
    collectgarbage()
    before = open_descriptors()
    collectgarbage("stop") -- nothing is closed by it
  end)

  after_each(function()
    collectgarbage("restart")
  end)

  it("keeps no descriptor of a sleep that is over", function()
    in_copas(function()
      for _ = 1, 200 do
        loop.sleep(0.0005)
      end
    end)
    assert.is_true(open_descriptors() - before <= 3)
  end)

  it("has one for a waiter that is woken before its time, again and again, and wakes it in time", function()
    local late
    in_copas(function()
      local waiter = loop.host():waiter()
      for _ = 1, 200 do
        copas.addthread(function()
          loop.sleep(0.0005)
          waiter:wake()
        end)
        loop.hold(waiter, 5)
      end
      local began = core.now()
      loop.hold(waiter, 0.02)
      late = core.now() - began
    end)
    assert.is_true(open_descriptors() - before <= 4)
    assert.is_true(late >= 0.015 and late < 3, late)
  end)

  it("ends the alarm of a long wait that is over", function()
    in_copas(function()
      for _ = 1, 20 do
        local waiter = loop.host():waiter()
        copas.addthread(function()
          loop.sleep(0.0005)
          waiter:wake()
        end)
        loop.hold(waiter, 3600)
      end
      local deadline = core.now() + 10
      while open_descriptors() - before > 4 and core.now() < deadline do
        loop.sleep(0.05)
      end
    end)
    assert.is_true(open_descriptors() - before <= 4)
  end)
end)
