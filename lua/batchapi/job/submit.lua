--- Submitting once: a batch is created with its intent on disk before, its outcome after; when the
--- answer is lost the service is asked, again and again over the settling time, before anything is
--- repeated.

local paths = require("batchapi.path")

local M = {}

-- Repeats of what is surely not accepted: the file not visible yet, a rate limit, no connection.
local NOT_YET_TRIES, PATIENCE = 8, 900
local LONGEST_PAUSE = 60
-- A list is newest first; batches older than this before the intent are not looked at.
local CLOCK_SLACK = 86400
-- How often a create may be made anew after the service was asked and did not have it.
local LOST_CREATES = 5


local function contains(text, list)
  text = text:lower()
  for _, piece in ipairs(list or {}) do
    if text:find(piece:lower(), 1, true) then
      return true
    end
  end
  return false
end


--- Do a code and a message say "again in a moment"?
function M.is_not_yet(job, message)
  return contains(message or "", job.run.create.not_yet)
end


--- Do they say "when another batch has ended"?
function M.is_queue(job, code, message)
  for _, word in ipairs(job.run.create.queue or {}) do
    if code == word or (message or ""):find(word, 1, true) then
      return true
    end
  end
  return false
end


--- Looks through the service's list for the part's token.
---@return string|nil batch_id nil: not there
---@return string|nil message nil when the list was read to its end
---@return table|nil err
local function look_up(job, part)
  local words = job.run.lookup
  local token = job:token(part.part)
  local items = job.client:each(words.operation, words.query)
  local found
  while true do
    local item, why, err = items:next()
    if err then
      return nil, why, err
    elseif item == nil then
      return found
    end
    local id, created = paths.get(item, words.id), words.created and paths.get(item, words.created)
    if paths.get(item, words.token) == token and not part.past[id] then
      found = id -- the oldest of them is the one that was made first
    end
    if type(created) == "number" and part.intent and created < part.intent - CLOCK_SLACK then
      return found
    end
    job:breathe()
  end
end


--- Asks until the batch is found or the settling time since the intent is over.
---@return string|nil batch_id
---@return string|nil message
---@return table|nil err
local function find_lost(job, part, since)
  local pause = math.min(1, job.options.settle / 4)
  while true do
    -- Taken before the look, so that the last look lies behind the settling time.
    local over = job.clock.wall() - since >= job.options.settle or job.clock.wall() < since - CLOCK_SLACK
    local id, why, err = look_up(job, part)
    if id then
      return id
    elseif err and not (err.retryable or err.kind == "connect" or err.kind == "timeout") then
      return nil, why, err
    elseif not err and over then
      return nil
    elseif err and job.clock.wall() - since > job.options.settle + PATIENCE then
      return nil, why, err
    end
    local ok
    ok, why, err = job:sleep(math.max(pause, 0.01))
    if not ok then
      return nil, why, err
    end
    pause = math.min(pause * 1.5, math.max(1, job.options.settle / 4))
  end
end


--- One attempt to create, with its intent and its outcome in the journal.
---@return table|nil answer
---@return string|nil message
---@return table|nil err
local function create(job, part)
  local ok, why, err = job:record{ type = "create", part = part.part, at = job.clock.wall() }
  if not ok then
    return nil, why, err
  end
  local known = job:known(part.part)
  local answer
  answer, why, err = job:call(job.run.create, known, job:create_overrides(part))
  local id = answer and paths.get(answer, job.run.create.id)
  if answer and (id == nil or id == "") then
    return nil, ("the service accepted the batch but names no '%s'"):format(job.run.create.id),
      { kind = "decode", sent = true }
  elseif answer then
    ok, why, err = job:record{ type = "created", part = part.part, batch_id = id }
    return ok and answer, why, err
  end
  if M.surely_refused(err) then
    ok = job:record{ type = "uncreated", part = part.part, why = why }
    if not ok then
      part.status = "creating"
    end
  end
  return nil, why, err
end


--- Is it certain that the service did not accept the call?
---@param err table
---@return boolean
function M.surely_refused(err)
  if err.sent == false then
    return true
  end
  local status = err.status
  return status ~= nil and status >= 400 and status < 500 and status ~= 408 and status ~= 409
end


--- May the same call be accepted in a while?
---@param err table
---@return boolean
function M.passes(err)
  return err.kind == "rate_limit" or err.kind == "connect"
    or err.sent == false and (err.kind == "timeout" or err.retryable == true)
end


--- When the call whose answer was lost can last have been under way. An earlier process may have
--- died at any moment of it.
local function lost_since(job, part)
  local now = job.clock.wall()
  if part.lost_at or not part.intent or part.intent > now then
    return part.lost_at or now
  end
  return math.min(now, part.intent + (job.client._settings.timeout or 600))
end


--- An answer was lost: finds the batch, or establishes that there is none.
---@return string outcome "created" or "absent" or "unknown" or "failed"
---@return string|nil message
---@return table|nil err
local function settle_lost(job, part)
  if not job.run.lookup then
    return "unknown"
  end
  local id, why, err = find_lost(job, part, lost_since(job, part))
  if id then
    local ok
    ok, why, err = job:record{ type = "created", part = part.part, batch_id = id, found = true }
    return ok and "created" or "failed", why, err
  elseif err then
    return "failed", why, err
  end
  local ok
  ok, why, err = job:record{ type = "uncreated", part = part.part, why = "not found" }
  return ok and "absent" or "failed", why, err
end


--- What to do after a create that was surely not accepted.
---@return string|nil verdict "queue", "refused", "again"; nil with why, err: the job cannot go on
local function judge(job, tries, why, err)
  if M.is_queue(job, err.code, err.message) then
    return "queue"
  elseif M.is_not_yet(job, err.message) and tries.not_yet < NOT_YET_TRIES then
    tries.not_yet = tries.not_yet + 1
    return "again"
  elseif M.passes(err) and job.confirmed and job.clock.now() - tries.began < PATIENCE then
    return "again"
  elseif err.kind == "auth" or M.passes(err) or err.retryable == false and err.status == 429
    or err.status == nil then
    return nil, why, err
  end
  return "refused", why, err
end


local function pause_before(job, tries, err)
  tries.pause = math.min((tries.pause or 0.25) * 2, LONGEST_PAUSE)
  return job:sleep(err.retry_after or tries.pause)
end


--- Makes the part's batch at the service, once.
---@param job table
---@param part table
---@return string|nil verdict "created", "queue", "refused" (with why, err) or "unknown"
---@return string|nil message
---@return table|nil err
function M.submit(job, part)
  local tries = { not_yet = 0, lost = 0, began = job.clock.now() }
  while true do
    if part.status == "creating" then
      local outcome, why, err = settle_lost(job, part)
      if outcome == "failed" then
        return nil, why, err
      elseif outcome ~= "absent" then
        return outcome
      end
    end
    local answer, why, err = create(job, part)
    if answer then
      return "created"
    elseif part.status ~= "creating" then
      local verdict, reason, failure = judge(job, tries, why, err)
      if verdict ~= "again" then
        return verdict, reason, failure
      end
      local ok
      ok, why, err = pause_before(job, tries, err)
      if not ok then
        return nil, why, err
      end
    elseif err.kind == "io" or err.kind == "closed" then
      return nil, why, err
    else
      tries.lost, part.lost_at = tries.lost + 1, job.clock.wall()
      if tries.lost > LOST_CREATES then
        return nil, why, err
      end
    end
  end
end


--- Asks the service to cancel a batch. One that has ended already (400, 404, 409) is fine.
---@param job table
---@param batch_id string
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.cancel(job, batch_id)
  local answer, why, err = job:call(job.run.cancel, { batch_id = batch_id })
  if answer or err.status == 400 or err.status == 404 or err.status == 409 then
    return true
  end
  return nil, why, err
end


return M
