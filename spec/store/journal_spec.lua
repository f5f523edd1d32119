-- The lines of a journal prove themselves, each as one of its job and of its place; what one line alone says
-- is there twice.

local files_of = require("batchapi.host.files")
local journal = require("batchapi.job.store.journal")
local jobs = require("support.job")

local NAME = "journal.jsonl"

local unpack = rawget(table, "unpack") or unpack


local function each()
  return true
end


describe("a journal", function()
  local dir, files

  -- The lines of a job's journal.
  local function write(id)
    os.remove(dir .. "/" .. NAME)
    local opened = assert(journal.open(files, NAME, each))
    for _, record in ipairs{ { type = "job", id = id, format = 2, options = {} },
      { type = "part", part = 1 }, { type = "part", part = 2 }, { type = "input", requests = 3 },
      { type = "create", part = 1 }, { type = "created", part = 1, batch_id = "b" } } do
      assert(opened:append(record))
    end
    opened:close()
    local lines = {}
    for line in io.lines(dir .. "/" .. NAME) do
      lines[#lines + 1] = line
    end
    return lines
  end

  -- What is read of these lines: how many are damaged, and the types of the records.
  local function read(lines)
    jobs.write(dir .. "/" .. NAME, table.concat(lines, "\n") .. "\n")
    local damage, types = {}, {}
    local found = assert(journal.read(files, NAME, function(record)
      types[#types + 1] = record.type
      return true
    end, damage))
    return #damage, table.concat(types, " "), damage, found
  end

  local function copy(lines)
    return { unpack(lines) }
  end

  before_each(function()
    dir = jobs.dir()
    files = assert(files_of.direct:directory(dir, { create = true }))
  end)

  after_each(jobs.clear)

  it("is whole as it was written", function()
    assert.are.equal(0, (read(write("job_1"))))
  end)

  it("shows that two lines changed places", function()
    local lines = write("job_1")
    for i = 1, #lines do
      for j = i + 1, #lines do
        local other = copy(lines)
        other[i], other[j] = other[j], other[i]
        assert.is_true(read(other) > 0, ("%d and %d"):format(i, j))
      end
    end
  end)

  it("shows that a line before others is gone, or stands there twice", function()
    local lines = write("job_1")
    for i = 1, #lines do
      local other = copy(lines)
      table.remove(other, i)
      assert.are.equal(i < #lines, read(other) > 0, "without " .. i)
      for j = 1, #lines + 1 do
        other = copy(lines)
        table.insert(other, j, lines[i])
        assert.is_true(read(other) > 0, ("%d again at %d"):format(i, j))
      end
    end
  end)

  it("shows that a line is another job's, of the same place", function()
    local others = write("job_2")
    local lines = write("job_1")
    for i = 1, #lines do
      local other = copy(lines)
      other[i] = others[i]
      assert.is_true(read(other) > 0, "line " .. i)
    end
  end)

  it("says twice what the job is and how many requests it has", function()
    local lines = write("job_1")
    for _, line in ipairs{ 1, 4 } do
      local other = copy(lines)
      other[line] = other[line]:gsub('"type"', '"typo"')
      local damaged, types, damage, found = read(other)
      assert.are.equal(1, damaged)
      assert.are.equal(1, damage.mended)
      assert.are.equal("job_1", found.job.id)
      assert.are.equal(3, found.input.requests)
      assert.matches("^job part part .*create created", types)
    end
    assert.is_nil((journal.open(files, NAME, each)))
  end)

  it("does not take two lines that lost the line feed between them for the one that is there twice", function()
    local lines = write("job_1")
    for line = 3, 5 do -- the requests' and its neighbours
      local other = copy(lines)
      for _ = line + 2, #lines do
        table.remove(other)
      end
      other[line] = other[line] .. "*" .. table.remove(other, line + 1)
      local damaged, _, damage = read(other)
      assert.is_true(damaged + damage.more - (damage.mended or 0) > 0, "line " .. line)
    end
  end)

  it("whose first line was never on the disk holds nothing; one that has lost it is damaged", function()
    write("job_1")
    local text = jobs.read(dir .. "/" .. NAME)
    jobs.write(dir .. "/" .. NAME, text:sub(1, 20))
    local damage = {}
    assert.is_true(assert(journal.read(files, NAME, each, damage)).lost)
    assert.are.equal(1, damage[1].line)
    assert.are.equal("journal_damaged", (select(3, journal.open(files, NAME, each, {}))).code)
    assert.are.equal(text:sub(1, 20), jobs.read(dir .. "/" .. NAME))
    os.remove(dir .. "/" .. journal.COPY)
    local opened = assert(journal.open(files, NAME, each))
    assert.is_true(opened.empty)
    opened:close()
  end)

  it("gets the second copy again that it has lost", function()
    local lines = write("job_1")
    os.remove(dir .. "/" .. journal.COPY)
    assert(journal.open(files, NAME, each)):close()
    assert.are.equal(3, journal.copy(files).input.requests)
    jobs.write(dir .. "/" .. journal.COPY, lines[1] .. "\n")
    assert(journal.open(files, NAME, each)):close()
    assert.are.equal(3, journal.copy(files).input.requests)
  end)
end)
