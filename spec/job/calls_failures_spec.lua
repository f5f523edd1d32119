--- A call of a job that fails, so that the wait ends: it ends no other call, and what came is not lost.

local batchapi = require("batchapi")
local files_of = require("batchapi.host.files")
local job_of = require("batchapi.job")
local jobs = require("support.job")
local sandbox = require("support.sandbox")
local world_of = require("batchapi.job.world")

local all = jobs.all


local function write(name)
  return { method = "post", relative_path = "/tasks", data = { name = name, workspace = "1" } }
end


local function writes(count)
  local list = {}
  for i = 1, count do
    list[i] = write("task " .. i)
  end
  return list
end


--- The world as it is, but that what is written into results fails `times` times from the n-th on.
local function with_full_disk(client, nth, times)
  local world, count = world_of.real(client), 0
  local function wrapped(files)
    local full = setmetatable({}, { __index = files })
    full.direct = files.direct == files and full or files.direct
    function full.record(_, writer, record, ...)
      if record.custom_id or record.ok ~= nil then
        count = count + 1
        if count >= nth and count < nth + times then
          return nil, "no space left on the device", { kind = "io", code = "ENOSPC" }
        end
      end
      return files.record(files, writer, record, ...)
    end
    return full
  end
  local outside = world.files
  world.files = setmetatable({ directory = function(_, ...)
    local files, why, err = outside:directory(...)
    return files and wrapped(files), why, err
  end }, { __index = outside })
  world.files.direct = files_of.direct
  return world
end


describe("a call that ends the wait", function()
  local asana

  before_each(function()
    sandbox.reset()
    asana = assert(batchapi.asana{ max_retries = 0 })
  end)

  after_each(function()
    asana:close()
    jobs.clear()
  end)

  for _, kept in ipairs{ true, false } do
    it(("does not end another that writes and is under way; dir: %s"):format(tostring(kept)), function()
      sandbox.faults{
        { match = { operation = "asana.create_batch_request", nth = 2 },
          fault = { type = "stall", where = "after", seconds = 0.6 } },
        { match = { operation = "asana.create_batch_request", nth = 2 }, fault = { type = "status", status = 401 } },
      }
      local job = assert(asana:run(writes(30), { dir = kept and jobs.dir() or nil, concurrency = 2 }))
      local ok, _, err = job:wait()
      assert.is_nil(ok)
      assert.are.equal("auth", err.kind)
      local list = all(job)
      assert.are.equal(30, #list)
      for _, result in ipairs(list) do
        assert.is_true(result.ok, result.error and result.error.message)
      end
      assert.are.equal(30, sandbox.totals().asana.created)
    end)
  end

  for _, nth in ipairs{ 11, 14 } do
    it(("because its result %d cannot be written has its answer still"):format(nth), function()
      local requests = writes(20)
      requests[13], requests[17] = { method = "get", relative_path = "/tasks/13" }, write("t fail-429-times-1")
      local job = assert(job_of.run(asana, requests, { dir = jobs.dir(), attempts = 2, concurrency = 1 },
        with_full_disk(asana, nth, 1)))
      local ok, _, err = job:wait()
      assert.is_nil(ok)
      assert.are.equal("ENOSPC", err.code)
      local list = all(job)
      assert.are.equal(20, #list)
      for _, result in ipairs(list) do
        assert.is_true(result.ok, result.error and result.error.message)
      end
      assert.are.equal(19, sandbox.totals().asana.created)
    end)
  end

  it("whose answer names no batch is of unknown outcome, and the others go on", function()
    local factset = assert(batchapi.factset{ max_retries = 0 })
    sandbox.faults{ { match = { operation = "factset.post_batch", nth = 2 }, fault = { type = "body", body = "{}",
      status = 202, content_type = "application/json" } } }
    local list = all(assert(factset:run({ "Client:A", "Client:B", "Client:C" }, { interval = 0.05, concurrency = 1 })))
    assert.are.same({ true, false, true }, { list[1].ok, list[2].ok, list[3].ok })
    assert.are.equal("unknown_outcome", list[2].error.code)
    factset:close()
  end)

  it("because its batch may not be looked at is not made again", function()
    local factset = assert(batchapi.factset{ max_retries = 0 })
    local dir = jobs.dir()
    local job = assert(factset:run({ "Client:A", "Client:B" }, { interval = 0.05, dir = dir, concurrency = 2 }))
    assert(job:submit())
    job:close()
    sandbox.faults{ { match = { operation = "factset.get_batch_status" }, fault = { type = "status", status = 401 } } }
    job = assert(batchapi.resume(dir, { client = factset, concurrency = 1 }))
    for _ = 1, 3 do
      local _, _, err = job:wait()
      assert.are.equal("auth", err.kind)
    end
    sandbox.faults{}
    for _, result in ipairs(all(job)) do
      assert.is_true(result.ok, result.error and result.error.message)
    end
    assert.are.equal(2, sandbox.count("requests", "factset.post_batch"))
    factset:close()
  end)
end)
