--- Requests that depend on one another, over passes and crashes: none runs whose need has failed.

local batchapi = require("batchapi")
local face = require("batchapi.job.face")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local all = jobs.all


local function get(id, url, ...)
  return { id = id, method = "GET", url = url, dependsOn = select("#", ...) > 0 and { ... } or nil }
end


local function delete(id, ...)
  return { id = id, method = "DELETE", url = "/" .. id, dependsOn = { ... } }
end


--- What each call carried: "b after a e".
local function calls()
  local list = {}
  for i, entry in ipairs(sandbox.log{ path = "/graph" }) do
    list[i] = {}
    for j, request in ipairs(core.decode(entry.body).requests) do
      list[i][j] = request.id .. (request.dependsOn and " after " .. table.concat(request.dependsOn, " ") or "")
    end
  end
  return list
end


describe("a request that depends on others", function()
  local graph, dir

  before_each(function()
    sandbox.reset()
    graph = assert(batchapi.msgraph{})
    dir = jobs.dir()
  end)

  after_each(function()
    graph:close()
    jobs.clear()
  end)

  it("is not repeated with one when another has failed for good", function()
    local list = { get("a", "/fail-429-times-1"), get("e", "/fail-404"), delete("b", "a", "e"), delete("c", "b") }
    assert.are.same({ a = 200, e = 404, b = 424, c = 424 }, jobs.outcomes(all(assert(graph:run(list, { attempts = 2 })))))
    assert.are.same({ { "a", "e", "b after a e", "c after b" }, { "a" } }, calls())
    assert.are.equal(0, sandbox.count("graph", "DELETE"))
  end)

  it("is repeated when the others succeeded or are repeated too", function()
    local list = { get("a", "/fail-429-times-1"), get("e", "/e"), delete("b", "a", "e"), delete("c", "b", "e") }
    assert.are.same({ a = 200, e = 200, b = 204, c = 204 }, jobs.outcomes(all(assert(graph:run(list, { attempts = 2 })))))
    assert.are.same({ { "a", "e", "b after a e", "c after b e" }, { "a", "b after a", "c after b" } }, calls())
  end)

  it("is not sent when its need's failure alone outlived the process", function()
    local list = { get("a", "/a"), get("e", "/fail-404"), delete("b", "a", "e"), delete("c", "b"), get("d", "/d") }
    all(assert(graph:run(list, { dir = dir, repeat_writes = true })))
    jobs.kill_after(dir, { a = true, e = true }, { finished = true })
    local list_again, by_index = all(assert(batchapi.resume(dir, { client = graph })))
    assert.are.same({ a = 200, e = 404, b = "failed_dependency", c = "failed_dependency", d = 200 },
      jobs.outcomes(list_again))
    assert.are.equal([[it was not sent: it depends on "e", which did not succeed]], by_index[3].error.message)
    assert.are.same({ "d" }, calls()[2])
    assert.are.equal(0, sandbox.count("graph", "DELETE"))
  end)

  it("is sent after a crash when its needs are known to have succeeded", function()
    all(assert(graph:run({ get("a", "/a"), get("e", "/e"), delete("b", "a", "e") }, { dir = dir, repeat_writes = true })))
    jobs.kill_after(dir, { a = true }, { finished = true })
    local list = all(assert(batchapi.resume(dir, { client = graph })))
    assert.are.same({ a = 200, e = 200, b = 204 }, jobs.outcomes(list))
    assert.are.same({ "e", "b after e" }, calls()[2])
  end)

  it("waits for the next pass with its need when a failed write stopped the job between their answers", function()
    local list = { get("f", "/f"), get("g", "/g"), get("h", "/h"),
      get("a", "/fail-429-times-1"), get("e", "/e"), delete("b", "a", "e") }
    local job = assert(graph:run(list, { attempts = 2, repeat_writes = true, max_requests_per_batch = 3 }))
    local store = face.engine(job).store
    local append, failed = store.append, false
    store.append = function(_, result)
      if result.custom_id == "e" and not failed then
        failed = true
        return nil, "the disk is full", { kind = "io" }
      end
      return append(store, result)
    end
    local results = job:results()
    local by_id = {}
    local result, why
    repeat
      result, why = results:next()
      if result then
        by_id[result.custom_id] = result.status
      end
    until not result and not why
    assert.is_true(failed)
    assert.are.same({ f = 200, g = 200, h = 200, a = 200, e = 200, b = 204 }, by_id)
    assert.are.same({ { "f", "g", "h" }, { "a", "e", "b after a e" }, { "e" }, { "a", "b after a" } }, calls())
  end)
end)
