--- A job's part, its journal and a service, all scripted: what job/batch/submit.lua does is seen step by step, and
--- time passes only when it sleeps. For specs of the order in which things are recorded and sent.

local definition = require("batchapi.definition")
local states = require("batchapi.job.store.state")

local M = {}

local EPOCH = 1e9 -- the wall clock's lead
local CRASH = {} -- what a step raises at which the process ends


--- A service that remembers files and batches; `late[n]` seconds after the n-th create was sent it takes effect (its
--- answer is then lost), `lost[n]` loses only the answer; `delays[file]` seconds pass until a batch of it is in the
--- list; `doomed`: a create of a file that is gone is accepted, to fail; its clock is `skew` seconds ahead; `place`: where in the list new ones come; `list_fails`: the status
--- with which lists end, after the first `list_shows` batches; `read` counts
--- the batches that were listed.
function M.service(more)
  local service = { files = {}, batches = {}, uploads = 0, creates = 0, late = {}, lost = {}, refuse = {}, events = {},
    delays = {}, skew = 0, read = 0 }
  for name, value in pairs(more or {}) do
    service[name] = value
  end
  return service
end


local function failure(kind, status, message)
  return nil, message or kind, { kind = kind, status = status, message = message or kind, sent = true,
    retryable = kind == "connect" or status == 503 }
end


local function accept(service, file, token, now)
  if not service.files[file] and not service.doomed then
    return nil
  end
  local batch = { id = "batch-" .. #service.batches + 1, input_file_id = file, metadata = { batchapi_part = token },
    created_at = math.floor(now + EPOCH + service.skew), shows = now,
    status = service.files[file] and "in_progress" or "validating",
    request_counts = { total = 1, completed = 0, failed = 0 } }
  batch.ran = service.files[file] ~= nil
  table.insert(service.batches, service.place or #service.batches + 1, batch)
  return batch
end


local operations = {}


function operations.create_file(world)
  local service = world.service
  service.uploads = service.uploads + 1
  local id = "file-" .. (service.same_id or service.uploads)
  service.files[id] = true
  return { id = id }
end


function operations.create_batch(world, known)
  local service = world.service
  service.creates = service.creates + 1
  local n, file, token = service.creates, known.file_id, known.metadata.batchapi_part
  if service.refuse[n] then
    return failure("http", 400, service.refuse[n])
  elseif service.late[n] then
    table.insert(service.events, { at = world.now + service.late[n], run = function()
      accept(service, file, token, world.now)
    end })
    return failure("timeout", nil, "create_batch: no answer")
  end
  local batch = accept(service, file, token, world.now)
  if service.lost[n] then
    return failure("connect", nil, "create_batch: reset")
  elseif not batch then
    return failure("http", 400, "Cannot find file")
  end
  return batch
end


function operations.retrieve_file(world, known)
  if world.service.files[known.file_id] and world.now >= (world.service.visible_at or 0) then
    return { id = known.file_id }
  end
  return failure("http", 404)
end


function operations.delete_file(world, known)
  local service = world.service
  service.deletes = (service.deletes or 0) + 1
  local there = service.files[known.file_id]
  service.files[known.file_id] = nil
  if service.deletes <= (service.lost_deletes or 0) then
    return failure("connect", nil, "delete_file: reset")
  elseif not there then
    return failure("http", 404)
  end
  return { deleted = true }
end


function operations.cancel_batch(world, known)
  for _, batch in ipairs(world.service.batches) do
    if batch.id == known.batch_id then
      batch.status = "cancelled"
      return batch
    end
  end
  return failure("http", 404)
end


local methods = {}
methods.__index = methods


-- One thing that the world sees; the process may end before it, and never knows.
local function step(world, text)
  world.steps = world.steps + 1
  if world.steps == world.crash_at then
    error(CRASH, 0)
  end
  world.trace[#world.trace + 1] = text
end


function methods:call(words, known)
  step(self.world, "> " .. words.operation)
  local value, why, err = operations[words.operation](self.world, known)
  self.world.times[words.operation] = self.world.now
  local date = os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(self.world.now + EPOCH + self.world.service.skew))
  return value, why, err or { status = 200, headers = { date = date } }
end


function methods:record(record, lazy)
  step(self.world, record.type)
  if self.world.full then
    return nil, "the disk is full", { kind = "io", code = "ENOSPC" }
  end
  if not (lazy and self.world.forgetful) then
    table.insert(self.world.journal, record)
  end
  return self.state:apply(record)
end


function methods:sleep(seconds)
  local world = self.world
  local until_then = world.now + seconds
  repeat
    local first
    for i, event in ipairs(world.service.events) do
      if event.at <= until_then and (not first or event.at < world.service.events[first].at) then
        first = i
      end
    end
    if first then
      local event = table.remove(world.service.events, first)
      world.now = math.max(world.now, event.at)
      event.run()
    end
  until not first
  world.now = until_then
  if world.now > world.deadline then
    return nil, "the process is about to end", { kind = "closed" }
  end
  return true
end


function methods:known(number)
  local part = self.state.parts[number]
  return { file_id = part.file_id, batch_id = part.batch_id, metadata = { batchapi_part = self:token(number) } }
end


function methods:token(number)
  return "job/" .. number
end


function methods.create_overrides() end


function methods.breathe() end


function methods.changed() end


--- A job as job/batch/submit.lua and job/batch/fence.lua know it, from what the world's journal says.
function M.job(world)
  local compiled = definition.load("openai")
  local job = setmetatable({ world = world, state = states.new(), definition = compiled, run = compiled.run,
    options = { settle = 60, interval = 1, metadata = {} }, confirmed = true, warnings = {}, troubled = {}, active = 1,
    clock = {
      now = function() return world.now end, wall = function() return world.now + EPOCH end,
      boot = function() return world.boot, world.now + 5000 end,
    },
  }, methods)
  job.client = { _settings = {}, each = function()
    step(world, "> list_batches")
    world.times.list_batches = world.now
    local at, failed = #world.service.batches + 1, world.service.list_fails
    return { next = function()
      if failed and at <= #world.service.batches + 1 - (world.service.list_shows or 0) then
        return nil, "list_batches: " .. failed, { kind = "http", status = failed, retryable = failed >= 500 }
      end
      repeat
        at = at - 1
        local batch = world.service.batches[at]
        world.service.read = world.service.read + 1
        if batch and world.now >= batch.shows + (world.service.delays[batch.input_file_id] or 0) then
          return batch
        end
      until not batch
    end, is_whole = function()
      return true
    end }
  end }
  for _, record in ipairs(world.journal) do
    assert(job.state:apply(record))
  end
  return job
end


--- The journal of a job whose one part was written.
function M.begun()
  return {
    { type = "job", format = 1, version = "0", id = "job", at = EPOCH, service = "openai", origin = "", options = {} },
    { type = "part", part = 1, attempt = 1, first = 1, span = 1, count = 1, bytes = 100, hash = ("0"):rep(64) },
  }
end


--- A world whose journal has a part that was written.
function M.world(service)
  return { service = service or M.service(), now = 1000, deadline = 1e6, boot = "boot", trace = {}, times = {}, steps = 0,
    journal = M.begun() }
end


--- Time passes, and what is under way arrives.
function M.pass(job, seconds)
  job:sleep(seconds)
end


--- Runs f as a process; true, or false when it ended at the world's `crash_at`.
function M.process(f, ...)
  local ok, why = pcall(f, ...)
  assert(ok or why == CRASH, why)
  return ok
end


return M
