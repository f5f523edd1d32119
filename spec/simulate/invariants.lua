--- What must be true of every run, checked against the world's own record.

local core = require("batchapi.core")

local M = {}


local function mark_of(result)
  local body = result.body
  if type(body) ~= "table" then
    return nil
  end
  return body.mark or type(body.data) == "table" and body.data.mark or nil
end


--- The codes of an answer that say that something was received.
local function says(result)
  return result.ok and "ok" or result.error and result.error.code or "?"
end


function M.handed_out(world, result)
  local before = world.out[result.index]
  local now = says(result) .. "/" .. tostring(mark_of(result))
  local may_change = before and (before:find("^uncollected") or before:find("^gone"))
  if before and before ~= now and not may_change then
    world.record:violate("request %d: handed out as %s, then as %s", result.index, before, now)
  end
  world.out[result.index] = now
end


local function check_count(world, results)
  local seen, last = {}, 0
  for _, result in ipairs(results) do
    local index = result.index
    if seen[index] then
      world.record:violate("request %d has two results", index)
    elseif world.plan.ordered and index ~= last + 1 then
      world.record:violate("request %d comes after %d in an ordered job", index, last)
    end
    seen[index], last = result, index
  end
  for index = 1, world.plan.count do
    if not seen[index] then
      world.record:violate("request %d has no result", index)
    end
  end
  return seen
end


--- The answers that could be had, of those that settle a request: with further attempts the failures
--- that are repeated settle nothing.
local function settling(world, id)
  local list, any = {}, {}
  for _, answer in ipairs(world.record.answers[id] or {}) do
    local batch = answer.batch and world.service.by_id and world.service.by_id[answer.batch]
    local there = answer.readable and not answer.lost and (not batch or world.service:reachable(batch, answer))
    any[#any + 1] = answer
    local settles = not (answer.unrun and batch or answer.retryable and world.plan.attempts > 1)
    if there and settles and not (batch and batch.shadow) then
      list[#list + 1] = answer
    end
  end
  return list, any
end


local function matches(result, answer)
  if answer.ok then
    return result.ok and mark_of(result) == answer.mark
  elseif mark_of(result) == answer.mark then
    return not result.ok
  end
  return not result.ok and result.error.code == answer.code
end


--- A result is an answer that the service made; it may be something else only where none could be had.
local function check_answer(world, id, result)
  local list, any = settling(world, id)
  for _, answer in ipairs(any) do
    if matches(result, answer) then
      return
    end
  end
  local code = says(result)
  if #list > 0 then
    world.record:violate("%s: the service made the answer %s (%s), the result says %s: %s", id, list[1].mark,
      list[1].ok and "ok" or tostring(list[1].code), code, tostring((result.error or {}).message))
  elseif result.ok then
    world.record:violate("%s: a result (%s) that the service never made", id, tostring(mark_of(result)))
  elseif not (world.record.allowed[id] or {})[code] and not world:explains(id, code) then
    world.record:violate("%s: says %s (%s), and nothing happened that could be its reason", id, code,
      tostring((result.error or {}).message))
  end
end


--- Nothing is done twice but what may be: after an answer that says that a repeat may help.
local function check_sent(world, id)
  local times = 0
  for _, entry in ipairs(world.record.sent[id] or {}) do
    if not entry.shadow and not entry.unrun then
      times = times + 1
    end
  end
  local retryable = 0
  for _, answer in ipairs(world.record.answers[id] or {}) do
    if answer.retryable and not answer.unrun then
      retryable = retryable + 1
    end
  end
  local most = 1 + math.min(world.plan.attempts - 1, retryable)
  if times > most then
    world.record:violate("%s was carried out %d times, %d are explained", id, times, most)
  end
end


--- What was deleted had been read, and all of it.
local function check_deletes(world, seen)
  for _, entry in ipairs(world.record.deletes) do
    local batch = entry.file.batch
    if batch and batch.bad then
      world.record:violate("cleanup deleted %s of %s, of which not every answer could be read", entry.file.id, batch.id)
    end
  end
  return seen
end


local function check_disk(world)
  collectgarbage()
  local open = world.disk:open_files()
  if open > 0 then
    world.record:violate("%d files are still open at the end", open)
  end
end


function M.check(world, results)
  local seen = check_count(world, results)
  for index = 1, world.plan.count do
    local id = "r-" .. index
    if seen[index] then
      check_answer(world, id, seen[index])
    end
    check_sent(world, id)
  end
  check_deletes(world, seen)
  if world.plan.check_disk then
    check_disk(world)
  end
end


M.core = core

return M
