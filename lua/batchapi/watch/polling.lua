--- Decides, answer by answer, whether a batch is to be asked for again. It asks and waits for
--- nothing itself: `client:wait` and `run` do, each in its own way, and both go by this.

local batch_state = require("batchapi.watch.states")
local doubts = require("batchapi.watch.doubt")
local trouble = require("batchapi.watch.patience")

local M = {}
M.__index = M

local LATE = 1800 -- seconds for which a batch that has ended may not name what it made


---@class batchapi.Polling
---@field trouble batchapi.Trouble|nil what is being waited out

---@param definition table compiled
---@param clock { now: fun(): number, wall: fun(): number }
---@param settle number seconds over which a batch may not be visible
---@param heard boolean|nil the service has given a good answer before
---@param expected boolean|nil the batch has something to do
---@return batchapi.Polling
function M.new(definition, clock, settle, heard, expected)
  return setmetatable({
    definition = definition, clock = clock, settle = settle, heard = heard or false, expected = expected,
    began = clock.now(), trouble = nil,
    refused = doubts.new(clock, settle), unnamed = doubts.new(clock, LATE, 1),
  }, M)
end


local function note(self, message)
  self.trouble = trouble.more(self.trouble, message, self.clock.wall())
  return "again"
end


local function failed(self, message, err, asked)
  if trouble.is_endured(err, self.heard, self.clock.now() - self.began) then
    self.refused:interrupted()
    self.unnamed:interrupted()
    return note(self, message)
  elseif not trouble.is_refusal(err) then
    return "stop"
  end
  self.unnamed:interrupted()
  if not self.refused:heard(asked) then
    return note(self, message)
  end
  return err.status == 404 and "gone" or "refused"
end


local function answered(self, answer, status, asked)
  local state = batch_state.read(self.definition, answer, status, self.expected)
  self.heard = true
  self.refused:reset()
  if not state.lacks then
    self.trouble = nil
    return state.outcome and "ended" or "again", state
  end
  if self.unnamed:heard(asked) then
    return "late", state
  elseif self.trouble and not self.trouble.late then
    self.trouble = nil
  end
  note(self, ("the batch has ended as %s, but does not name its %s yet"):format(state.word or state.outcome, state.lacks))
  self.trouble.late = true
  return "again", state
end


--- Takes what a poll came to. What it says:
---
--- "again", to be asked for later; "ended"; "late": ended, but what it made is still not named;
--- "gone": the service does not know the batch any more; "refused": it does not tell of it, three
--- times over the settling time; "stop": no repeat helps.
---@param answer table|nil
---@param message string|nil
---@param extra table the response, or the error
---@param asked number|nil when the batch was asked for (now)
---@return "again"|"ended"|"late"|"gone"|"refused"|"stop" verdict
---@return batchapi.BatchState|nil state where there was an answer
function M:take(answer, message, extra, asked)
  if answer == nil then
    return failed(self, message, extra, asked)
  end
  return answered(self, answer, extra and extra.status, asked)
end


--- The pause before the next poll: `usual` seconds, more when the service asks for it or nothing is
--- left in its rate window; less while a refusal is to be believed or not.
---@param usual number
---@param extra table|nil the response, or the error
---@return number seconds
function M:pause(usual, extra)
  local asked = extra and extra.retry_after
  local rate = extra and extra.ratelimit or {}
  if self.refused.count > 0 then
    usual = math.min(usual, math.max(self.settle / 2, 0.01))
  end
  return math.max(usual, asked or 0, rate.remaining == 0 and rate.reset or 0)
end


return M
