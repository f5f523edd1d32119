--- Polls a job until the service says that its work has ended.
---
--- What the states are is the definition's `wait`. They are compared in lower case, an unknown one
--- counts as still running, and the body's state goes before the HTTP status.

local core = require("batchapi.core")
local errors = require("batchapi.errors")
local options = require("batchapi.options")
local path = require("batchapi.path")

---@class batchapi.WaitOptions
---@field interval number|nil seconds between polls at first (5)
---@field max_interval number|nil seconds between polls at most: the pace slows down to it (60)
---@field timeout number|nil seconds for all of it (90000: the 24 h window and an hour)
---@field on_update fun(answer: table)|nil called with each answer

local M = {}

local growth = 1.5

M.options = {
  { name = "interval", kind = "number", above = 0, default = 5 },
  { name = "max_interval", kind = "number", above = 0, default = 60 },
  { name = "timeout", kind = "number", above = 0, default = 90000 },
  { name = "on_update", kind = "function" },
}
for _, option in ipairs(M.options) do
  M.options[option.name] = option
end


local function is_among(word, list)
  for _, one in ipairs(list or {}) do
    if one:lower() == word then
      return true
    end
  end
  return false
end


local function counts_say_done(pending, answer)
  local left = tonumber(path.get(answer, pending.zero))
  local all = pending.positive and tonumber(path.get(answer, pending.positive)) or 1
  return left == 0 and all ~= nil and all > 0
end


--- What an answer says of a job: "running", "done" or "failed", and the service's own word for it.
---@param definition table compiled
---@param answer table
---@param status integer|nil the HTTP status, asked only when the body has no state
---@return "running"|"done"|"failed" state, string|nil word
function M.state(definition, answer, status)
  local words = definition.wait
  local word = path.get(answer, words.status)
  if type(word) == "string" and word ~= "" then
    local lowered = word:lower()
    if is_among(lowered, words.done) then
      return "done", lowered
    elseif is_among(lowered, words.failed) then
      return "failed", lowered
    end
    return "running", lowered
  elseif words.pending and counts_say_done(words.pending, answer) then
    return "done"
  end
  for _, code in ipairs(words.done_statuses or {}) do
    if code == status then
      return "done"
    end
  end
  return "running"
end


local function one_reason(words, entry)
  local code, message = words.code and path.get(entry, words.code), path.get(entry, words.message)
  local line = words.line and path.get(entry, words.line)
  local text = code and message and ("%s: %s"):format(tostring(code), tostring(message))
    or message and tostring(message) or code and tostring(code)
  if text and type(line) == "number" then
    text = ("line %d: %s"):format(line, text)
  end
  return text, code and tostring(code)
end


--- The service's reasons for a job that failed: one text, and the first one's code.
---@param definition table
---@param answer table
---@return string|nil text, string|nil code
function M.reasons(definition, answer)
  local words = definition.wait.reasons
  if not words then
    return nil
  end
  if not words.list then
    return one_reason(words, answer)
  end
  local list = path.get(answer, words.list)
  local texts, first_code = {}, nil
  for i, entry in ipairs(type(list) == "table" and list or {}) do
    local text, code = one_reason(words, entry)
    first_code = first_code or code
    if i > 3 then
      texts[#texts + 1] = ("and %d more"):format(#list - 3)
      break
    end
    texts[#texts + 1] = text
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


local function ended_early(kind, message, answer, response)
  return errors.fail(errors.new{
    kind = kind, operation = "wait", message = message, body = answer, response = response,
    retryable = kind == "timeout", sent = true, attempts = response and response.attempts,
  })
end


--- Seconds until the next poll: the pace, but never before the service's Retry-After, nor before
--- its rate window begins anew when nothing is left in it.
local function pause(interval, response)
  local rate = response.ratelimit or {}
  local window = rate.remaining == 0 and rate.reset or 0
  return math.max(interval, response.retry_after or 0, window)
end


local function poll(client, name, id, left)
  local timeout = client._settings.timeout or 600
  return client:_call(name, { id, n = 1 }, { timeout = math.max(0.001, math.min(timeout, left)) })
end


local function check(client, id, given)
  local words = client._definition.wait
  if not words then
    errors.misuse("wait: %s has nothing to wait for (its definition has no 'wait')",
      client._definition.name)
  elseif type(id) ~= "string" then
    errors.misuse("wait: the id must be a string, got %s",
      id == nil and "no value" or "a " .. type(id))
  elseif given ~= nil and type(given) ~= "table" then
    errors.misuse("wait: the options must be a table, got a " .. type(given))
  end
  options.check_list(given or {}, M.options, "wait")
  return words
end


--- Polls until the job `id` has ended, and returns the last answer, also when the job was cancelled
--- or expired. A job of which nothing ran gives `nil, why, err` with `err.kind == "job"`.
---@param client batchapi.Client
---@param id string
---@param given batchapi.WaitOptions|nil
---@return table|nil answer, string|nil message, batchapi.Response|batchapi.Error extra
function M.wait(client, id, given)
  local words = check(client, id, given)
  given = given or {}
  local timeout = given.timeout or 90000
  local deadline = core.now() + timeout
  local interval = given.interval or words.interval or 5
  local most = math.max(interval, given.max_interval or words.max_interval or 60)
  local loop = require("batchapi.loop")
  while true do
    local answer, message, extra = poll(client, words.operation, id, deadline - core.now())
    if answer == nil then
      return nil, message, extra
    end
    if given.on_update then
      given.on_update(answer)
    end
    local state, word = M.state(client._definition, answer, extra.status)
    if state == "done" then
      return answer, nil, extra
    elseif state == "failed" then
      return M.failed(client._definition, "wait", id, answer, extra, word)
    end
    local left = deadline - core.now()
    local seconds = pause(interval, extra)
    if seconds >= left then
      loop.sleep(math.max(0, left), client._context.host)
      return ended_early("timeout",
        ("%s is still %s after %g s; wait again, or raise timeout"):format(
        id, word or "running", timeout), answer, extra)
    end
    if not loop.sleep(seconds, client._context.host) then
      return ended_early("closed", "the process ends while it waits for " .. id, answer, extra)
    elseif client._core:closed() then
      return ended_early("closed", "the client was closed while it waited for " .. id, answer,
        extra)
    end
    interval = math.min(most, interval * growth)
  end
end


return M
