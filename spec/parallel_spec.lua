-- batchapi.parallel and batchapi.map in a script.

local core = require("batchapi.core")
local loopback = require("support.loopback")
local perform = require("support.perform")
local loop = require("batchapi.host")
local parallel = require("batchapi.host.parallel")

local server, client, context


local function get(path)
  local call, outcome = perform(context, { method = "GET", url = "http://loopback" .. path })
  if not outcome.ok then
    return nil, outcome.message, outcome
  end
  return call:body()
end


local function elapsed(f)
  local began = core.now()
  f()
  return core.now() - began
end


setup(function()
  server = loopback.start()
end)

teardown(function()
  assert.equal("", server:stop())
end)

before_each(function()
  client = assert(core.client{ unix_socket = server.socket })
  context = { core = client }
end)

after_each(function()
  client:close()
end)


describe("batchapi.parallel", function()
  it("wakes all that wait for one thing", function()
    local mailbox = assert(loop.mailbox())
    local dir = assert(core.fs.tmpfile())
    assert(os.remove(dir))
    assert(core.fs.mkdir(dir))
    assert.equal(0, tonumber(({ io.popen("mkfifo " .. dir .. "/pipe; echo $?"):read("*n") })[1]))
    local work = assert(core.work(mailbox, "read", dir .. "/pipe", 100)) -- waits until somebody writes
    local woken = {}
    local function wait(name)
      return function()
        loop.await(work, loop.host(nil))
        woken[#woken + 1] = name
        return true
      end
    end
    parallel.parallel(wait("a"), wait("b"), wait("c"), function()
      assert(get("/bytes/1")) -- the others wait by now
      local pipe = assert(io.open(dir .. "/pipe", "w"))
      pipe:write("x")
      pipe:close()
      local deadline = core.now() + 10
      while #woken < 3 and core.now() < deadline do
        loop.sleep(0.01)
      end
      return nil, "the end" -- whoever waits still is cancelled
    end)
    table.sort(woken)
    assert.same({ "a", "b", "c" }, woken)
    assert.equal("x", work:result())
    os.execute("rm -r '" .. dir .. "'")
  end)

  it("finds each waiting function, however far apart their calls began", function()
    local function between(count)
      for _ = 1, count do
        assert(get("/bytes/1"))
      end
    end
    local first, second, third, fourth = parallel.parallel(
      function() return get("/delay/1.5") end,
      function()
        between(1022) -- ids go up by one: the next has the first one's place
        return (assert(get("/delay/0.1")))
      end,
      function() return get("/delay/1.4") end,
      function()
        between(10)
        return "done"
      end)
    assert.same({ "1.5", "0.1", "1.4", "done" }, { first, second, third, fourth })
  end)

  it("runs functions at the same time and gives their values in order", function()
    local events = {}
    local function timed(path)
      return function()
        events[#events + 1] = "begins"
        local text = get(path)
        events[#events + 1] = "ends"
        return text
      end
    end
    local a, b, c = parallel.parallel(timed("/delay/0.4"), timed("/delay/0.3"), timed("/delay/0.2"))
    assert.same({ "0.4", "0.3", "0.2" }, { a, b, c })
    assert.same({ "begins", "begins", "begins", "ends", "ends", "ends" }, events)
  end)

  it("gives nothing for nothing", function()
    assert.equal(0, select("#", parallel.parallel()))
  end)

  it("keeps nil and false results in their places", function()
    local a, b, c = parallel.parallel(
      function() end, function() return false end, function() return 3 end)
    assert.is_nil(a)
    assert.is_false(b)
    assert.equal(3, c)
  end)

  it("raises what is not a function", function()
    local ok, why = pcall(parallel.parallel, print, 3)
    assert.is_false(ok)
    assert.match("argument 2 must be a function, not a number", why, 1, true)
  end)

  it("can be nested", function()
    local a, b
    local time = elapsed(function()
      a, b = parallel.parallel(
        function()
          local x, y = parallel.parallel(
            function() return get("/delay/0.3") end,
            function() return get("/delay/0.31") end)
          return x .. " " .. y
        end,
        function() return get("/delay/0.32") end)
    end)
    assert.equal("0.3 0.31", a)
    assert.equal("0.32", b)
    assert.is_true(time < 0.6)
  end)

  it("sleeps beside other work", function()
    local order = {}
    local function note(seconds, name)
      return function()
        loop.sleep(seconds)
        order[#order + 1] = name
      end
    end
    local time = elapsed(function()
      parallel.parallel(note(0.12, "c"), note(0.04, "a"), note(0.08, "b"))
    end)
    assert.same({ "a", "b", "c" }, order)
    assert.is_true(time < 0.24)
  end)

  it("raises an error again and cancels the rest", function()
    local failure = {}
    local resumed = false
    local time = elapsed(function()
      local ok, why = pcall(parallel.parallel,
        function()
          get("/delay/20")
          resumed = true
        end,
        function()
          get("/delay/0.05")
          error(failure)
        end)
      assert.is_false(ok)
      assert.equal(failure, why)
    end)
    assert.is_true(time < 5)
    assert.is_false(resumed)
    assert.is_string(get("/bytes/1"))
    assert.equal(0, client:stats().in_flight)
  end)

  it("cancels what a nested one waits for", function()
    pcall(parallel.parallel,
      function()
        parallel.parallel(function() get("/delay/20") end, function() get("/delay/20") end)
      end,
      function()
        get("/delay/0.05")
        error("stop")
      end)
    get("/bytes/1")
    assert.equal(0, client:stats().in_flight)
  end)

  it("says so when a function yields to something else", function()
    local ok, why = pcall(parallel.parallel, function() coroutine.yield(1) end)
    assert.is_false(ok)
    assert.match("yielded to something else", why, 1, true)
  end)
end)


describe("what was done when one of them fails", function()
  -- Three requests are answered, the fourth fails, the fifth waits, the sixth is not begun.
  local function mixed(fail, options)
    options = options or {}
    options.concurrency = 2
    return parallel.map({ 1, 2, 3, 4, 5, 6 }, function(item)
      if item <= 3 then
        return get("/bytes/" .. item)
      elseif item == 4 then
        get("/delay/0.3")
        return fail()
      end
      return get("/delay/20")
    end, options)
  end

  local function check(outcomes, err)
    assert.equal(5, #outcomes)
    for i = 1, 3 do
      assert.same({ ok = true, value = ("x"):rep(i) }, outcomes[i])
    end
    assert.same({ ok = false, error = err }, outcomes[4])
    assert.is_false(outcomes[5].ok)
    assert.equal("cancelled", outcomes[5].error.kind)
    get("/bytes/1")
    assert.equal(0, client:stats().in_flight)
  end

  it("comes with the failure that is returned", function()
    local _, why, err = mixed(function() return get("/status/429") end)
    assert.is_string(why)
    assert.equal(429, err.status)
    check(err.outcomes, err)
  end)

  it("comes with an error object that is raised, and with a string, which is put into one", function()
    local object = { "mine" }
    local ok, err = pcall(mixed, function() error(object) end)
    assert.is_false(ok)
    assert.equal(object, err)
    check(err.outcomes, err)
    ok, err = pcall(mixed, function() error("a text", 0) end)
    assert.is_false(ok)
    assert.equal("a text", tostring(err))
    assert.equal("a text", err.cause)
    assert.equal("raised", err.kind)
    assert.match("parallel_spec", err.traceback)
    check(err.outcomes, err)
  end)

  it("comes with what the iterator raises or reports, and the others have ended", function()
    local function failing(how)
      local count = 0
      return function()
        count = count + 1
        if count == 3 then
          get("/delay/0.3") -- the first has been answered
          return how()
        end
        return count == 1 and "/bytes/1" or "/delay/20"
      end
    end
    local ok, err = pcall(parallel.map, failing(function() error("the list is broken", 0) end), get)
    assert.is_false(ok)
    assert.equal("the list is broken", tostring(err))
    assert.same({ ok = true, value = "x" }, err.outcomes[1])
    assert.equal("cancelled", err.outcomes[2].error.kind)
    get("/bytes/1")
    assert.equal(0, client:stats().in_flight)
    local results, why, failure = parallel.map(failing(function() return nil, "no more pages", { kind = "http" } end), get)
    assert.is_nil(results)
    assert.equal("no more pages", why)
    assert.equal("http", failure.kind)
    assert.same({ ok = true, value = "x" }, failure.outcomes[1])
  end)

  it("is all that comes with `outcomes`: nothing is cancelled", function()
    local outcomes = parallel.map({ 200, 404, 0, 201 }, function(status)
      if status == 0 then
        error("raised", 0)
      elseif status == 404 then
        return get("/status/404")
      end
      return get("/bytes/" .. status)
    end, { outcomes = true, concurrency = 2 })
    assert.equal(4, #outcomes)
    assert.same({ ok = true, value = ("x"):rep(200) }, outcomes[1])
    assert.equal(404, outcomes[2].error.status)
    assert.equal("raised", outcomes[3].error.cause)
    assert.is_true(outcomes[4].ok)

    local first, second, third = parallel.parallel({ outcomes = true },
      function() return get("/status/404") end,
      function() return get("/delay/0.1") end,
      function() end)
    assert.equal(404, first.error.status)
    assert.same({ ok = true, value = "0.1" }, second)
    assert.same({ ok = true }, third)
  end)
end)


describe("batchapi.cancel", function()
  it("ends what a coroutine waits for: a call, a sleep, a whole map", function()
    local waiting, kinds = {}, {}
    local function one(f)
      return function()
        waiting[#waiting + 1] = coroutine.running()
        local _, why, err = f()
        kinds[#kinds + 1] = err and err.kind or why
        return true
      end
    end
    local time = elapsed(function()
      parallel.parallel(
        one(function() return get("/delay/20") end),
        one(function() return loop.sleep(20) end),
        one(function()
          return parallel.map({ 20, 21 }, function(seconds) return get("/delay/" .. seconds) end)
        end),
        function()
          get("/delay/0.1")
          for i = 1, 3 do
            assert.is_true(loop.stop(waiting[i]))
          end
        end)
    end)
    assert.is_true(time < 5)
    assert.same({ "cancelled", "cancelled", "cancelled" }, kinds)
    assert.is_false(loop.stop(waiting[1]))
    get("/bytes/1")
    assert.equal(0, client:stats().in_flight)
  end)
end)


describe("batchapi.map", function()
  it("gives an array in the order of the items", function()
    local times = { 0.05, 0.01, 0.03, 0.02 }
    local results = parallel.map(times, function(seconds, index)
      return index .. "=" .. get("/delay/" .. seconds)
    end)
    assert.same({ "1=0.05", "2=0.01", "3=0.03", "4=0.02" }, results)
  end)

  it("runs at most `concurrency` at the same time", function()
    local running, most = 0, 0
    parallel.map({ 1, 2, 3, 4, 5, 6, 7 }, function()
      running = running + 1
      most = math.max(most, running)
      get("/delay/0.02")
      running = running - 1
    end, { concurrency = 3 })
    assert.equal(3, most)
  end)

  it("asks an iterator for items as places become free", function()
    local given = 0
    local results = parallel.map(function()
      given = given + 1
      return given <= 5 and given or nil
    end, function(item)
      assert.is_true(given <= item + 1)
      get("/bytes/1")
      return item * 2
    end, { concurrency = 1 })
    assert.same({ 2, 4, 6, 8, 10 }, results)
  end)

  it("gives an empty array for no items", function()
    assert.same({}, parallel.map({}, print))
  end)

  it("returns the failure of a function and begins no more", function()
    local begun = 0
    local results, why, err = parallel.map({ 1, 2, 3, 4, 5, 6 }, function(item)
      begun = begun + 1
      if item == 2 then
        return get("/status/404")
      end
      return get("/delay/20")
    end, { concurrency = 2 })
    assert.is_nil(results)
    assert.is_string(why)
    assert.equal(404, err.status)
    assert.equal(2, begun)
    get("/bytes/1")
    assert.equal(0, client:stats().in_flight)
  end)

  it("runs a thousand calls through sixteen places", function()
    local items = {}
    for i = 1, 1000 do
      items[i] = i
    end
    local results = parallel.map(items, function(item)
      return #get("/bytes/" .. item)
    end)
    assert.same(items, results)
  end)

  it("raises misuse", function()
    assert.error(function() parallel.map(nil, print) end)
    assert.error(function() parallel.map({}, 1) end)
    assert.error(function() parallel.map({}, print, { concurency = 1 }) end)
    assert.error(function() parallel.map({}, print, { concurrency = 0 }) end)
    assert.error(function() parallel.map({}, print, { concurrency = 1.5 }) end)
    assert.error(function() parallel.map({}, print, 16) end)
  end)
end)
