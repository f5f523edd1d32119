--- Every bit of the files of a small job is flipped, one at a time, and the job is taken up again: what
--- comes of it must be right, or be said to be damaged.

local invariants = require("simulate.invariants")
local process_of = require("simulate.process")
local runner = require("batchapi.job")
local world_of = require("simulate.world")

local M = {}

local FIXED = { count = 3, per_batch = 2, attempts = 1, cleanup = false, ordered = false, settle = 2, concurrency = 1,
  interval = 5, slowest = 30, page_size = 100, yields = false, durable = true, raw = false }

-- What is written only to be told by, and read by nobody who goes on.
local IDLE = { lock = true }


local function plan_of(shape, more)
  local plan = { shape = shape }
  for name, value in pairs(FIXED) do
    plan[name] = value
  end
  for name, value in pairs(more or {}) do
    plan[name] = value
  end
  return plan
end


local function options_of(world)
  local plan = world.plan
  return { dir = process_of.DIR, settle = plan.settle, interval = plan.interval, concurrency = plan.concurrency,
    ordered = plan.ordered, max_requests_per_batch = world.shape.parts and plan.per_batch or nil }
end


--- A world in which a process has begun the job and died at a call of a seam; nil: it has ended it.
local function begin(plan, dies)
  local world = world_of.new(1, {}, plan)
  local process = process_of.new(world, 1, dies and { seam = dies })
  local ok, why = process:run(function()
    local job = assert(runner.run(world.shape.client(process), world.requests, options_of(world), process.given))
    assert(job:wait())
    job:close()
    return true
  end)
  assert(ok ~= nil, why)
  world.disk:crash(0)
  return world, process.seams
end


local function take_up(world, number, salvage)
  local process = process_of.new(world, number)
  local failure, results
  local ok, why = process:run(function()
    local job, message, err = runner.resume(process_of.DIR,
      { client = world.shape.client(process), salvage = salvage, lock_timeout = 0 }, process.given)
    if not job then
      failure = { why = message, err = err }
      return true
    end
    local list, iterator = {}, job:results()
    while true do
      local result, said, problem = iterator:next()
      if said then
        failure = { why = said, err = problem, midway = true }
        break
      elseif not result then
        results = list
        break
      end
      list[#list + 1] = result
    end
    job:close()
    return true
  end)
  world.disk:crash(0)
  if not ok then
    return nil, "it raised: " .. tostring(why)
  end
  return results or false, failure
end


-- What is wrong with the results, or nil. `right` says what each should be.
local function judge(world, results, may_be_damaged, known)
  local seen = {}
  for _, result in ipairs(results) do
    local id = ("r-%s"):format(tostring(result.index))
    local code = not result.ok and (result.error or {}).code
    if seen[result.index] then
      return id .. " has two results"
    end
    seen[result.index] = true
    if code == "damaged" or code == "unknown_outcome" then
      if not (may_be_damaged or code == "unknown_outcome" and known[id]) then
        return ("%s is %s, and nothing was found to be damaged"):format(id, code)
      end
    else
      local wrong = invariants.wrong(world, id, result)
      if wrong then
        return wrong
      end
    end
  end
  for index = 1, world.plan.count do
    if not seen[index] then
      return ("request %d has no result"):format(index)
    end
    local id = "r-" .. index
    local times = 0
    for _, entry in ipairs(world.record.sent[id] or {}) do
      times = times + (entry.shadow and 0 or 1)
    end
    if times > 1 and not world.shape.reads(index) then
      return ("%s was carried out %d times"):format(id, times)
    end
  end
end


local refusals = { journal_damaged = true, results_damaged = true, part_damaged = true, requests_damaged = true,
  newer_format = true, not_a_job = true, input_incomplete = true }


local function snapshot(world)
  local bytes = { calls = world.calls }
  for name in pairs(world.disk:names()) do
    bytes[name] = not IDLE[name] and world.disk:read(name) or nil
  end
  return bytes
end


local function difference(before, after)
  for name, bytes in pairs(before) do
    if after[name] ~= bytes then
      return name
    end
  end
  for name in pairs(after) do
    if before[name] == nil then
      return name
    end
  end
end


-- What comes of taking the job up as it is: "refused" or "unharmed", and nothing was touched; or "gone_on".
local function plainly(world, known)
  local before = snapshot(world)
  local results, failure = take_up(world, 2, nil)
  if results == nil then
    return "raised", failure
  elseif results then
    return difference(before, snapshot(world)) and "gone_on" or "unharmed", judge(world, results, false, known)
  elseif not refusals[failure.err and failure.err.code] then
    return "odd", ("an odd refusal: %s"):format(tostring(failure.why))
  end
  local touched = difference(before, snapshot(world))
  return "refused", touched and ("it was refused, and %s was changed"):format(touched) or nil
end


-- What comes of salvaging it.
local function salvaged(world, known)
  local results, failure = take_up(world, 3, true)
  if results == nil then
    return "raised", failure
  elseif not results then
    local known_refusal = refusals[failure.err and failure.err.code] and not failure.midway
    return "lost", not known_refusal and ("an odd refusal to salvage: %s"):format(tostring(failure.why)) or nil
  end
  local wrong = judge(world, results, true, known)
  if wrong then
    return "salvaged", wrong
  end
  results, failure = take_up(world, 4, nil) -- and it stays so
  if not results then
    return "salvaged", ("afterwards it cannot be read again: %s"):format(
      tostring(type(failure) == "table" and failure.why or failure))
  end
  return "salvaged", judge(world, results, true, known)
end


local function files_of(world)
  local names = {}
  for name in pairs(world.disk:names()) do
    if not IDLE[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end


-- The requests whose outcome nobody knows although nothing was flipped.
local function unknown(plan, dies)
  local ids = {}
  for _, result in ipairs((assert(take_up(begin(plan, dies), 2, nil)))) do
    if result.error and result.error.code == "unknown_outcome" then
      ids["r-" .. result.index] = true
    end
  end
  return ids
end


--- One flip alone, with what is on the disk before and after: to look into one that is wrong.
---@param shape string
---@param stage number|nil
---@param name string of the file
---@param bit integer
---@param say fun(text: string)
---@return string[] wrong
function M.one(shape, stage, name, bit, say)
  local plan = plan_of(shape)
  local _, seams = begin(plan, nil)
  local dies = stage and math.max(1, math.floor(seams * stage)) or nil
  local known, world = unknown(plan, dies), begin(plan, dies)
  assert(world.disk:flip(name, bit))
  say(("--- %s:\n%s"):format(name, world.disk:read(name)))
  local all = {}
  for _, take in ipairs{ plainly, salvaged } do
    local came, wrong = take(world, known)
    say(("%s: %s"):format(came, tostring(wrong)))
    all[#all + 1] = wrong
  end
  for _, file in ipairs(files_of(world)) do
    say(("--- %s:\n%s"):format(file, world.disk:read(file)))
  end
  return all
end


---@param shape string of simulate.shapes
---@param stage number|nil at which part of its calls the process dies; nil: it has ended the job
---@param every integer one bit in so many is flipped
---@param salvage_every integer of those, one in so many is salvaged too
---@return table found { flips, counts by what came of them, wrong: what broke a promise }
function M.run(shape, stage, every, salvage_every)
  local plan = plan_of(shape)
  local _, seams = begin(plan, nil)
  local dies = stage and math.max(1, math.floor(seams * stage)) or nil
  local found = { flips = 0, wrong = {}, unharmed = 0, gone_on = 0, refused = 0, odd = 0, salvaged = 0, raised = 0,
    lost = 0 }
  local known, world, turn = unknown(plan, dies), begin(plan, dies), 0
  local function note(name, bit, came, wrong)
    found[came] = found[came] + 1
    if wrong then
      found.wrong[#found.wrong + 1] = ("%s, bit %d (%s): %s"):format(name, bit, came, wrong)
    end
  end
  for _, name in ipairs(files_of(world)) do
    for bit = turn % every, #world.disk:read(name) * 8 - 1, every do
      turn, found.flips = turn + 1, found.flips + 1
      assert(world.disk:flip(name, bit))
      local came, wrong = plainly(world, known)
      note(name, bit, came, wrong)
      if came == "refused" and turn % salvage_every == 0 then
        note(name, bit, salvaged(world, known))
        world = begin(plan, dies)
      elseif came == "refused" or came == "unharmed" then
        assert(world.disk:flip(name, bit))
      else
        world = begin(plan, dies)
      end
    end
  end
  return found
end


return M
