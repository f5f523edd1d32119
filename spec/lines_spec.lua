local core = require("batchapi.core")


local function values(lines, method)
  local list = {}
  while true do
    local value, message = lines[method](lines)
    if value == nil then
      return list, message
    end
    list[#list + 1] = value
  end
end


local function write(bytes)
  local path = assert(core.fs.tmpfile())
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  finally(function() os.remove(path) end)
  return path
end


describe("lines", function()
  it("gives the same lines however the bytes come", function()
    local text = '{"a":1}\n\n  \r\n"two"\r\n[3]\nlast'
    for size = 1, #text do
      local lines = core.lines()
      local list = {}
      for at = 1, #text, size do
        assert.is_true(lines:push(text:sub(at, at + size - 1)))
        for _, line in ipairs(values(lines, "next")) do
          list[#list + 1] = line
        end
      end
      lines:finish()
      for _, line in ipairs(values(lines, "next")) do
        list[#list + 1] = line
      end
      assert.same({ '{"a":1}', '"two"\r', "[3]", "last" }, list)
      assert.equal(6, lines:number())
      assert.equal(#text, lines:offset())
    end
  end)

  it("tells the end from a lack of bytes by nothing but finish", function()
    local lines = core.lines()
    assert.is_nil(lines:json())
    lines:push("[1")
    assert.is_nil(lines:json())
    lines:push("]")
    assert.is_nil(lines:json())
    lines:finish()
    assert.equal(1, lines:json()[1])
    assert.is_nil(lines:json())
  end)

  it("decodes in place, and goes on behind a line that is not JSON", function()
    local lines = core.lines()
    lines:push('{"a":null}\nbroken\nnull\n')
    assert.equal(core.null, lines:json({ null = "keep" }).a)
    assert.equal('{"a":null}', lines:raw())
    local value, message, err = lines:json()
    assert.is_nil(value)
    assert.equal("line 2: not valid JSON: expected a value at byte 1, found 'b'", message)
    assert.equal(message, err.message)
    assert.equal("decode", err.kind)
    assert.equal(2, err.line)
    assert.equal(1, err.offset)
    assert.equal("broken", lines:raw())
    assert.equal(core.null, lines:json())
  end)

  it("forgets the raw line when its bytes may have moved", function()
    local lines = core.lines()
    assert.is_nil(lines:raw())
    lines:push("1\n")
    lines:json()
    assert.equal("1", lines:raw())
    lines:push("2\n")
    assert.is_nil(lines:raw())
  end)

  it("refuses a line that is too long, whether or not its end has come", function()
    for _, text in ipairs({ ("x"):rep(11), ("x"):rep(11) .. "\n" }) do
      local lines = core.lines({ max_line_bytes = 10 })
      lines:push(("y"):rep(10) .. "\n" .. text)
      assert.equal(("y"):rep(10), lines:next())
      local line, message, err = lines:next()
      assert.is_nil(line)
      assert.equal("line 2 is longer than 10 bytes (max_line_bytes)", message)
      assert.equal("too_large", err.kind)
      assert.is_nil(lines:next())
    end
  end)

  it("raises for misuse", function()
    local lines = core.lines()
    assert.has_error(function() lines:push() end)
    assert.error_matches(function() core.lines({ max_line = 1 }) end, "unknown option 'max_line'")
    assert.error_matches(function() core.lines({ max_line_bytes = -1 }) end, "max_line_bytes must be")
    assert.error_matches(function() lines:json({ nul = "keep" }) end, "unknown option")
    assert.error_matches(function() lines.json(io.stdout) end, "lines or a reader")
    lines:close()
    assert.error_matches(function() lines:json() end, "closed")
    assert.equal("batchapi.lines (closed)", tostring(lines))
  end)

  it("is not disturbed by a finaliser that calls it while it decodes", function()
    local lines = core.lines()
    local refused = 0
    local function garbage()
      local finalise = function()
        if not pcall(lines.push, lines, (" "):rep(1000) .. "\n") then
          refused = refused + 1
        end
      end
      if newproxy then -- luacheck: ignore
        getmetatable(newproxy(true)).__gc = finalise -- luacheck: ignore
      else
        setmetatable({}, { __gc = finalise })
      end
    end
    local pause = collectgarbage("setpause", 1)
    local line = '{"a":["' .. ("b"):rep(200) .. '",{"c":[1,2,3]}' .. (",[1,2,3]"):rep(2000) .. "]}"
    for _ = 1, 30 do
      lines = core.lines()
      lines:push(line .. "\n")
      garbage()
      local value = lines:json()
      assert(value.a[1] == ("b"):rep(200) and value.a[2].c[3] == 3)
    end
    collectgarbage("setpause", pause)
    collectgarbage()
    assert.is_true(refused > 0)
  end)
end)


describe("reader", function()
  it("iterates a file that is larger than its buffer", function()
    local list = {}
    for i = 1, 20000 do
      list[i] = ('{"i":%d,"text":"%s"}'):format(i, ("x"):rep(i % 100))
    end
    local path = write(table.concat(list, "\n") .. "\n")
    local reader = assert(core.reader(path))
    for i = 1, 20000 do
      local value = assert(reader:json())
      assert(value.i == i and #value.text == i % 100)
    end
    assert.is_nil(reader:json())
    assert.is_false(reader:starved())
    assert.equal(20000, reader:number())
    assert.is_true(reader:close())
    assert.is_true(reader:close())
    assert.error_matches(function() reader:json() end, "the reader is closed")
  end)

  it("begins at an offset, and gives the offset of the next line", function()
    local path = write("[1]\n[2]\n[3]")
    local reader = assert(core.reader(path))
    assert.equal(1, reader:json()[1])
    local offset = reader:offset()
    assert.equal(4, offset)
    reader:close()
    reader = assert(core.reader(path, { offset = offset }))
    assert.equal("[2]", reader:next())
    assert.equal("[3]", reader:next())
    assert.equal(11, reader:offset())
    assert.is_nil(reader:next())
    reader:close()
  end)

  it("names the file and the line of what is broken", function()
    local path = write("[1]\n[2\n")
    local reader = assert(core.reader(path))
    assert.is_table(reader:json())
    local value, message, err = reader:json()
    assert.is_nil(value)
    assert.equal(path .. ", line 2: not valid JSON: the text ends where ',' or ']' is due (byte 3)", message)
    assert.equal(2, err.line)
    reader:close()
  end)

  it("says why a file cannot be read", function()
    local reader, message, err = core.reader("/nonexistent/file")
    assert.is_nil(reader)
    assert.equal("/nonexistent/file: No such file or directory", message)
    assert.equal("io", err.kind)
    assert.equal("ENOENT", err.code)
    assert.equal("EISDIR", select(3, core.reader("/tmp")).code)
  end)
end)
