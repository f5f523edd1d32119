--- What a service's answer says of a batch: whether it has ended, how, and whether what it made can
--- be had. Read here for `client:wait` and for `run` alike.
---
--- The words are the definition's `wait`, and `expired` and `cancelled` of `run.watch`. They are
--- compared in lower case, an unknown one counts as still running, and the body's state goes before
--- the HTTP status.

local among = require("batchapi.util.among")
local path = require("batchapi.util.path")
local text = require("batchapi.util.text")

---@class batchapi.BatchState
---@field outcome "completed"|"failed"|"expired"|"cancelled"|nil nil: it runs
---@field word string|nil the service's own word, in lower case
---@field lacks string|nil what the batch does not name yet, though it has ended: it is not ready

local M = {}

local MOST_REASONS = 1000


local function is_word(word, list)
  for _, one in ipairs(list or {}) do
    if one:lower() == word then
      return true
    end
  end
  return false
end


local function number_at(value, place)
  local found = place and path.get(value, place)
  return type(found) == "number" and found or nil
end


local function counts_say_done(pending, answer)
  local left, all = tonumber(path.get(answer, pending.zero)), 1
  if pending.positive then
    all = tonumber(path.get(answer, pending.positive))
  end
  return left == 0 and all ~= nil and all > 0
end


local function outcome_of_word(definition, word)
  local words, more = definition.wait, (definition.run or {}).watch or {}
  if is_word(word, words.failed) then
    return "failed"
  elseif is_word(word, more.expired) then
    return "expired"
  elseif is_word(word, more.cancelled) then
    return "cancelled"
  end
  return is_word(word, words.done) and "completed" or nil
end


local function is_there(answer, places)
  for _, place in ipairs(places) do
    local found = path.get(answer, place)
    if found ~= nil and found ~= "" then
      return true
    end
  end
  return false
end


--- What must be there before the work's results can be had, and is not. What has completed has at
--- least one of them, where it is known that there was something to do.
local function lacking(needs, answer, outcome, expected)
  local some = false
  for _, need in ipairs(needs) do
    local there, count = is_there(answer, need.any), number_at(answer, need.count)
    some, expected = some or there, expected or count ~= nil
    if not there and (count or 0) > 0 then
      return need.any[1]
    end
  end
  return outcome == "completed" and expected and not some and needs[1].any[1] or nil
end


--- What an answer says of a batch.
---@param definition table compiled
---@param answer table
---@param status integer|nil the HTTP status, asked only when the body has no state
---@param expected boolean|nil there was something to do
---@return batchapi.BatchState
function M.read(definition, answer, status, expected)
  local words = definition.wait
  local word, outcome = path.get(answer, words.status), nil
  word = type(word) == "string" and word ~= "" and word:lower() or nil
  if word then
    outcome = outcome_of_word(definition, word)
  elseif words.pending and counts_say_done(words.pending, answer) or among(status, words.done_statuses) then
    outcome = "completed"
  end
  if not outcome and words.ended and is_there(answer, { words.ended }) then
    outcome = "completed"
  end
  local lacks = outcome and outcome ~= "failed" and words.needs and lacking(words.needs, answer, outcome, expected)
  return { outcome = outcome, word = word, lacks = lacks or nil }
end


--- How far a batch is: { total, completed, failed }, as far as the service says.
---@param run table the definition's
---@param batch table
---@return table|nil
function M.counts(run, batch)
  local words = (run.watch or {}).counts
  return words and {
    total = number_at(batch, words.total), completed = number_at(batch, words.completed),
    failed = number_at(batch, words.failed),
  }
end


local function text_at(entry, place)
  local found = place and path.get(entry, place)
  return found ~= nil and type(found) ~= "table" and text.printable(tostring(found)) or nil
end


--- The service's own reasons for a batch that failed: an array of { code, message, line }.
---@param definition table compiled
---@param answer table
---@return table[]|nil
function M.reasons(definition, answer)
  local words = definition.wait.reasons
  if not words then
    return nil
  end
  local list = { answer }
  if words.list then
    list = path.get(answer, words.list)
  end
  local found = {}
  for i, entry in ipairs(type(list) == "table" and list or {}) do
    if i > MOST_REASONS then
      break
    end
    found[i] = {
      code = text_at(entry, words.code), message = text_at(entry, words.message), line = number_at(entry, words.line),
    }
  end
  return found
end


return M
