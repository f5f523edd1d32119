-- How a batch goes from state to state: a function of the virtual clock, of the durations in the settings (or in the
-- batch's own metadata.sandbox), and of two pieces of work: checking the request file and writing the results.
local clock = require("clock")
local engine = require("engine")
local files = require("openai_files")
local json = require("json")
local settings = require("settings")
local store = require("store")
local work = require("openai_work")

local M = {}

M.fields = {
  "id", "object", "endpoint", "errors", "input_file_id", "completion_window", "status", "output_file_id",
    "error_file_id",
  "created_at", "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at",
    "cancelling_at",
  "cancelled_at", "metadata",
}

local ROUNDING = 1e-6 -- a time since 1970 is known to a quarter of a microsecond
local TERMINAL = { completed = true, failed = true, expired = true, cancelled = true }


-- Reads metadata.sandbox: words and NAME=VALUE pairs, see README.md.
function M.wishes(metadata)
  local wishes = {}
  for word in (type(metadata) == "table" and metadata.sandbox or ""):gmatch("%S+") do
    local name, value = word:match("^([%w_]+)=(.+)$")
    if name then
      wishes[name] = tonumber(value) or value
    else
      wishes[word] = true
    end
  end
  return wishes
end


local function duration(batch, stage)
  return tonumber(batch.wishes[stage]) or settings.get().batch[stage]
end


local function running_time(batch)
  return duration(batch, "in_progress") + settings.get().batch.per_line * (batch.total or 0)
end


-- How many lines, from the top, are done at a time.
local function lines_done(batch, now)
  if not batch.in_progress_at then
    return 0
  end
  local span = running_time(batch)
  local part = span > 0 and (now - batch.in_progress_at) / span or 1
  part = math.min(math.max(0, math.min(part, tonumber(batch.wishes.expire) or 1)) + ROUNDING, 1)
  return math.floor((batch.total or 0) * part)
end


-- The request_counts at a time.
function M.counts(batch, now)
  if batch.counts then
    return batch.counts
  elseif not batch.in_progress_at then
    return { total = 0, completed = 0, failed = 0 }
  end
  local done = lines_done(batch, batch.cancelling_at or now)
  local failed = math.floor(done * batch.failing / math.max(batch.total, 1))
  return { total = batch.total, completed = done - failed, failed = failed }
end


-- Does a batch that has ended name its files? It may come to that only later.
function M.is_named(batch, now)
  local ended = batch[batch.status .. "_at"]
  return not (TERMINAL[batch.status] and ended) or now >= ended + (tonumber(batch.wishes.unnamed) or 0)
end


-- Writes the results of the first `count` lines; `reason` is why the others have none.
local function write_results(batch, count, reason)
  engine.work("results " .. batch.id, function()
    local results = work.results(batch, count, reason)
    local fresh = store.get("batch", batch.id)
    if not fresh then
      return
    end
    for name, value in pairs(results) do
      fresh[name] = value
    end
    fresh.written = true
    store.put("batch", fresh)
    M.advance(fresh)
  end)
end


-- When a batch broke whose input was deleted while it ran, where the service has no copy of its own.
local function broken_at(batch, at)
  local gone = settings.get().deleted_input == "break" and files.gone_at(batch.input_file_id)
  return gone and gone < at and math.max(gone, batch.in_progress_at) or nil
end


local function check_input(batch)
  engine.work("check " .. batch.id, function()
    local file = files.find(batch.input_file_id)
    local input = file and work.keep_input(batch, file)
    local found = work.check(batch, file)
    found.input = input
    local fresh = store.get("batch", batch.id)
    if fresh then
      for name, value in pairs(found) do
        fresh[name] = value
      end
      fresh.checked = true
      store.put("batch", fresh)
      M.advance(fresh)
    end
  end)
end


-- One step per state: gives the next status and when it came, or nil while there is none.
local steps = {}


function steps.validating(batch, now)
  if not batch.checked then
    check_input(batch)
    return nil
  end
  local at = batch.created_at + duration(batch, "validating")
  if now < at then
    return nil
  end
  return batch.errors and "failed" or "in_progress", at
end


function steps.in_progress(batch, now)
  local window_end = batch.created_at + (tonumber(batch.wishes.window) or batch.expires_at - batch.created_at)
  local at = batch.in_progress_at + running_time(batch)
  local endless = batch.unending or batch.wishes.expire
  local broken = broken_at(batch, at)
  if broken then
    if not batch.written then
      write_results(batch, lines_done(batch, broken), "cancelled")
      return nil
    end
    batch.errors = { object = "list", data = { { code = "input_deleted", message = "The input file is gone.",
      line = json.null, param = json.null } } }
    return "failed", broken
  end
  if not endless and at <= window_end then
    return now >= at and "finalizing" or nil, at
  elseif now < window_end then
    return nil
  elseif not batch.written then
    write_results(batch, lines_done(batch, window_end), "expired")
    return nil
  end
  return "expired", window_end
end


function steps.finalizing(batch, now)
  if not batch.written then
    write_results(batch, batch.total, nil)
    return nil
  end
  local at = batch.finalizing_at + duration(batch, "finalizing")
  return now >= at and "completed" or nil, at
end


function steps.cancelling(batch, now)
  local at = batch.cancelling_at + duration(batch, "cancelling")
  if now < at then
    return nil
  elseif batch.in_progress_at and not batch.written then
    write_results(batch, lines_done(batch, batch.cancelling_at), "cancelled")
    return nil
  end
  return "cancelled", at
end


-- Brings a batch to where it is now; gives it back.
function M.advance(batch)
  local now, changed = clock.now(), false
  while not TERMINAL[batch.status] do
    local status, at = steps[batch.status](batch, now)
    if not status then
      break
    end
    batch.status = status
    batch[status .. "_at"] = at
    changed = true
  end
  if changed then
    store.put("batch", batch)
  end
  return batch
end


-- Begins to cancel; false when the batch has ended already.
function M.cancel(batch)
  if TERMINAL[batch.status] or batch.status == "cancelling" then
    return batch.status == "cancelling"
  end
  batch.status, batch.cancelling_at, batch.written = "cancelling", clock.now(), nil
  store.put("batch", batch)
  return true
end


engine.register("openai", function(id)
  local batch = store.get("batch", id)
  return not batch or TERMINAL[M.advance(batch).status]
end, function()
  local each = store.each("batch")
  return function()
    for batch in each do
      if not TERMINAL[batch.status] then
        return batch.id
      end
    end
  end
end)

return M
