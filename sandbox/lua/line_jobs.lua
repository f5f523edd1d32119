-- Jobs over lines of { custom_id, body }, for the services whose batches are not OpenAI's: queued, running (lines are
-- done
-- one after another), cancelling, ended; then the results are written. What a line's result looks like is the
-- service's.
local boot = require("boot")
local clock = require("clock")
local disk = require("disk")
local engine = require("engine")
local json = require("json")
local magic = require("magic")
local pacer = require("pacer")
local results = require("openai_results")
local settings = require("settings")
local store = require("store")

local M = {}
local ROUNDING = 1e-6 -- a time since 1970 is known to a quarter of a microsecond
local rules = {}


local function duration(job, stage)
  return tonumber(job.wishes[stage]) or settings.get().batch[stage]
end


local function lines_done(job, at)
  local span = duration(job, "in_progress") + settings.get().batch.per_line * job.total
  local part = span > 0 and (at - job.started) / span or 1
  return math.floor(job.total * math.min(math.max(0, math.min(part, tonumber(job.wishes.expire) or 1)) + ROUNDING, 1))
end

M.lines_done = lines_done


-- Runs every line through the service's `line(job, request, reason, outcome, raw)`; reason is nil for lines that ran.
local function write_results(job, count, cause)
  engine.work(job.kind .. " " .. job.id, function()
    local outcome = { files = {} }
    local plan = results.plan(job)
    for _, name in ipairs(rules[job.kind].files) do
      outcome.files[name] = results.writer(boot.directory .. "/files/" .. job.id .. "-" .. name, job, plan)
    end
    local pace = pacer()
    for text, number in disk.lines(job.range) do
      local request = json.decode(text)
      local undone = number > count or magic.of(request.body).never
      rules[job.kind].line(job, request, undone and (cause == "completed" and "expired" or cause) or nil, outcome, text)
      pace()
    end
    for _, writer in pairs(outcome.files) do
      writer:close()
    end
    local fresh = store.get(job.kind, job.id)
    if fresh then
      rules[job.kind].ended(fresh, outcome)
      fresh.phase, fresh.cause, fresh.ended = "ended", cause, math.max(job.due, job.created)
      store.put(job.kind, fresh)
    end
  end)
end


-- When and how a job that is running ends by itself.
local function own_end(job)
  local window = job.created + (tonumber(job.wishes.window) or job.window)
  local at = job.started + duration(job, "in_progress") + settings.get().batch.per_line * job.total
  if job.unending or job.wishes.expire or at > window then
    return window, "expired"
  end
  return at, "completed"
end


-- Brings a job to where it is now; gives it back.
function M.advance(job)
  local now = clock.now()
  if job.phase == "queued" and now >= job.created + duration(job, "validating") then
    job.phase, job.started = "running", job.created + duration(job, "validating")
    store.put(job.kind, job)
  end
  if job.phase == "running" then
    local at, cause = own_end(job)
    if now >= at then
      job.due = at
      write_results(job, cause == "completed" and job.total or lines_done(job, at), cause)
    end
  elseif job.phase == "cancelling" then
    local at = job.cancelled + duration(job, "cancelling")
    if now >= at then
      job.due = at
      write_results(job, job.started and lines_done(job, job.cancelled) or 0, "cancelled")
    end
  end
  return job
end


-- False when the job has ended already.
function M.cancel(job)
  if job.phase == "ended" then
    return false
  end
  if job.phase ~= "cancelling" then
    job.phase, job.cancelled = "cancelling", clock.now()
    store.put(job.kind, job)
  end
  return true
end


-- Starts a job: { id, range (of JSON lines), total, wishes, window, ... }.
function M.start(kind, job)
  job.kind, job.phase, job.created = kind, "queued", clock.now()
  store.put(kind, job)
  engine.watch(kind, job.id)
  return job
end


-- Writes requests to a file of lines, as start() wants them.
function M.save(requests)
  local path = boot.directory .. "/files/lines-" .. store.serial("lines")
  local handle, size = assert(io.open(path, "wb")), 0
  for _, request in ipairs(requests) do
    local text = json.encode(request) .. "\n"
    size = size + #text
    assert(handle:write(text))
  end
  assert(handle:close())
  return { path = path, offset = 0, length = size }
end


-- Declares a kind of job: { files = { names }, line = function, ended = function(job, outcome) }.
function M.define(kind, rule)
  rules[kind] = rule
  engine.register(kind, function(id)
    local job = store.get(kind, id)
    return not job or M.advance(job).phase == "ended"
  end, function()
    local each = store.each(kind)
    return function()
      for job in each do
        if job.phase ~= "ended" then
          return job.id
        end
      end
    end
  end)
end


return M
