-- The steps by which a create is submitted once, in their order, against a scripted service in scripted time.

local lookup = require("batchapi.job.batch.lookup")
local scripted = require("support.scripted")
local submit = require("batchapi.job.batch.submit")


-- Has the part's batch run, or will it fail for its file was gone?
local function failed(world, part)
  for _, batch in ipairs(world.service.batches) do
    if batch.id == part.batch_id then
      return not batch.ran
    end
  end
end


-- Submits the world's part until it has a batch that runs or an outcome, as job/batch/init.lua does.
local function drive(world)
  local job = scripted.job(world)
  local part = job.state.parts[1]
  while part.status ~= "created" or failed(world, part) do
    local verdict, why, err
    if part.status == "created" then
      assert(job:record{ type = "requeued", part = 1, why = "adopted" })
    elseif part.status == "written" then
      local file, _, response = job:call(job.run.upload, job:known(1))
      lookup.note_date(job, response)
      assert(job:record{ type = "uploaded", part = 1, file_id = file.id })
    else
      verdict, why, err = submit.submit(job, part)
      if verdict ~= "created" and verdict ~= "anew" then
        return verdict, why, err, job
      end
    end
  end
  return "created", nil, nil, job
end


local function trace(world)
  local list, last = {}, nil
  for _, text in ipairs(world.trace) do
    if text ~= "> list_batches" or text ~= last then
      list[#list + 1] = text:gsub("_batches", ""):gsub("_file", ""):gsub("_batch", "")
    end
    last = text
  end
  return table.concat(list, ", ")
end


local UPLOAD = "> create, uploaded, create, > create"
local FENCE = "lost, > list, > retrieve, fencing, > delete, deleted, > list, fenced"


describe("a lost create, step by step,", function()
  it("that never arrived is fenced: record, step, record", function()
    local world = scripted.world(scripted.service{ late = { [1] = math.huge } })
    assert.equal("created", drive(world))
    assert.equal(UPLOAD .. ", " .. FENCE .. ", " .. UPLOAD .. ", created", trace(world))
  end)

  it("is looked for over the settling time before its file is touched, and for as long after the delete's answer", function()
    local world = scripted.world(scripted.service{ late = { [1] = math.huge }, lost_deletes = 3 })
    local looked = {}
    world.times = setmetatable({}, { __newindex = function(_, name, now)
      looked[#looked + 1] = { name, now }
    end })
    assert.equal("created", drive(world))
    local lost, first, deleted, last
    for _, entry in ipairs(looked) do
      if entry[1] == "create_batch" and not lost then
        lost = entry[2]
      elseif entry[1] == "list_batches" then
        first, last = deleted and first or entry[2], entry[2]
      elseif entry[1] == "delete_file" then
        deleted = entry[2]
      end
    end
    assert.is_true(first >= lost + 60)
    assert.is_true(last >= deleted + 60)
    assert.equal(4, world.service.deletes)
  end)

  it("that arrives while it is looked for is adopted, with its file in place", function()
    for _, delay in ipairs{ 1, 30, 59 } do
      local world = scripted.world(scripted.service{ late = { [1] = delay } })
      assert.equal("created", drive(world))
      assert.equal(UPLOAD .. ", lost, > list, created", trace(world))
      assert.equal(1, #world.service.batches)
    end
  end)

  it("that was accepted before the delete, and shows after it, is adopted", function()
    local world = scripted.world(scripted.service{ lost = { true }, delays = { ["file-1"] = 90 } })
    assert.equal("created", drive(world))
    assert.equal(UPLOAD .. ", lost, > list, > retrieve, fencing, > delete, deleted, > list, created", trace(world))
  end)

  it("is not mistaken for the batch of another file", function()
    -- The first create arrives after all, and is accepted, to fail; the second was accepted before, and shows later.
    local world = scripted.world(scripted.service{ late = { [1] = 150 }, lost = { [2] = true }, doomed = true,
      delays = { ["file-2"] = 45 } })
    assert.equal("created", drive(world))
    assert.same({ false, true }, { world.service.batches[2].ran, world.service.batches[1].ran })
    assert.equal(2, #world.service.batches)
    assert.equal(2, world.service.uploads)
  end)

  it("is found by the service's own clock, however wrong ours is, in the batches of minutes", function()
    for _, skew in ipairs{ 0, -7 * 86400, 7 * 86400 } do
      local service = scripted.service{ late = { [1] = 10 }, skew = skew }
      local world = scripted.world(service)
      for i = 1, 2000 do -- one every ten seconds, until now
        service.batches[i] = { id = "other-" .. i, input_file_id = "other", created_at = 1e9 + 1000 + skew - (2000 - i) * 10,
          shows = 0 }
      end
      assert.equal("created", drive(world))
      assert.equal(2001, #service.batches)
      assert.is_true(service.read < 170 * 6) -- of each look, ten minutes' and a hundred more
    end
  end)

  it("is found among batches that have changed places in the list", function()
    local service = scripted.service{ lost = { true } }
    local world = scripted.world(service)
    for i = 1, 300 do
      service.batches[i] = { id = "other-" .. i, input_file_id = "other", created_at = 1e9 - 5000, shows = 0 }
    end
    service.place = 260 -- from the oldest
    assert.equal("created", drive(world))
    assert.equal(301, #service.batches)
  end)

  it("is adopted from a list that breaks off behind it", function()
    local world = scripted.world(scripted.service{ lost = { true }, list_fails = 400, list_shows = 1 })
    assert.equal("created", drive(world))
    assert.equal(UPLOAD .. ", lost, > list, created", trace(world))
  end)

  it("sends nothing again when the list cannot be read", function()
    local world = scripted.world(scripted.service{ late = { [1] = math.huge }, list_fails = 400 })
    local verdict, why = drive(world)
    assert.equal("unknown", verdict)
    assert.matches("create_batch: no answer", why)
    assert.matches("list_batches: 400", why)
    assert.equal(1, world.service.creates)
    assert.is_nil(world.service.deletes)
  end)

  it("waits out what may pass, as long as the job may last", function()
    local world = scripted.world(scripted.service{ late = { [1] = math.huge }, list_fails = 503 })
    world.deadline = 50000
    local verdict, _, err = drive(world)
    assert.is_nil(verdict)
    assert.equal("closed", err.kind)
    assert.is_true(world.now > 49000)
    assert.equal(1, world.service.creates)
  end)

  it("sends nothing when the journal cannot be written", function()
    local world = scripted.world(scripted.service{ late = { [1] = math.huge } })
    local count = 0
    world.service.refuse = setmetatable({}, { __index = function()
      count = count + 1
      world.full = count == 1 -- from the first create on
    end })
    local verdict, _, err = drive(world)
    assert.is_nil(verdict)
    assert.equal("ENOSPC", err.code)
    assert.equal(UPLOAD .. ", lost", trace(world))
  end)

  it("uploads anew a file that was there and is not found for long", function()
    local world = scripted.world()
    for n = 1, 9 do
      world.service.refuse[n] = "Cannot find file file-1"
    end
    assert.equal("created", drive(world))
    assert.equal(2, world.service.uploads)
    assert.is_nil(world.service.deletes)
  end)

  it("comes back to the user as refused when the file cannot be found again and again", function()
    local world = scripted.world()
    for n = 1, 100 do
      world.service.refuse[n] = "Cannot find file"
    end
    assert.equal("refused", (drive(world)))
    assert.equal(3, world.service.uploads)
  end)
end)


describe("taken over by another process,", function()
  local function lost_world(records)
    local world = scripted.world(scripted.service{ files = { ["file-1"] = true }, uploads = 1 })
    for _, record in ipairs(records) do
      record.part = 1
      table.insert(world.journal, record)
    end
    return world
  end

  local BEGUN = { { type = "uploaded", file_id = "file-1" }, { type = "create", at = 1e9 + 900, date = 1e9 + 900 } }

  local function with(...)
    local list = {}
    for _, record in ipairs(BEGUN) do
      list[#list + 1] = record
    end
    for _, record in ipairs{ ... } do
      list[#list + 1] = record
    end
    return list
  end

  it("an intent is settled from the beginning", function()
    local world = lost_world(with())
    assert.equal("created", drive(world))
    assert.equal(FENCE .. ", " .. UPLOAD .. ", created", trace(world))
    assert.is_true(world.now >= 1120)
  end)

  it("time that this boot has waited counts", function()
    local world = lost_world(with({ type = "lost", boot = "boot", since = 5950 })) -- it is 6000 now
    assert.equal("created", drive(world))
    assert.equal((FENCE:gsub("^lost, ", "")) .. ", " .. UPLOAD .. ", created", trace(world))
    assert.is_true(world.now >= 1070 and world.now < 1090)
  end)

  it("time of another boot does not", function()
    local world = lost_world(with({ type = "lost", boot = "another", since = 5000 }))
    drive(world)
    assert.is_true(world.now >= 1120)
  end)

  it("a fence that was begun goes on with the delete: it asks no more whether the file is there", function()
    local world = lost_world(with({ type = "fencing", file_id = "file-1" }))
    world.service.files = {}
    assert.equal("created", drive(world))
    assert.equal("lost, > list, > delete, deleted, > list, fenced, " .. UPLOAD .. ", created", trace(world))
  end)

  it("a delete that was answered in this boot is not sent again, in another it is", function()
    local done = with({ type = "fencing", file_id = "file-1" }, { type = "deleted", boot = "boot", since = 5970 })
    local world = lost_world(done)
    assert.equal("created", drive(world))
    assert.equal("> list, fenced, " .. UPLOAD .. ", created", trace(world))
    assert.is_true(world.now >= 1030 and world.now < 1050)
    done[4].boot = "another"
    world = lost_world(done)
    drive(world)
    assert.equal(1, world.service.deletes)
    assert.is_true(world.now >= 1120)
  end)

  it("a file that nobody can see is not fenced: nothing is sent, and nobody knows", function()
    local world = lost_world(with())
    world.service.files = {}
    local verdict, why = drive(world)
    assert.equal("unknown", verdict)
    assert.matches("the process ended while the batch was being created", why)
    assert.equal(0, world.service.creates)
    assert.is_nil(world.service.deletes)
  end)
end)


describe("killed at any step, with creates that come at any time,", function()
  -- Runs processes until the part has its batch: the first ends at step `crash`, the next one at step `second`.
  local function survive(service, crash, second, forgetful)
    local world = scripted.world(service)
    world.forgetful = forgetful
    local ended = false
    for _, at in ipairs{ crash, second, false } do
      world.steps, world.crash_at = 0, at or nil
      if scripted.process(drive, world) then
        ended = true
        break
      end
      world.now = world.now + 7
    end
    assert.is_true(ended)
    local job = scripted.job(world)
    scripted.pass(job, 1000) -- whatever is still under way arrives
    return world, job
  end

  it("one batch runs, and it is the one that the journal names", function()
    for crash = 1, 16 do
      for _, second in ipairs{ 1, 3, 6, 100 } do
        for _, delay in ipairs{ 0.5, 40, 61, 100, 130, 200, 400 } do
          for _, doomed in ipairs{ false, true } do
            local service = scripted.service{ late = { delay, [3] = delay }, lost = { [2] = true }, doomed = doomed,
              delays = { ["file-2"] = 45, ["file-3"] = 20 } }
            local world, job = survive(service, crash, second, delay == 100)
            local ran, ours = 0, false
            for _, batch in ipairs(world.service.batches) do
              ran = ran + (batch.ran and 1 or 0)
              ours = ours or batch.ran and batch.id == job.state.parts[1].batch_id
            end
            assert(ran == 1 and ours, ("crash at %d and %d, late by %g: %d batches ran"):format(crash, second, delay, ran))
          end
        end
      end
    end
  end)
end)


describe("a batch that is made anew", function()
  it("is made of another file, whose old id is never used again", function()
    local world = scripted.world()
    for _, record in ipairs{
      { type = "uploaded", file_id = "file-1" }, { type = "create", at = 1 },
      { type = "created", batch_id = "b1", found = true }, { type = "requeued", why = "adopted" },
    } do
      record.part = 1
      table.insert(world.journal, record)
    end
    local part = scripted.job(world).state.parts[1]
    assert.equal("written", part.status)
    assert.is_nil(part.file_id)
    assert.is_true(part.past.b1)
    assert.is_true(part.spent["file-1"])
    assert.same({ "file-1" }, part.stale)
  end)
end)
