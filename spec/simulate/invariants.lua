--- What must be true of every run, checked against the world's own record.

local core = require("batchapi.core")
local lines = require("simulate.lines")
local paths = require("batchapi.util.path")

local M = {}

local sorted = { sort_keys = true }


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
    or world.salvage and now:find("^damaged")
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


--- The batch of the same file that the network made of a doubled creation, or nil. (README.md, "Submitting
--- once": that a network does this is what the protocol cannot know.)
local function twin(world, batch)
  for _, other in ipairs(batch.file and world.record.batches or {}) do
    if other ~= batch and other.file == batch.file and other.shadow then
      return other
    end
  end
end


--- Does the job go by the twin of a batch? Then that one's answers count.
local function is_passed_over(world, batch)
  local other = not batch.polled and twin(world, batch)
  return other and other.polled or false
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
      and tonumber(answer.mark and answer.mark:match("%d+") or math.huge) > (world.again[id] or { since = 0 }).since
    if there and settles and not (batch and (batch.shadow or batch.lost or is_passed_over(world, batch))) then
      list[#list + 1] = answer
    end
  end
  return list, any
end


local bodies = { openai = "response.body", mistral = "response.body", anthropic = "result.message" }


--- Of an answer that came as a line everything must be there, byte for byte where the line is given.
local function check_whole(world, id, result, answer)
  local form = world.service.by_id and (world.service.by_id[answer.batch] or {}).form
  if not form or not answer.readable then
    return
  end
  local body = not answer.odd and answer.ok and paths.get(core.decode(answer.line), bodies[form])
  if body and core.encode(body, sorted) ~= core.encode(result.body, sorted) then
    world.record:violate("%s: the body is not the one that came: %s", id, core.encode(result.body))
  elseif (result.repaired ~= nil) ~= (answer.odd or false) and not result.error
    and not tostring(result.repaired):find("byte order mark") then
    world.record:violate("%s: repaired says %s", id, tostring(result.repaired))
  elseif world.plan.raw and not result.raw then
    world.record:violate("%s: the result of a line has no raw", id)
  end
end


--- The line of a result as it came, without what ends or marks it.
local function line_of(world, result)
  return world.plan.raw and result.raw and result.raw:gsub("^\239\187\191", ""):gsub("\r$", "")
end


local function matches(result, answer, line)
  if line and answer.line and line ~= answer.line then
    return false
  end
  if answer.ok then
    return result.ok and mark_of(result) == answer.mark
  elseif mark_of(result) == answer.mark then
    return not result.ok
  end
  return not result.ok and result.error.code == answer.code
end


--- What is wrong with a result that must be an answer that the service made, or nil.
function M.wrong(world, id, result)
  for _, answer in ipairs(world.record.answers[id] or {}) do
    if matches(result, answer) then
      return nil
    end
  end
  return ("%s is %s (%s), which the service never said"):format(id, says(result), tostring(mark_of(result)))
end


--- A result is an answer that the service made; it may be something else only where none could be had.
local function check_answer(world, id, result)
  local list, any = settling(world, id)
  local line = line_of(world, result)
  for _, answer in ipairs(any) do
    if matches(result, answer, line) then
      return check_whole(world, id, result, answer)
    end
  end
  local code = says(result)
  if #list > 0 and not world:explains(id, code) then
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
  local times, doubled = 0, 0
  for _, entry in ipairs(world.record.sent[id] or {}) do
    if not entry.shadow and not entry.unrun then
      times = times + 1
      doubled = entry.batch and twin(world, entry.batch) and 1 or doubled
    end
  end
  local retryable = 0
  for _, answer in ipairs(world.record.answers[id] or {}) do
    if answer.retryable and not answer.unrun then
      retryable = retryable + 1
    end
  end
  local most = 1 + math.min(world.plan.attempts - 1, retryable) + doubled + (world.again[id] or { times = 0 }).times
  if times > most then
    world.record:violate("%s was carried out %d times, %d are explained", id, times, most)
  end
end


--- What was deleted had been read, and all of it.
local function check_deletes(world)
  for _, entry in ipairs(world.record.deletes) do
    local batch = entry.file.batch
    if batch and batch.bad then
      world.record:violate("cleanup deleted %s of %s, of which not every answer could be read", entry.file.id, batch.id)
    end
  end
end


--- What belonged to no request was kept, if its file was read.
local function check_unclaimed(world)
  for _, entry in ipairs(world.record.unclaimed) do
    local file = world.service.files and world.service.files[entry.errors and entry.batch.errors or entry.batch.output]
    if file and file.read and not file.gone and not lines.is_page(file.content) and not world.kept[entry.line] then
      world.record:violate("a line that belongs to nobody was thrown away: %s", entry.line)
    end
  end
end


--- Nothing is sent again because a wait ended: what is uploaded once more has a reason.
local function check_uploads(world)
  local failed = 0
  for _, batch in ipairs(world.record.batches) do
    failed = failed + (batch.state == "failed" and 1 or 0)
  end
  for content, times in pairs(world.record.uploads) do
    if times > world.plan.attempts - 1 + world.retries + world.missed + world.processes + failed + #world.record.deletes then
      world.record:violate("a file of %d bytes was uploaded %d times", #content, times)
    end
  end
end


--- A process that ended by itself has closed what it opened.
local function check_disk(world)
  local open = world.disk:open_files()
  if world.processes == 1 and not world.died and open > 0 then
    world.record:violate("%d files are still open at the end", open)
  end
end


---@param world table
---@param results table[]|nil all of them, if they were read
function M.check(world, results)
  local seen = results and check_count(world, results) or {}
  for index = 1, world.plan.count do
    local id = "r-" .. index
    if seen[index] then
      check_answer(world, id, seen[index])
    end
    check_sent(world, id)
  end
  check_deletes(world)
  if results and not world.flipped then
    check_unclaimed(world)
  end
  check_uploads(world)
  check_disk(world)
end

return M
