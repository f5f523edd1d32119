-- Requests that depend on one another: how they are cut into calls, and what goes out when some are done.

local core = require("batchapi.core")
local groups = require("batchapi.job.call.groups")
local marks = require("batchapi.job.store.marks")

local run = { request = { id = "id", depends = { field = "after", failed = { 424 } } } }

-- Requests from a text like "a b>a c": an id, and what it depends on.
local function items(text, bytes)
  local list, places = {}, {}
  for id, needs in text:gmatch("(%a)>?(%a*)") do
    local item = { custom_id = id, bytes = bytes or 1, needs = needs ~= "" and { needs:byte(1) and needs:sub(1, 1) } or nil,
      index = #list + 1, places = places, request = { id = id, after = needs ~= "" and { needs } or nil } }
    places[id] = item.index
    list[#list + 1] = item
  end
  return list
end

-- A job whose requests have these marks, in their first attempt.
local function job_of(...)
  local ledger = core.ledger(1)
  for i, mark in ipairs{ ... } do
    ledger:add(("r%d"):format(i))
    ledger:set(i, mark)
  end
  return { ledger = ledger, pass = { attempt = 1 }, run = run }
end


describe("groups of requests", function()
  it("are not cut between one and what it depends on", function()
    assert.are.equal(3, groups.cut(items("a b c d"), 3))
    assert.are.equal(2, groups.cut(items("a b c d>c"), 3))
    assert.are.equal(1, groups.cut(items("a b c d>b"), 3))
    assert.are.equal(3, groups.cut(items("a b c>a d"), 3))
    assert.are.equal(2, groups.cut(items("a b"), 3))
  end)

  it("are cut by bytes too, but never to nothing", function()
    assert.are.equal(2, groups.cut(items("a b c", 10), 3, 25))
    assert.are.equal(1, groups.cut(items("a b c", 10), 3, 5))
    assert.are.equal(1, groups.cut(items("a b c>b", 10), 3, 25))
  end)

  it("are looked for as far ahead as a call may reach", function()
    assert.are.equal(5, groups.ahead(run, 3))
    assert.are.equal(3, groups.ahead({}, 3))
  end)

  it("know the last requests by their ids", function()
    local window = groups.window(2)
    for i, id in ipairs{ "a", "b", "c" } do
      groups.remember(window, i, id)
    end
    assert.are.same({ c = 3, b = 2 }, groups.places(window, { "a", "b", "c" }))
    assert.is_nil(groups.places(window, nil))
    assert.are.same({ "x" }, groups.needs(run, { after = { "x" } }))
    assert.is_nil(groups.needs(run, { after = {} }))
    assert.is_nil(groups.needs({}, { after = { "x" } }))
  end)

  it("wait for what is to be repeated, and fail with what failed", function()
    local list = items("a b>a")
    local second = list[2]
    assert.are.equal("done", groups.standing(job_of(marks.SETTLED, marks.OPEN), second, {}))
    assert.are.equal("waits", groups.standing(job_of(marks.waiting(2), marks.OPEN), second, {}))
    assert.are.same({ "failed", "a" }, { groups.standing(job_of(marks.FAILED, marks.OPEN), second, {}) })
    assert.are.equal("done", groups.standing(job_of(marks.OPEN, marks.OPEN), second, { a = true }))
    assert.are.equal("done", groups.standing(job_of(marks.OPEN, marks.OPEN), list[1], {}))
  end)

  it("go out without what is done already", function()
    local second = items("a b>a")[2]
    assert.are.same({ id = "b" }, groups.sent(job_of(marks.SETTLED, marks.OPEN), second, {}))
    assert.are.equal(second.request, groups.sent(job_of(marks.OPEN, marks.OPEN), second, { a = true }))
    assert.are.same({ "a" }, second.request.after)
  end)

  it("are harmed together when nobody knows whether a write was carried out", function()
    local list = items("a b>a c d>c")
    for i, safe in ipairs{ false, true, true, true } do
      list[i].safe = safe
    end
    local harmed, rest = groups.harmed{ items = list }
    assert.are.same({ "a", "b" }, { harmed[1].custom_id, harmed[2].custom_id })
    assert.are.same({ "c", "d" }, { rest[1].custom_id, rest[2].custom_id })
    assert.is_true(groups.held_back(run, { ok = false, status = 424 }))
    assert.is_false(groups.held_back(run, { ok = false, status = 500 }))
  end)
end)


describe("the marks of the ledger", function()
  it("tell attempts apart from what is settled", function()
    local seen = {}
    for _, mark in ipairs{ marks.OPEN, marks.SETTLED, marks.waiting(2), marks.TAKEN, marks.RECOVERED, marks.waiting(3),
      marks.FAILED } do
      assert.is_nil(seen[mark])
      assert.is_true(mark >= 0 and mark <= 7)
      seen[mark] = true
    end
    assert.are.equal(marks.waiting(2), marks.waiting(4))
    assert.are_not.equal(marks.waiting(2), marks.waiting(3))
    assert.is_true(marks.is_settled(marks.SETTLED) and marks.is_settled(marks.FAILED) and marks.is_settled(marks.RECOVERED))
    assert.is_false(marks.is_settled(marks.OPEN) or marks.is_settled(marks.TAKEN) or marks.is_settled(marks.waiting(3)))
    assert.are.equal(2, marks.waiting_count(job_of(marks.OPEN, marks.SETTLED, marks.waiting(3)).ledger))
  end)
end)
