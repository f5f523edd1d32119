--- Looking a batch up: was a part's batch made at the service?
---
--- A look is the service's list, newest first, read to a time before the part's first intent. One
--- that was cut short is no look: it says nothing about what it did not show.

local core = require("batchapi.core")
local doubts = require("batchapi.watch.doubt")
local paths = require("batchapi.util.path")
local template = require("batchapi.definition.template")
local timestamp = require("batchapi.util.timestamp")
local trouble = require("batchapi.watch.patience")

local M = {}

-- Batches older than this before the first intent are not looked at; by the service's own clock,
-- which gives whole seconds and may differ a little between its machines.
local MARGIN = 600
-- So many in a row must be older: no service promises that no two change places.
local OLDER = 100
-- Where the service's clock was not known: ours may be wrong by hours.
local UNDATED = 86400


--- Remembers how the service's clock differs from ours, from the Date of an answer.
---@param job table
---@param response table|nil an answer's, or a failure's
function M.note_date(job, response)
  local date = response and response.headers and response.headers.date
  local seconds = type(date) == "string" and core.http_date(date)
  if seconds then
    job.service_ahead = seconds - job.clock.wall()
  end
end


--- The service's time now; nil when it never told.
---@param job table
---@return number|nil
function M.service_time(job)
  return job.service_ahead and job.clock.wall() + job.service_ahead
end


--- The time before which no batch of this part can have been made; nil: nobody knows.
local function horizon(part)
  local first = part.first_intent
  if not first then
    return nil
  end
  return first.date and first.date - MARGIN or first.at - UNDATED
end


--- One whole look: all batches with the part's token.
---@param job table
---@param part table
---@return table[]|nil matches { id, file, created, item }
---@return string|nil message why this was no look
---@return table|nil err
---@return table[]|nil seen then: what there was before
function M.look(job, part)
  local words = job.run.lookup
  local token, since = job:token(part.part), horizon(part)
  local items = job.client:each(words.operation, template.fill(words.query or {}, {
    since = since and timestamp.iso(since) }))
  local matches, older = {}, 0
  while true do
    local item, why, err = items:next()
    if err then
      return nil, why, err, matches
    elseif item == nil and items:is_whole() then
      return matches
    elseif item == nil then
      return nil, "a page of the list was empty, and others came behind it",
        { kind = "decode", code = "list_broken", status = 200, sent = true }, matches
    end
    local created = words.created and paths.get(item, words.created)
    created = type(created) == "number" and created or nil
    if paths.get(item, words.token) == token then
      matches[#matches + 1] = {
        id = paths.get(item, words.id), file = words.file and paths.get(item, words.file), created = created,
        item = item,
      }
    end
    older = created and since and created < since and older + 1 or 0
    if older == OLDER then
      return matches
    end
    job:breathe()
  end
end


--- Which of them is the one we made: the oldest of the current input file. A batch of an earlier
--- file may be a late create's, accepted only to fail.
---@param job table
---@param part table
---@param matches table[]
---@return table|nil match
function M.current(job, part, matches)
  local by_file = job.run.lookup.file ~= nil
  local found
  for _, match in ipairs(matches) do
    local ours = not part.past[match.id] and (not by_file or match.file == part.file_id)
    if ours and (not found or (match.created or 0) <= (found.created or 0)) then
      found = match
    end
  end
  return found
end


--- Is it in vain to ask again? What may pass is waited out (the job has its deadline). A no, and a
--- list that cannot be gone through, are believed when the service has had time to come right; what
--- is ours to mend (credentials, a closed client, the disk) at once.
---@param job table
---@param part table
---@param err table
---@param doubt batchapi.Doubt
---@param asked number when it was asked
---@return boolean
function M.is_vain(job, part, err, doubt, asked)
  local waited = job.clock.now() - doubt.began
  local heard = job.confirmed or part.file_id ~= nil -- the service has answered before
  if err.code ~= "list_broken" and trouble.is_endured(err, heard, waited) then
    doubt:interrupted()
    return false
  end
  return err.kind == "auth" or not err.status or doubt:heard(asked)
end


--- How long a no to such a question is not believed.
---@param job table
---@return batchapi.Doubt
function M.doubt(job)
  return doubts.new(job.clock, job.options.settle, 2)
end


--- Looks again and again until the batch is found, or a look that began after the settling time
--- has found none.
---@param job table
---@param part table
---@param waited fun(): number how much of the settling time is over
---@return table|false|nil match false: there is none; nil: nobody knows
---@return table[]|string|nil matches of the last look; a message
---@return table|nil err
function M.over(job, part, waited)
  local settle = job.options.settle
  local pause, failing = math.min(1, settle / 4), nil -- failing: the doubt that the list cannot be read
  while true do
    local asked = job.clock.now()
    local over = waited() >= settle -- before the look: what it does not show is not there
    local matches, why, err, seen = M.look(job, part)
    local found = M.current(job, part, matches or seen)
    failing = not (matches or found) and (failing or M.doubt(job)) or nil
    trouble.note(job, part, failing and trouble.more(part.trouble, why, job.clock.wall()))
    if found or matches and over then
      return found or false, matches or seen
    elseif failing and M.is_vain(job, part, err, failing, asked) then
      trouble.note(job, part, nil)
      return nil, why, err
    end
    local rest = err and err.retry_after or math.min(pause, over and pause or settle - waited())
    local ok
    ok, why, err = job:sleep(math.max(rest, 0.01))
    if not ok then
      return nil, why, err
    end
    pause = math.min(pause * 1.5, math.max(1, settle / 4))
  end
end


return M
