--- A transfer that is made again while its failure may pass: what a repeat of costs nothing.

local backoff = require("batchapi.watch.backoff")
local trouble = require("batchapi.watch.patience")

local M = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30 -- seconds, where the service names no time


--- Runs `attempt` until it succeeds or `may_pass` says that another try is in vain.
---@param job table { clock, sleep, troubled, changed }
---@param attempt fun(): any, string|nil, table|nil the answer, or nil, message, err
---@param may_pass fun(err: table, asked: number): boolean|nil `asked`: when the attempt began
---@param first_pause number|nil seconds, at most half of one
---@param holder table|nil whose trouble it is
---@return any answer
---@return string|nil message
---@return table|nil err
function M.run(job, attempt, may_pass, first_pause, holder)
  holder = holder or {}
  local pauses = backoff.new(math.max(math.min(FIRST_PAUSE, first_pause or FIRST_PAUSE), 0.01), LONGEST_PAUSE)
  while true do
    local asked = job.clock.now()
    local answer, why, err = attempt()
    if answer or not may_pass(err, asked) then
      trouble.note(job, holder, nil)
      return answer, why, err
    end
    trouble.note(job, holder, trouble.more(holder.trouble, why, job.clock.wall()))
    local ok
    ok, why, err = job:sleep(pauses:next(err.retry_after))
    if not ok then
      return nil, why, err
    end
  end
end


return M
