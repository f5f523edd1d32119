-- What is a process's own stays its own when it forks: a child that ends, with all its finalisers, takes nothing
-- away from its parent and writes nothing for it.

local batchapi = require("batchapi")
local jobs = require("support.job")
local program = require("support.program")
local sandbox = require("support.sandbox")


-- What a program says that forks, where `child` runs in a child that ends as a program does, and `parent` after.
local function forking(before, child, parent)
  return program.said(([[
    local batchapi = require("batchapi")
    local core = require("batchapi.core")
    local processes = require("processes")
    io.stdout:setvbuf("no")
    local dir = %q
    local function exists(path) return (os.rename(path, path)) ~= nil end
    local function read(path) local file = assert(io.open(path)) return file:read("*a"), file:close() end
    local function requests(count)
      local list = {}
      for i = 1, count do list[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } } end
      return list
    end
    local function count_results(job)
      local count, results = 0, job:results()
      while results:next() do count = count + 1 end
      return count
    end
    %s
    local pid, pipe = processes.fork()
    if pid == 0 then
      %s
      os.exit(0, true) -- the pipe ends with it
    end
    local deadline, told = core.now() + 20, nil
    repeat
      assert(core.mailbox()):wait(0.01)
      told = processes.told(pid, pipe)
    until told or core.now() > deadline
    if not told then processes.kill(pid) end
    print("child", told == "")
    %s
  ]]):format(jobs.dir(), before, child, parent))
end


describe("a child of fork", function()
  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
  end)

  after_each(jobs.clear)

  it("writes nothing of what its parent has in hand", function()
    assert.equal("false\tEBADF\nchild\ttrue\nparent\tmore\n\n", forking([[
      assert(core.fs.mkdir(dir))
      local writer = assert(core.writer(dir .. "/file"))
      assert(writer:write("parent\t"))
    ]], [[
      assert(writer:write("child\n"))
      local ok, why, err = writer:flush()
      print(ok == true, err.code)
    ]], [[
      assert(writer:write("more\n"))
      assert(writer:close())
      print((read(dir .. "/file")))
    ]]))
  end)

  it("lets go of no lock, and leaves in it who holds it", function()
    assert.equal("child\ttrue\ntrue\nlocked\ttrue\n", forking([[
      assert(core.fs.mkdir(dir))
      local lock = assert(core.fs.lock(dir .. "/lock"))
    ]], [[
      lock:release()
    ]], [[
      print(read(dir .. "/lock") == core.pid() .. "\n")
      local _, _, err = core.fs.lock(dir .. "/lock")
      print(err.kind, err.pid == core.pid())
    ]]))
  end)

  it("leaves the directory of its parent's job, and does not drive it", function()
    assert.equal("closed\tclosed\tclosed\tfalse\n" .. "child\ttrue\n300\ttrue\n", forking([[
      local client = assert(batchapi.openai())
      local job = assert(client:run(requests(300), { endpoint = "/v1/embeddings", interval = 0.05,
        max_requests_per_batch = 100 }))
      inside = require("batchapi.job.face").engine(job)
      job:poll()
    ]], [[
      local _, _, a = job:wait()
      local _, _, b = job:poll()
      local _, _, c = job:cancel()
      job:close()
      print(a.kind, b.kind, c.kind, exists(inside.dir) and false)
    ]], [[
      print(exists(inside.dir) and count_results(job), not exists(inside.dir))
    ]]))
  end)

  it("adds nothing to the results and the journal of its parent's job", function()
    assert.equal("child\ttrue\n300\t300\n", forking([[
      local client = assert(batchapi.openai())
      local job = assert(client:run(requests(300), { endpoint = "/v1/embeddings", interval = 0.05, dir = dir,
        max_requests_per_batch = 100 }))
      local results = job:results()
      for _ = 1, 50 do assert(results:next()) end
    ]], "", [[
      local count = 50
      while results:next() do count = count + 1 end
      client:close()
      print(count, count_results(assert(batchapi.resume(dir))))
      assert(batchapi.verify(dir).ok)
    ]]))
  end)

  it("leaves NAME.part to the download that is under way", function()
    local openai = assert(batchapi.openai())
    local file = assert(openai:create_file{ purpose = "batch",
      file = { content = ("{}\n"):rep(1000), filename = "a.jsonl" } })
    openai:close()
    assert.equal("child\ttrue\ntrue\n3000\n", forking(([[
      assert(core.fs.mkdir(dir))
      local client = assert(batchapi.openai{ headers = { ["X-Sandbox-Fault"] = "stall seconds=1" } })
      local saved
      client:start("download_file", %q, { to = dir .. "/file" }, function(value, why) saved = assert(value, why) end)
      batchapi.pump()
      local till = core.now() + 10
      while not exists(dir .. "/file.part") and core.now() < till do assert(core.mailbox()):wait(0.01) end
    ]]):format(file.id), "", [[
      print(exists(dir .. "/file.part"))
      while batchapi.pump() > 0 do assert(core.mailbox()):wait(0.01) end
      print(saved.bytes)
    ]]))
  end)
end)
