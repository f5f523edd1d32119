--- A simulated service's batches: accepted, validated, run, ended; what they leave behind.

local lines = require("simulate.lines")

local M = {}


--- Accepts a batch. `requests` is a list of ids, in the order of its lines.
---@param world table
---@param service table
---@param given table { file, token, requests, form, doomed }
function M.accept(world, service, given)
  local tape, clock = world.tape, world.clock
  local draw = tape:draw("batch")
  service.last = service.last + 1
  local batch = {
    id = ("batch_%d"):format(service.last), number = service.last, file = given.file, token = given.token,
    metadata = given.metadata, requests = given.requests, form = given.form, created = math.floor(clock:wall()),
    state = "validating", completed = 0, failed = 0, doomed = given.doomed, shadow = given.shadow,
    listed_at = clock.time, found_at = clock.time,
  }
  local most = world.plan.settle * 0.4
  local late = tape:event("list.late", function(s) return s:real() * most end)
  batch.listed_at = clock.time + (late or 0)
  late = tape:event("batch.late", function(s) return s:real() * most end)
  batch.found_at = clock.time + (late or 0)
  service.batches[#service.batches + 1] = batch
  service.by_id[batch.id] = batch
  world.record.batches[#world.record.batches + 1] = batch
  clock:after(draw:wide(0.2, 20), function()
    M.validate(world, service, batch, draw)
  end)
  return batch
end


--- Is a batch not found just now? Never twice in a row: what is not found again and again is gone.
function M.is_hidden(world, batch)
  batch.hidden = not batch.hidden and world.tape:event("batch.hidden") or false
  return batch.hidden
end


local function fail(batch, code, message, line)
  batch.state = "failed"
  batch.reasons = batch.reasons or {}
  table.insert(batch.reasons, { code = code, message = message, line = line })
end


local ways_to_fail = { openai = { "queue", "not_yet", "line", "reason" }, mistral = { "reason" }, anthropic = { "none" } }


local function failure_of(world, batch)
  return world.tape:event("batch.fails", function(draw)
    return draw:pick(ways_to_fail[batch.form])
  end)
end


function M.validate(world, service, batch, draw)
  if batch.state ~= "validating" then
    return
  end
  local file = batch.file and service.files[batch.file]
  if batch.doomed or batch.file and (not file or file.deleted) then
    return fail(batch, "invalid_file", "Cannot find file " .. tostring(batch.file))
  end
  local how = failure_of(world, batch)
  if how == "queue" then
    return fail(batch, "token_limit_exceeded", "Enqueued token limit reached")
  elseif how == "not_yet" then
    return fail(batch, "invalid_file", "Cannot find file yet")
  elseif how == "line" or how == "reason" then
    local line, other = how == "line" and draw:between(1, #batch.requests) or nil, nil
    fail(batch, "invalid_json", "This line is not parseable as valid JSON.", line)
    if line and line < #batch.requests then
      other = line + 1
      fail(batch, "duplicate_custom_id", "The custom_id is not unique.", other)
    end
    for i, id in ipairs(batch.requests) do -- each its own reason; those that have none, the first
      world.record:allow(id, line and i ~= line and (i == other and "duplicate_custom_id" or "failed") or "invalid_json")
      if batch.form == "mistral" then -- whose reasons have no code
        world.record:allow(id, "failed")
      end
    end
    return
  end
  batch.state = "in_progress"
  batch.runs, batch.entries = true, {}
  for i, id in ipairs(batch.requests) do
    local sent = world.record.sent
    sent[id] = sent[id] or {}
    batch.entries[i] = { batch = batch, shadow = batch.shadow, unrun = false }
    sent[id][#sent[id] + 1] = batch.entries[i]
  end
  world.clock:after(draw:wide(1, world.plan.slowest), function()
    M.finish(world, service, batch)
  end)
end


--- How many of its requests a batch comes to, and what its end is called.
local function how_it_ends(world, batch)
  local tape, count = world.tape, #batch.requests
  local function share(draw)
    return draw:between(0, count - 1)
  end
  if batch.cancelling then
    return batch.cancel_at or 0, "cancelled"
  end
  local done = tape:event("batch.expires", share)
  if done then
    return done, "expired"
  end
  done = tape:event("batch.cancelled", share)
  if done then
    return done, "cancelled"
  end
  return count, "completed"
end


local function write_answers(world, batch, done, word)
  local tape = world.tape
  local out, errors = {}, {}
  local silent = word ~= "completed" and tape:draw("silent"):chance(0.5)
  for i, id in ipairs(batch.requests) do
    if i <= done then
      local answer = lines.answer(world, batch.form, id, batch)
      answer.in_errors = not answer.ok and lines.has_two_files(batch.form)
      lines.put(world, answer.in_errors and errors or out, id, answer, batch, word)
    elseif batch.form == "anthropic" or batch.form == "openai" and word == "expired" and not silent then
      local code = word == "expired" and (batch.form == "openai" and "batch_expired" or "expired") or "canceled"
      local answer = lines.unanswered(world, batch.form, id, batch, code)
      answer.in_errors = batch.form == "openai"
      lines.put(world, answer.in_errors and errors or out, id, answer, batch, word)
      world.record:allow(id, code)
      world.record:allow(id, word)
    else
      world.record:answer(id, { batch = batch.id, retryable = word == "expired", unrun = true, readable = false })
      world.record:allow(id, word)
    end
    batch.entries[i].unrun = i > done
  end
  return out, errors
end


function M.finish(world, service, batch)
  if batch.state ~= "in_progress" then
    return
  end
  local clock, tape = world.clock, world.tape
  local done, word = how_it_ends(world, batch)
  local out, errors = write_answers(world, batch, done, word)
  for i = 1, done do
    local list = world.record.answers[batch.requests[i]]
    local ok = list[#list].ok
    batch.completed, batch.failed = batch.completed + (ok and 1 or 0), batch.failed + (ok and 0 or 1)
  end
  batch.state, batch.ended = word, true
  local results, failures = lines.file(world, out, lines.has_two_files(batch.form)),
    batch.failed + #errors > 0 and lines.file(world, errors, true)
  if lines.is_page(results) or failures and lines.is_page(failures) then
    for _, id in ipairs(batch.requests) do
      world.record:allow(id, "uncollected")
    end
  end
  service:leave(batch, results, failures, batch.completed > 0)
  local late = tape:event("names.late", function(draw) return draw:wide(1, 1500) end)
  batch.named_at = clock.time + (late or 0)
end


--- Asks a batch to end.
function M.cancel(world, service, batch)
  if batch.state == "validating" then
    batch.state, batch.ended, batch.named_at, batch.entries = "cancelled", true, world.clock.time, {}
    for i in ipairs(batch.requests) do
      batch.entries[i] = {}
    end
    local out = write_answers(world, batch, 0, "cancelled")
    service:leave(batch, lines.file(world, out, false), false, false)
  elseif batch.state == "in_progress" and not batch.cancelling then
    batch.cancelling = true
    batch.cancel_at = world.tape:draw("cancel"):between(0, #batch.requests)
    world.clock:after(1, function()
      M.finish(world, service, batch)
    end)
  end
end


return M
