--- Polls a job until the service says that its work has ended.
---
--- What its states are is read in batchapi/watch/states.lua, and what is waited out in
--- batchapi/watch/polling.lua, as `run` does.

local batch_state = require("batchapi.watch.states")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local loop = require("batchapi.host")
local check = require("batchapi.check.options")
local polling = require("batchapi.watch.polling")
local windows = require("batchapi.watch.window")

local M = {}

local growth = 1.5
local clock = { now = core.now, wall = core.wall }

M.options = check.list{
  { name = "interval", kind = "number", above = 0, default = 5,
    help = "seconds between polls at first (what the service asks for, if more)" },
  { name = "max_interval", kind = "number", above = 0, default = 60,
    help = "seconds between polls at most: the pace slows down to it" },
  { name = "timeout", kind = "number", above = 0, help = "seconds for all of it (the batch's window and an hour)" },
  { name = "settle", kind = "number", min = 0, default = 60,
    help = "seconds over which the service may not know the batch" },
  { name = "on_update", kind = "function", callable = true, help = "called with each answer" },
}


--- The service's reasons for a job that failed: one text, and the first one's code.
---@param definition table
---@param answer table
---@return string|nil text, string|nil code
function M.reasons(definition, answer)
  local list = batch_state.reasons(definition, answer) or {}
  local texts, first_code = {}, nil
  for i, reason in ipairs(list) do
    first_code = first_code or reason.code
    if i > 3 then
      texts[#texts + 1] = ("and %d more"):format(#list - 3)
      break
    end
    local text = reason.code and reason.message and ("%s: %s"):format(reason.code, reason.message)
      or reason.message or reason.code
    texts[#texts + 1] = text and reason.line and ("line %d: %s"):format(reason.line, text) or text
  end
  return #texts > 0 and table.concat(texts, "; ") or nil, first_code
end


--- The error of a job that failed as a whole.
---@param definition table
---@param operation string the operation that was asked
---@param id string the job's
---@param answer table the last answer
---@param response batchapi.Response its third value
---@param word string the state it ended in
---@return nil, string, batchapi.Error
function M.failed(definition, operation, id, answer, response, word)
  local reasons, code = M.reasons(definition, answer)
  return errors.fail(errors.new{
    kind = "job", operation = operation, code = code or word, body = answer, response = response,
    message = ("%s ended as %s: %s"):format(id, word or "failed", reasons
      or "the service gave no reason"),
    status = response and response.status, request_id = response and response.request_id,
    attempts = response and response.attempts, sent = true,
  })
end


--- The wait ends before the work. `extra` is the last answer's response, or the last failure.
local function ended_early(kind, message, answer, extra, retryable)
  return errors.fail(errors.new{
    kind = kind, operation = "wait", message = message, body = answer, response = answer and extra or extra.response,
    retryable = retryable or false, sent = true, attempts = extra.attempts, status = extra.status,
  })
end


local function poll(client, name, id, left)
  local timeout = client._settings.timeout or 600
  return client:_call(name, { id, n = 1 }, { timeout = math.max(0.001, math.min(timeout, left)) })
end


local function check_call(client, id, given)
  local words = client._definition.wait
  if not words then
    errors.misuse("wait: %s has nothing to wait for (its definition has no 'wait')",
      client._definition.name)
  elseif type(id) ~= "string" then
    errors.misuse("wait: the id must be a string, got %s",
      id == nil and "no value" or "a " .. type(id))
  elseif given ~= nil then
    check.check(given, M.options, "wait")
  end
  return words
end


-- ---- one wait -----------------------------------------------------------------------------------

local waiting = {}
waiting.__index = waiting


--- The last poll's failure, with why the wait goes on no longer.
local function given_up(err, message)
  err.message = ("%s; %s"):format(err.message, message)
  return errors.fail(err)
end


--- What a batch that is asked for no longer came to.
---@param verdict string
---@param answer table|nil
---@param message string|nil
---@param extra table
---@param state batchapi.BatchState|nil
function waiting:result(verdict, answer, message, extra, state)
  if verdict == "ended" and state.outcome == "failed" then
    return M.failed(self.client._definition, "wait", self.id, answer, extra, state.word)
  elseif verdict == "ended" then
    return answer, nil, extra
  elseif verdict == "late" then
    return ended_early("job", ("%s has ended as %s, but does not name its %s; ask again later"):format(self.id,
      state.word or state.outcome, state.lacks), answer, extra, true)
  elseif verdict == "gone" and self.polling.heard then
    return given_up(extra, "the service does not know it any more")
  end
  return nil, message, extra
end


--- The time is over.
---@param answer table|nil the last answer
---@param extra table its response, or the last failure
function waiting:over(answer, extra)
  local problem = self.polling.trouble
  local standing = problem and ("could not be asked for %d times, the last with: %s"):format(problem.count, problem.message)
    or "is still " .. (self.word or "running")
  return ended_early("timeout", ("%s %s after %g s; wait again, or raise timeout"):format(self.id, standing,
    self.timeout), answer, extra, true)
end


--- One poll: what the wait came to, or `again` alone.
function waiting:ask()
  local asked = core.now()
  local answer, message, extra = poll(self.client, self.words.operation, self.id, self.deadline - core.now())
  if answer and self.on_update then
    self.on_update(answer)
  end
  local verdict, state = self.polling:take(answer, message, extra, asked)
  if answer then
    self.word = state.word
    self:adjust(answer)
  end
  return verdict, answer, message, extra, state
end


--- Without a timeout of the user's the batch's own window counts, once it is known.
---@param answer table
function waiting:adjust(answer)
  local run = self.client._definition.run
  if not self.given_timeout and windows.of(run, answer) then
    self.timeout = windows.timeout(run, answer)
    self.deadline = self.began + self.timeout
  end
end


--- Sleeps until the next poll. Nil, why, err when there is to be none.
---@param answer table|nil the last answer
---@param extra table its response, or the last failure
function waiting:pause(answer, extra)
  local left = self.deadline - core.now()
  local seconds = self.polling:pause(self.interval, extra)
  if seconds >= left then
    loop.sleep(math.max(0, left), self.host)
    return self:over(answer, extra)
  end
  local ok, why = loop.sleep(seconds, self.host)
  if why == "cancelled" then
    return ended_early("cancelled", "the wait for " .. self.id .. " was cancelled", answer, extra)
  elseif not ok then
    return ended_early("closed", "the process ends while it waits for " .. self.id, answer, extra)
  elseif self.client._core:closed() then
    return ended_early("closed", "the client was closed while it waited for " .. self.id, answer, extra)
  end
  self.interval = math.min(self.most, self.interval * growth)
  return true
end


--- Polls until the job `id` has ended, and returns the last answer, also when the job was cancelled
--- or expired. A job of which nothing ran gives `nil, why, err` with `err.kind == "job"`. What may
--- pass (an outage, a page in place of JSON, a job that is not visible yet) is waited out.
---@param client batchapi.Client
---@param id string
---@param given batchapi.WaitOptions|nil
---@return table|nil answer, string|nil message, batchapi.Response|batchapi.Error extra
function M.wait(client, id, given)
  local words = check_call(client, id, given)
  given = given or {}
  local timeout = given.timeout or windows.timeout()
  local interval = given.interval or words.interval or 5
  local self = setmetatable({
    client = client, id = id, words = words, host = client._context.host, on_update = given.on_update,
    given_timeout = given.timeout, timeout = timeout, began = core.now(), deadline = core.now() + timeout,
    interval = interval, most = math.max(interval, given.max_interval or words.max_interval or 60),
    polling = polling.new(client._definition, clock, given.settle or 60), word = nil,
  }, waiting)
  while true do
    local verdict, answer, message, extra, state = self:ask()
    if verdict ~= "again" then
      return self:result(verdict, answer, message, extra, state)
    end
    local ok, why, err = self:pause(answer, extra)
    if not ok then
      return nil, why, err
    end
  end
end


return M
