-- Whether a coroutine can yield is told rightly on every Lua, wherever it is asked.

local core = require("batchapi.core")

local old = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil -- cannot yield across pcall


-- What is told in a coroutine, within what `wrap` does with a function.
local function told_within(wrap)
  local told
  coroutine.wrap(function()
    wrap(function()
      told = core.can_yield()
    end)
  end)()
  return told
end


local function plain(f)
  f()
end


local function in_gsub(f)
  return (("x"):gsub("x", function()
    f()
  end))
end


local function in_sort(f)
  table.sort({ 2, 1 }, function(a, b)
    f()
    return a < b
  end)
end


local function in_metamethod(f)
  return setmetatable({}, {
    __index = function()
      f()
      return 1
    end,
  }).field
end


local function in_iterator(f)
  for _ in function(_, done)
    f()
    return not done or nil
  end do
    plain(function() end)
  end
end


describe("can_yield", function()
  it("is false in the main coroutine", function()
    assert.is_false(core.can_yield())
  end)

  it("is true in a coroutine, also one that was made within a C call", function()
    assert.is_true(told_within(plain))
    in_gsub(function()
      assert.is_true(told_within(plain))
    end)
    assert.is_true(told_within(function(f)
      in_gsub(function()
        coroutine.wrap(f)()
      end)
    end))
  end)

  it("is false within a function that C calls", function()
    assert.is_false(told_within(in_gsub))
    assert.is_false(told_within(in_sort))
    assert.is_false(told_within(function(f)
      package.preload["batchapi.spec_of_yield"] = f
      require("batchapi.spec_of_yield")
      package.loaded["batchapi.spec_of_yield"] = nil
    end))
  end)

  it("is true in pcall, metamethods and iterators, but on Lua 5.1", function()
    assert.equal(not old, told_within(pcall))
    assert.equal(not old, told_within(in_metamethod))
    assert.equal(not old, told_within(in_iterator))
  end)

  it("is true again when such a call is over, and after one that failed", function()
    local before, after
    coroutine.wrap(function()
      pcall(in_gsub, function()
        before = core.can_yield()
        error("ended")
      end)
      after = core.can_yield()
    end)()
    assert.is_false(before)
    assert.is_true(after)
  end)

  it("agrees with what a yield does", function()
    for _, wrap in ipairs{ plain, in_gsub, in_sort, in_metamethod, in_iterator } do
      local told
      local co = coroutine.create(function()
        wrap(function()
          if told == nil then
            told = core.can_yield()
            coroutine.yield("yielded")
          end
        end)
      end)
      local _, what = coroutine.resume(co)
      assert.equal(told, what == "yielded")
    end
  end)
end)
