--- A whole run: a seed becomes a world, processes come and go in it, and at the end it is looked at
--- whether every promise was kept.

local clocks = require("simulate.clock")
local faces = require("batchapi.job.face")
local footprint = require("simulate.footprint")
local invariants = require("simulate.invariants")
local memory = require("simulated_disk")
local plans = require("simulate.plan")
local process_of = require("simulate.process")
local program = require("simulate.program")
local records = require("simulate.record")
local shapes = require("simulate.shapes")
local tapes = require("simulate.tape")
local wire = require("simulate.wire")

local M = {}
M.__index = M

local PROCESSES = 7 -- from then on nothing bad happens any more
local MOST_PROCESSES = PROCESSES + 5
local SLACK = 3 -- seconds that what has a time may take longer
-- Fields of tables that a job may keep: of its own, for each part, for what is under way at once.
local MOST_KEPT, MOST_OF_PART, MOST_OF_CALL = 260, 60, 220
local MOST_OPEN = 6

local not_there = { written = true, uploaded = true, creating = true, fencing = true }


local function new(seed, script, fixed, trace)
  local tape = tapes.new(seed, script)
  local plan = plans.draw(tape, fixed)
  local self = setmetatable({
    seed = seed, tape = tape, plan = plan, shape = shapes[plan.shape], trace = trace, lines = {},
    clock = clocks.new(), disk = memory.new(), record = records.new(),
    calls = 0, boots = 1, paused = 0, missed = 0, begun = false, out = {}, last = nil,
    retries = 0, again = {}, -- what the user had sent again, by id: { since, times }
  }, M)
  self.service = self.shape.service.new(self)
  self.requests = self.shape.requests(plan)
  self.randomness = tape:draw("random")
  return self
end


M.new = new


function M:random(bytes)
  local digits = {}
  for i = 1, bytes * 2 do
    digits[i] = ("%x"):format(self.randomness:between(0, 15))
  end
  return table.concat(digits)
end


function M:say(text)
  local line = ("%12.3f  %s"):format(self.clock.time - 1000, text)
  if type(self.trace) == "function" then
    self.trace(line)
  end
end


--- What the job told its user when something failed.
function M:told(what, why, err)
  self.last = { what = what, why = why, err = err }
end


--- What may take so long did not take longer; the time for which a process was stopped is nobody's.
function M:check_time(what, began, seconds)
  local over = self.clock.time - began - seconds - self.paused
  if over > SLACK then
    self.record:violate("%s %g s took %g s longer", what, seconds, over)
  end
end


--- The user looks how the job stands; what it keeps in memory and open has a bound.
function M:look(process, job)
  tostring(job)
  local parts = #(job:status().parts or {})
  local most = MOST_KEPT + parts * MOST_OF_PART + (self.plan.concurrency + 1) * MOST_OF_CALL
  local kept = footprint.of(faces.engine(job))
  self.kept_fields = math.max(self.kept_fields or 0, kept)
  if kept > most then
    self.record:violate("the job keeps %d fields in memory, %d parts and %d at once explain %d", kept, parts,
      self.plan.concurrency, most)
  end
  local open = self.disk:open_files() - process.open_before -- those of the dead are not closed
  if open > MOST_OPEN + 2 * (self.plan.concurrency + 1) then
    self.record:violate("%d files are open", open)
  end
end


--- What a submit promises: all of it is at the service.
function M:check_submitted(job, status)
  for _, part in ipairs(status.parts or {}) do
    if not_there[part.state] then
      self.record:violate("part %d is %s, and the job says that all is submitted", part.part, part.state)
    end
  end
  local engine = faces.engine(job)
  for i = 1, engine.has_parts and 0 or self.plan.count do
    local id = "r-" .. i
    if not (engine.store:has(i) or self.record.sent[id] or self.record.answers[id]) then
      self.record:violate("%s was not sent, and the job says that all is submitted", id)
    end
  end
end


--- The user has failed requests sent again: `chosen`, by number.
function M:sent_again(chosen, attempts)
  self.retries = self.retries + 1
  for index in pairs(chosen) do
    local id = "r-" .. index
    self.again[id] = { since = self.record.marks, times = (self.again[id] or { times = 0 }).times + attempts }
    self.out[index] = nil
  end
end


--- The user cancels the job: what is not answered then may say so.
function M:cancelled()
  self.was_cancelled = true
  for i = 1, self.plan.count do
    for _, code in ipairs{ "cancelled", "canceled" } do
      self.record:allow("r-" .. i, code)
    end
  end
end


--- All results were read: what belongs to nobody is there too.
function M:read_all(job)
  self.kept = {}
  local lines = job:unclaimed()
  while true do
    local line, why, err = lines:next()
    if why and not (self.flipped and err.code == "unclaimed_damaged") then
      return self.record:violate("unclaimed lines: %s", tostring(why))
    elseif line == nil and not why then
      return
    end
    if line then
      self.kept[line:gsub("^\239\187\191", ""):gsub("\r$", "")] = true
    end
  end
end


--- A result was given to the user: a later one for the same request must not contradict it.
function M:handed_out(result)
  invariants.handed_out(self, result)
end


local function death_of(tape)
  local how = tape:event("process.killed", function(draw)
    return draw:chance(0.5) and math.floor(draw:wide(1, 400)) or -math.floor(draw:wide(1, 200))
  end)
  if not how then
    return nil
  end
  return how > 0 and { seam = how } or { disk = -how }
end


--- A bit of a file is another one than it was.
local function flip(self)
  local names = {}
  for name, size in pairs(self.disk:names()) do
    if name ~= "lock" and size > 0 then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  local place = #names > 0 and self.tape:event("disk.flip", function(draw) return draw:real() end)
  if place then
    local name = names[1 + math.floor(place * #names)]
    local bits = self.disk:names()[name] * 8
    local bit = math.floor(place * #names % 1 * bits)
    if self.trace then
      self:say(("bit %d of %s is flipped"):format(bit, name))
    end
    self.disk:flip(name, bit)
    self.flipped = true
  end
end


--- Did the job say that its files are damaged, as it should?
local function is_told_of_damage(self)
  local err = self.last and self.last.err
  return self.flipped and err and (err.kind == "job" or err.damage ~= nil)
end


--- Between two processes: the power may have gone, time passes, bits rot.
local function between(self, died)
  local draw, tape = self.tape:draw("between"), self.tape
  local outage = died and draw:chance(0.7)
  self.boots = self.boots + (outage and 1 or 0)
  self.disk:crash(outage and draw:between(1, 2 ^ 30) or 0)
  self.clock:pass(draw:wide(0.1, 3000))
  local jump = tape:event("clock.jump", function(s) return s:pick{ -7200, -100, 100, 90000 } end)
  if jump then
    self.clock.offset = self.clock.offset + jump
  end
  flip(self)
end


--- Is there another reason for a result to say so?
function M:explains(id, code)
  if self.was_cancelled and (code == "token_limit_exceeded" or code == "invalid_file") then
    return true -- why its batch failed, which is not made anew
  end
  if self.flipped and code == "damaged" then
    return true
  elseif code == "unknown_outcome" and self.tape.met["list.empty_page"] then
    return true -- the list could not be gone through
  end
  if (code == "connect" or code == "timeout" or code == "http") and self.missed > 5
    and (self.plan.attempts > 1 or self.again[id] or not self.record.sent[id]) then
    return true -- given up: not submitted, and it was not
  end
  local reasons = { uncollected = true, gone = true }
  if not reasons[code] then
    return false
  end
  for _, batch in ipairs(self.record.batches) do
    for _, one in ipairs(batch.requests) do
      if one == id and self.service:lacks(batch) then
        return true
      end
    end
  end
  return false
end


--- Lets processes come to the job until one has read all results.
local function live(self)
  for number = 1, MOST_PROCESSES do
    if number > PROCESSES then
      self.tape.calm, self.outage = true, 0
    end
    self.last = nil
    local process = process_of.new(self, number, death_of(self.tape))
    self.processes = number
    local ok, results = process:run(program.main)
    self.died = self.died or ok == false
    if ok == nil then
      self.record:violate("the program raised: %s", tostring(results))
      return nil
    elseif ok and results then
      return results
    elseif not self.plan.durable then
      return nil
    elseif ok and is_told_of_damage(self) then
      if self.salvage or not self.tape:event("job.salvaged") then
        return nil
      end
      self.salvage = true
    end
    wire.died(process, self.plan.count)
    between(self, not ok)
  end
  self.record:violate("the job does not end: %s", self.last and tostring(self.last.why) or "it said nothing")
end


--- Runs a seed. `violations` is empty when all promises were kept.
---@param seed integer
---@param script table|nil what is to happen, and nothing else
---@param fixed table|nil parts of the plan that are not drawn
---@param trace fun(line: string)|nil
---@return table run { violations, taken, plan, … }
function M.run(seed, script, fixed, trace)
  local self = new(seed, script, fixed, trace)
  local ok, results = pcall(live, self)
  if not ok then
    self.record:violate("%s", tostring(results))
  else
    local fine, why = pcall(invariants.check, self, results)
    if not fine then
      self.record:violate("invariants: %s", tostring(why))
    end
  end
  return { seed = seed, violations = self.record.violations, taken = self.tape.taken, plan = self.plan,
    processes = self.processes, calls = self.calls, time = self.clock.time - 1000, world = self }
end


return M
