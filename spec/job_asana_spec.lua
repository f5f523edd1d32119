local batchapi = require("batchapi")
local core = require("batchapi.core")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local COUNT, FIRST_MIXED = 1000, 401
local STATUSES = { 400, 401, 402, 403, 404, 451, 500, 502, 503, 504 }


--- Failures that the service has for an action by its own rules, beside those that a word asks for.
local function natural_failures()
  return {
    { status = 404, action = { method = "get", relative_path = "/tasks/0" } },
    { status = 404, action = { method = "get", relative_path = "/no_such_route" } },
    { status = 400, action = { method = "get", relative_path = "/tasks" } }, -- too large without a limit
    { status = 400, action = { method = "get", relative_path = "/tasks", options = { limit = 5, offset = "stale" } } },
  }
end


--- Is action i a write? The first call is mixed, then come 39 calls of reads, then mixed ones and,
--- every seventh, one of writes only.
local function is_write(i)
  local call = math.ceil(i / 10)
  return (i <= 10 or i >= FIRST_MIXED) and (i % 2 == 0 or call % 7 == 0)
end


local function failing_read(i, turn)
  local natural = natural_failures()
  local which = turn % (#STATUSES + #natural) + 1
  if which > #STATUSES then
    return natural[which - #STATUSES].action, natural[which - #STATUSES].status
  end
  return { method = "get", relative_path = ("/tasks/fail-%d-%d"):format(STATUSES[which], i) }, STATUSES[which]
end


local function write(i, failure)
  local name = failure and ("w%d fail-%d"):format(i, failure) or "w" .. i
  local kind = math.floor(i / 2) % 3
  if kind == 0 or failure then
    return { method = "post", relative_path = "/tasks", data = { name = name, workspace = "1" } }, failure or 201
  elseif kind == 1 then
    return { method = "put", relative_path = "/tasks/" .. i, data = { name = name } }, 200
  end
  return { method = "delete", relative_path = "/tasks/" .. i }, 200
end


--- The actions, and for each the status it is to end with. Every fifth fails.
local function plan()
  local actions, statuses, turns = {}, {}, { read = 0, write = 0 }
  for i = 1, COUNT do
    local kind = is_write(i) and "write" or "read"
    local turn = turns[kind]
    if i % 5 == 0 then
      turns[kind] = turn + 1
    end
    if kind == "write" then
      actions[i], statuses[i] = write(i, i % 5 == 0 and STATUSES[turn % #STATUSES + 1] or nil)
    elseif i % 5 == 0 then
      actions[i], statuses[i] = failing_read(i, turn)
    else
      actions[i], statuses[i] = { method = "get", relative_path = "/tasks/" .. 10000 + i }, 200
    end
  end
  return actions, statuses
end


--- What tells a write from all others, in the plan and in the server's log.
local function key_of(action)
  return ("%s %s %s"):format(action.method, action.relative_path, (action.data or {}).name or "")
end


local function status_fault(nth, status, more)
  local fault = { type = "status", status = status }
  for name, value in pairs(more or {}) do
    fault[name] = value
  end
  return { match = { operation = "asana.create_batch_request", nth = nth }, fault = fault }
end


--- The log of the batch calls, each with its actions.
local function calls_seen()
  local entries = sandbox.log{ operation = "asana.create_batch_request" }
  for _, entry in ipairs(entries) do
    assert(entry.body_bytes <= 2048, "the log holds this call's body in part only")
    entry.actions = assert(core.decode(entry.body)).data.actions
  end
  return entries
end


describe("run over 1,000 Asana actions, a fifth of which fail", function()
  local actions, statuses, list, entries, totals

  setup(function()
    sandbox.reset()
    sandbox.set{ asana = { collection_size = 2000, action_time = 0.05 } }
    -- The first call goes alone, and so does the repeat of its reads: which calls are the first two
    -- is certain. Of the next thirty all are reads. A rule counts what no rule before it struck.
    sandbox.faults{
      status_fault(1, 502, { after = true }),
      status_fault(1, 503), status_fault(8, 500), status_fault(14, 502), status_fault(19, 504),
      status_fault({ 55, 56, 57, 58, 59, 75 }, 429, { retry_after = 1 }),
    }
    actions, statuses = plan()
    local asana = assert(batchapi.asana{ max_retries = 4 })
    list = jobs.all(assert(asana:run(actions, { timeout = 30 })))
    asana:close()
    entries, totals = calls_seen(), sandbox.totals()
  end)

  local function struck(status)
    local found = {}
    for _, entry in ipairs(entries) do
      found[#found + 1] = entry.fault == "status" and entry.status == status and entry or nil
    end
    return found
  end

  it("gives 1,000 results in the caller's order, each with its status or its error", function()
    assert.are.equal(COUNT, #list)
    local failed = 0
    for i, result in ipairs(list) do
      assert.are.equal(i, result.index)
      assert.are.equal("request-" .. i, result.custom_id)
      if i <= 10 and is_write(i) then
        assert.is_false(result.ok)
        assert.are.equal("unknown_outcome", result.error.code)
      elseif statuses[i] < 300 then
        assert.is_true(result.ok, key_of(actions[i]))
        assert.are.equal(statuses[i], result.status)
        assert.is_nil(result.error)
      else
        failed = failed + 1
        assert.is_false(result.ok)
        assert.are.equal(statuses[i], result.status, key_of(actions[i]))
        assert.are.equal("http_" .. statuses[i], result.error.code)
        assert.are.equal(result.body.errors[1].message, result.error.message)
        assert.are.equal(statuses[i] == 500, result.body.errors[1].phrase ~= nil)
      end
    end
    assert.are.equal(199, failed) -- the 200th is among the first call's writes
  end)

  it("gives each action the answer to itself", function()
    for i, action in ipairs(actions) do
      if statuses[i] == 200 and action.method == "get" then
        assert.are.equal(action.relative_path, "/tasks/" .. list[i].body.data.gid)
      elseif list[i].ok and action.method ~= "delete" then
        assert.are.equal(action.data.name, list[i].body.data.name)
      end
    end
  end)

  it("has met every failure that is documented", function()
    local met = { read = {}, write = {} }
    for i, result in ipairs(list) do
      met[is_write(i) and "write" or "read"][result.status or 0] = true
    end
    for _, status in ipairs(STATUSES) do
      assert.is_true(met.read[status], "no read failed with " .. status)
      assert.is_true(met.write[status], "no write failed with " .. status)
    end
    for _, status in ipairs{ 500, 503, 504 } do
      local calls = struck(status)
      assert.are.equal(1, #calls)
      for _, action in ipairs(calls[1].actions) do
        assert.are.equal("get", action.method)
      end
    end
    assert.are.equal(2, #struck(502))
    assert.are.equal(6, #struck(429))
  end)

  it("repeats no write, but after a 429, and that a second later", function()
    local sent, refused_writes = {}, 0
    for _, entry in ipairs(entries) do
      for _, action in ipairs(entry.actions) do
        if action.method ~= "get" then
          local key, refused = key_of(action), entry.status == 429
          refused_writes = refused_writes + (refused and 1 or 0)
          sent[key] = (sent[key] or 0) + (refused and 0 or 1)
        end
      end
    end
    local count = 0
    for i, action in ipairs(actions) do
      if is_write(i) then
        count = count + 1
        assert.are.equal(1, sent[key_of(action)], key_of(action))
      end
    end
    assert.is_true(count > 300 and refused_writes > 0)
    for name, times in pairs(totals.asana_created) do
      assert.are.equal(1, times, name)
    end
    for _, refused in ipairs(struck(429)) do
      for _, entry in ipairs(entries) do
        if entry.n > refused.n and entry.body_sha256 == refused.body_sha256 then
          assert.is_true(entry.time - refused.time > 0.95, "repeated before Retry-After")
        end
      end
    end
  end)

  it("has many in flight, but never more than the service allows", function()
    assert.are.equal(0, totals.asana.refused_by_limit or 0)
    assert.is_true(totals.in_flight_max.asana_reads <= 50)
    assert.is_true(totals.in_flight_max.asana_writes <= 15)
    assert.is_true(totals.in_flight_max.asana_reads > 20)
    assert.is_true(totals.in_flight_max.asana_writes > 5)
  end)
end)
