local core = require("batchapi.core")
local files_of = require("batchapi.host.files")
local loop = require("batchapi.host")
local parallel = require("batchapi.host.parallel").parallel

local fs = core.fs
local dir


local function path(name)
  return dir .. "/" .. name
end


local function await(...)
  local work = assert(core.work(assert(loop.mailbox()), ...))
  loop.await(work, loop.host())
  return work:result()
end


before_each(function()
  dir = assert(fs.tmpfile())
  assert(os.remove(dir))
  assert(fs.mkdir(dir))
end)


after_each(function()
  os.execute("rm -r '" .. dir .. "'")
end)


describe("core.work", function()
  it("gives what the direct functions give", function()
    assert.is_true(await("mkdir", path("a/b")))
    assert.is_true(await("replace", path("a/b/c"), "abcdef"))
    assert.equal("abcdef", await("read", path("a/b/c")))
    assert.equal("cdef\nabcdef\n", await("lines", path("a/b/c"), { 2, 0 }))
    assert.equal("short", select(3, await("lines", path("a/b/c"), { 6 })).code)
    assert.error(function() await("lines", path("a/b/c"), { -1 }) end)
    assert.equal(6, await("stat", path("a/b/c")).size)
    assert.equal(fs.sha256(path("a/b/c"), 3), await("sha256", path("a/b/c"), 3))
    assert.is_true(await("truncate", path("a/b/c"), 2))
    assert.is_true(await("rename", path("a/b/c"), path("d")))
    assert.equal("ab", fs.read(path("d")))
    assert.is_true(await("sync_dir", dir))
    assert.is_true(await("rmdir", path("a/b")))
    assert.is_true(await("unlink", path("d")))
    assert.equal(dir, await("tmpfile", dir):match("^(.*)/"))
    local value, message, err = await("stat", path("none"))
    assert.is_nil(value)
    assert.equal(path("none") .. ": No such file or directory", message)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.equal("too_large", select(3, await("read", await("tmpfile", dir) and "/proc/self/stat", 1)).kind)
  end)

  it("names itself, and gives its result once", function()
    local mailbox = assert(loop.mailbox())
    local work = assert(core.work(mailbox, "stat", dir))
    assert.equal("batchapi.work (stat)", tostring(work))
    assert.is_true(work:id() > 0)
    loop.await(work, loop.host())
    assert.is_true(work:news())
    assert.equal("directory", work:result().type)
    assert.error_matches(function() work:result() end, "has been taken")
  end)

  it("raises for misuse", function()
    local mailbox = assert(loop.mailbox())
    assert.error_matches(function() core.work(mailbox, "delete", "x") end, "unknown work 'delete'")
    assert.has_error(function() core.work(mailbox, "rename", "x") end)
    assert.has_error(function() core.work(nil, "stat", "x") end)
    assert.has_error(function() core.work(mailbox, "truncate", "x", -1) end)
    local direct = assert(core.writer(path("a")))
    assert.error_matches(function() core.work(mailbox, "flush", direct) end, "not deferred")
    direct:close()
    local writer = assert(await("writer", path("a")))
    assert.error_matches(function() writer:sync() end, "core.work")
    assert.error_matches(function() writer:close() end, "core.work")
    assert.is_true(await("close", writer))
    assert.error_matches(function() core.work(mailbox, "close", writer) end, "closed")
    local reader = assert(await("reader", path("a")))
    local fill = assert(core.work(mailbox, "fill", reader))
    assert.error_matches(function() core.work(mailbox, "fill", reader) end, "already")
    loop.await(fill, loop.host())
    assert.error_matches(function() fill:result() end, "reader:take")
    assert.equal(0, reader:take(fill))
    reader:close()
  end)

  it("keeps the order of what was started", function()
    local writer = assert(await("writer", path("a")))
    local pieces = {}
    for i = 1, 50 do
      writer:encode(i)
      pieces[i] = assert(core.work(loop.mailbox(), "flush", writer))
    end
    assert.is_true(await("close", writer))
    for i = 1, 50 do
      assert.is_true(pieces[i]:news())
      assert.is_true(pieces[i]:result())
    end
    local reader = assert(core.reader(path("a")))
    for i = 1, 50 do
      assert.equal(i, reader:json())
    end
    reader:close()
  end)

  it("finishes what nobody waits for", function()
    local function forget()
      local writer = assert(await("writer", path("a")))
      writer:encode("one")
      core.work(loop.mailbox(), "flush", writer)
      writer:encode("two")
    end
    forget()
    collectgarbage()
    collectgarbage()
    await("stat", dir) -- everything before it is done
    assert.equal('"one"\n"two"\n', fs.read(path("a")))
  end)

  it("says when a writer is full, and refuses what it cannot hold", function()
    local writer = assert(await("writer", path("a")))
    assert.is_false(writer:full())
    writer:write(("x"):rep(300 * 1024))
    assert.is_true(writer:full())
    assert.equal(0, fs.stat(path("a")).size)
    local ok, _, err = writer:write(("x"):rep(64 * 1024 * 1024))
    assert.is_nil(ok)
    assert.equal("too_large", err.kind)
    assert.is_true(await("flush", writer))
    assert.is_false(writer:full())
    assert.is_true(await("close", writer))
    assert.equal(300 * 1024, fs.stat(path("a")).size)
  end)

  it("outlives its mailbox", function()
    local mailbox = assert(core.mailbox())
    local work = assert(core.work(mailbox, "replace", path("a"), "x"))
    mailbox:close()
    await("stat", dir)
    assert.is_true(work:news())
    assert.is_true(work:result())
  end)

  it("reports each piece once", function()
    local mailbox = assert(core.mailbox())
    local expected, ids = {}, {}
    for i = 1, 20 do
      local work = assert(core.work(mailbox, "stat", dir))
      expected[i] = { id = work:id(), work = work }
    end
    local seen, count, deadline = {}, 0, core.now() + 20
    while count < 20 do
      assert(core.now() < deadline, "not all pieces reported")
      mailbox:wait(1)
      for i = 1, mailbox:drain(ids) do
        assert.is_nil(seen[ids[i]])
        seen[ids[i]] = true
        count = count + 1
      end
    end
    for i = 1, 20 do
      assert.is_true(seen[expected[i].id])
    end
    mailbox:close()
  end)
end)


local function behaves(name, with_files)
  describe(name, function()
    it("writes, reads and does the rest alike", function()
      with_files(function(files)
        local writer = assert(files:writer(path("a")))
        local bytes = 0
        for i = 1, 20000 do
          bytes = bytes + assert(files:encode(writer, { i = i, text = ("x"):rep(i % 50) }))
        end
        assert.is_true(files:write(writer, "last"))
        assert.is_true(files:sync(writer))
        assert.equal(bytes + 4, files:stat(path("a")).size)
        assert.is_true(files:close(writer))
        assert.is_true(files:close(writer))
        local reader = assert(files:reader(path("a")))
        for i = 1, 20000 do
          local value = assert(files:json(reader))
          assert(value.i == i and #value.text == i % 50)
        end
        local value, message, err = files:json(reader)
        assert.is_nil(value)
        assert.matches("line 20001: not valid JSON", message)
        assert.equal(20001, err.line)
        assert.is_nil(files:json(reader))
        assert.is_nil(files:next(reader))
        assert.is_true(files:close(reader))
        reader = assert(files:reader(path("a"), { offset = bytes }))
        assert.equal("last", files:next(reader))
        assert.is_true(files:close(reader))
        writer = assert(files:writer(path("a"), { append = true }))
        assert.equal(bytes + 4, writer:bytes())
        files:close(writer)
        assert.is_true(files:rename(path("a"), path("b")))
        assert.equal("ENOENT", select(3, files:reader(path("a"))).code)
        assert.equal("ENOENT", select(3, files:writer(path("no/a"))).code)
        assert.equal(fs.sha256(path("b"), 100), files:sha256(path("b"), 100))
      end)
    end)

    it("keeps a failed write's error", function()
      with_files(function(files)
        local writer = assert(files:writer("/dev/full"))
        assert(files:encode(writer, "x"))
        local ok, message, err = files:flush(writer)
        assert.is_nil(ok)
        assert.equal("/dev/full: No space left on device", message)
        assert.equal("ENOSPC", err.code)
        assert.equal("ENOSPC", select(3, files:encode(writer, "y")).code)
        assert.equal("ENOSPC", select(3, files:sync(writer)).code)
        assert.equal("ENOSPC", select(3, files:close(writer)).code)
      end)
    end)
  end)
end


behaves("files in a script", function(body)
  local files = files_of.new("block")
  body(files)
end)

behaves("files on the file thread", function(body)
  assert.is_true(parallel(function()
    body(files_of.new())
    return true
  end))
end)


describe("files on the file thread", function()
  it("let several coroutines use one writer", function()
    local files, writer
    local function add(from)
      return function()
        files = files or files_of.new()
        writer = writer or assert(files:writer(path("a")))
        for i = from, 3000, 3 do
          assert(files:encode(writer, { i = i, fill = ("y"):rep(300) }))
          if i % 500 == 0 then
            assert(files:sync(writer))
          end
        end
        return true
      end
    end
    local function open()
      files = files_of.new()
      writer = assert(files:writer(path("a")))
      return true
    end
    assert.is_true(parallel(open))
    parallel(add(1), add(2), add(3))
    assert.is_true(parallel(function()
      return files:close(writer)
    end))
    local seen, reader = {}, assert(core.reader(path("a")))
    for _ = 1, 3000 do
      local value = assert(reader:json())
      assert.is_nil(seen[value.i])
      seen[value.i] = true
    end
    assert.is_nil(reader:json())
    reader:close()
  end)
end)
