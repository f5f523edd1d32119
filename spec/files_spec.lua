local core = require("batchapi.core")

local fs = core.fs
local dir


local function path(name)
  return dir .. "/" .. name
end


before_each(function()
  dir = assert(fs.tmpfile())
  assert(os.remove(dir))
  assert(fs.mkdir(dir))
end)


after_each(function()
  os.execute("rm -r '" .. dir .. "'")
end)


describe("writer", function()
  it("writes one line per value and counts the bytes", function()
    local writer = assert(core.writer(path("a")))
    assert.equal(8, writer:encode({ a = 1 }))
    assert.equal(6, writer:encode({ 2, 3 }))
    assert.is_true(writer:write("raw\n"))
    assert.equal(18, writer:bytes())
    assert.equal(0, fs.stat(path("a")).size)
    assert.is_true(writer:flush())
    assert.equal('{"a":1}\n[2,3]\nraw\n', fs.read(path("a")))
    assert.is_true(writer:close())
    assert.is_true(writer:close())
    assert.error_matches(function() writer:encode(1) end, "the writer is closed")
    assert.equal("batchapi.writer (closed)", tostring(writer))
  end)

  it("leaves no part of a value that cannot be encoded", function()
    local writer = assert(core.writer(path("a")))
    assert.equal(2, writer:encode(1))
    local bytes, message, err = writer:encode({ "long enough", { print } })
    assert.is_nil(bytes)
    assert.equal("cannot encode [2][1]: a function has no form in JSON", message)
    assert.equal("invalid", err.kind)
    assert.equal(2, writer:encode(2))
    assert.equal(4, writer:bytes())
    writer:close()
    assert.equal("1\n2\n", fs.read(path("a")))
  end)

  it("appends, and starts its count at the file's length", function()
    assert.is_true(fs.replace(path("a"), "one\n"))
    local writer = assert(core.writer(path("a"), { append = true }))
    assert.equal(4, writer:bytes())
    writer:encode({ b = 1, a = 2 }, { sort_keys = true })
    assert.is_true(writer:sync())
    writer:close()
    assert.equal('one\n{"a":2,"b":1}\n', fs.read(path("a")))
  end)

  it("writes by itself what its buffer does not hold", function()
    local writer = assert(core.writer(path("a")))
    for _ = 1, 10 do
      assert(writer:encode(("x"):rep(100000)))
    end
    assert.is_true(fs.stat(path("a")).size > 500000)
    assert.is_true(writer:write(("y"):rep(40 * 1024 * 1024)))
    writer:close()
    assert.equal(10 * 100003 + 40 * 1024 * 1024, fs.stat(path("a")).size)
  end)

  it("remembers a failed write: nothing follows a torn line", function()
    local writer = assert(core.writer("/dev/full"))
    assert.equal(2, writer:encode(1))
    for _, method in ipairs({ "flush", "sync", "encode", "close" }) do
      local ok, message, err = writer[method](writer, 2)
      assert.is_nil(ok, method)
      assert.equal("/dev/full: No space left on device", message)
      assert.equal("io", err.kind)
      assert.equal("ENOSPC", err.code)
    end
    assert.is_true(writer:close())
  end)

  it("writes out what a forgotten one held", function()
    local function forget()
      local writer = assert(core.writer(path("a")))
      writer:encode("kept")
    end
    forget()
    collectgarbage()
    collectgarbage()
    assert.equal('"kept"\n', fs.read(path("a")))
  end)

  it("says why a file cannot be made, and raises for misuse", function()
    assert.equal("ENOENT", select(3, core.writer(path("no/such/file"))).code)
    assert.error_matches(function() core.writer(path("a"), { apend = true }) end, "unknown option 'apend'")
    assert.error_matches(function() core.writer(path("a"), { append = 1 }) end, "append must be")
  end)
end)


describe("fs", function()
  it("makes directories with those above, again without complaint", function()
    assert.is_true(fs.mkdir(path("a/b//c/")))
    assert.is_true(fs.mkdir(path("a/b/c")))
    assert.equal("directory", fs.stat(path("a/b/c")).type)
    fs.replace(path("file"), "")
    assert.is_nil(fs.mkdir(path("file")))
    assert.is_nil(fs.mkdir(path("file/sub")))
    assert.is_true(fs.rmdir(path("a/b/c")))
    assert.equal("ENOTEMPTY", select(3, fs.rmdir(path("a"))).code)
  end)

  it("replaces, renames, cuts and removes", function()
    assert.is_true(fs.replace(path("a"), "first"))
    assert.is_true(fs.replace(path("a"), "second"))
    assert.is_nil(fs.stat(path("a.new")))
    assert.is_true(fs.rename(path("a"), path("b")))
    assert.equal("second", fs.read(path("b")))
    assert.is_true(fs.truncate(path("b"), 3))
    assert.equal("sec", fs.read(path("b")))
    local info = fs.stat(path("b"))
    assert.equal("file", info.type)
    assert.equal(3, info.size)
    assert.is_true(math.abs(info.mtime - os.time()) < 60)
    assert.is_true(fs.unlink(path("b")))
    for _, name in ipairs({ "unlink", "stat", "read", "sync_dir", "sha256" }) do
      local value, message, err = fs[name](path("b"))
      assert.is_nil(value, name)
      assert.equal(path("b") .. ": No such file or directory", message)
      assert.equal("ENOENT", err.code)
    end
    assert.is_nil(fs.rename(path("b"), path("c")))
    assert.is_nil(fs.truncate(path("b"), 1))
    assert.is_nil(fs.replace(path("no/such"), "x"))
    assert.is_true(fs.sync_dir(dir))
    assert.has_error(function() fs.truncate(path("b"), -1) end)
    assert.has_error(function() fs.truncate(path("b"), 0.5) end)
  end)

  it("reads no more than the cap", function()
    fs.replace(path("a"), "12345")
    assert.equal("12345", fs.read(path("a"), 5))
    local bytes, _, err = fs.read(path("a"), 4)
    assert.is_nil(bytes)
    assert.equal("too_large", err.kind)
    fs.replace(path("empty"), "")
    assert.equal("", fs.read(path("empty"), 0))
  end)

  it("reads lines from where they begin", function()
    local lines, offsets, text = {}, {}, ""
    for i, length in ipairs{ 3, 0, 8191, 8192, 300000, 5 } do
      lines[i], offsets[i] = tostring(i):rep(length) .. "\n", #text
      text = text .. lines[i]
    end
    fs.replace(path("a"), text:sub(1, -2)) -- the last one without its line feed
    assert.equal("", fs.lines(path("a"), {}))
    assert.equal(lines[6] .. lines[1] .. lines[2], fs.lines(path("a"), { offsets[6], offsets[1], offsets[2] }))
    assert.equal(lines[4] .. lines[3], fs.lines(path("a"), { offsets[4], offsets[3] }))
    assert.equal(lines[5], fs.lines(path("a"), { offsets[5], offsets[1] })) -- enough at once
    local bytes, message, err = fs.lines(path("a"), { #text })
    assert.is_nil(bytes)
    assert.match("ends before a line", message)
    assert.equal("short", err.code)
    assert.is_nil((fs.lines(path("no such"), { 0 })))
    for _, wrong in ipairs{ { -1 }, { 0.5 }, { "x" }, "0" } do
      assert.has_error(function() fs.lines(path("a"), wrong) end)
    end
  end)

  it("hashes a file, or its beginning", function()
    fs.replace(path("a"), "abcdef")
    local abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert.equal(abc, fs.sha256(path("a"), 3))
    assert.equal(core.sha256():update("abcdef"):hex(), fs.sha256(path("a")))
    local hash, _, err = fs.sha256(path("a"), 7)
    assert.is_nil(hash)
    assert.equal("short", err.code)
  end)

  it("makes a temporary file that only its owner can read", function()
    local name = assert(fs.tmpfile(dir))
    assert.equal(dir, name:match("^(.*)/"))
    local pipe = io.popen("stat -c %a '" .. name .. "'")
    assert.equal("600", pipe:read("*l"))
    pipe:close()
    assert.equal("ENOENT", select(3, fs.tmpfile(path("none"))).code)
  end)
end)


describe("fs.lock", function()
  local function pid()
    local file = io.open("/proc/self/stat")
    local text = file:read("*l")
    file:close()
    return tonumber(text:match("^(%d+)"))
  end

  it("is held by one at a time, and names the holder", function()
    local lock = assert(fs.lock(path("lock")))
    local second, message, err = fs.lock(path("lock"))
    assert.is_nil(second)
    assert.equal("locked", err.kind)
    assert.equal(pid(), err.pid)
    assert.equal(path("lock") .. ": held by process " .. pid(), message)
    lock:release()
    lock:release()
    assert.equal("batchapi.lock (released)", tostring(lock))
    assert(fs.lock(path("lock"))):release()
  end)

  it("goes when its handle is collected", function()
    local function take()
      assert(fs.lock(path("lock")))
    end
    take()
    collectgarbage()
    collectgarbage()
    assert(fs.lock(path("lock"))):release()
  end)

  it("goes with a process that is killed", function()
    fs.replace(path("holder.lua"), ([[
      package.cpath = %q
      local core = require("batchapi.core")
      local lock = assert(core.fs.lock(%q))
      assert(core.fs.replace(%q, "x"))
      io.read("*a")
      lock:release()]]):format(package.cpath, path("lock"), path("ready")))
    local lua = os.getenv("BATCHAPI_LUA") or "lua5.4"
    local holder = assert(io.popen("exec " .. lua .. " '" .. path("holder.lua") .. "'", "w"))
    local deadline = os.time() + 20
    while not fs.stat(path("ready")) do
      assert(os.time() < deadline, "the holder did not take the lock")
    end
    local lock, _, err = fs.lock(path("lock"))
    assert.is_nil(lock)
    assert.is_true(err.pid > 1 and err.pid ~= pid())
    os.execute("kill -9 " .. err.pid)
    holder:close()
    assert(fs.lock(path("lock"))):release()
  end)

  it("says why there can be none", function()
    assert.equal("ENOENT", select(3, fs.lock(path("no/lock"))).code)
  end)
end)


describe("sha256 and random", function()
  it("hashes piece by piece", function()
    local hash = core.sha256()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hash:hex())
    assert.equal(hash, hash:update("a"))
    hash:hex()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hash:update("bc"):hex())
  end)

  it("gives as many random bytes as asked, never the same", function()
    assert.matches("^%x+$", core.random(16))
    assert.equal(32, #core.random(16))
    assert.not_equal(core.random(16), core.random(16))
    assert.has_error(function() core.random(0) end)
    assert.has_error(function() core.random(65) end)
  end)
end)
