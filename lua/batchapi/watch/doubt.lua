--- How long an answer that may only not be right yet ("no such batch") is asked for again before it is
--- believed. One rule, wherever something is asked of a service that may be late in showing it.
---
--- An answer speaks of the moment in which it was asked for, so that is what counts: one that waited for
--- a process that was stopped says nothing of the time after. Time counts only between two such answers that
--- follow each other: in an outage nobody is asked, and what a service shows after one is late again.
--- Answers that came before the time was over are not enough; they may have been the late ones.

local M = {}
M.__index = M


---@class batchapi.Doubt
---@field began number when it began
---@field count integer how often it was said in a row

---@param clock { now: fun(): number }
---@param seconds number over which it must be said
---@param times integer|nil and how often in a row (3)
---@return batchapi.Doubt
function M.new(clock, seconds, times)
  return setmetatable({ clock = clock, seconds = seconds, times = times or 3, began = clock.now(),
    used = 0, last = nil, count = 0, after = 0 }, M)
end


--- It was said once more.
---@param asked number|nil when it was asked for (now)
---@return boolean believed
function M:heard(asked)
  local now = self.clock.now()
  if self.last then
    self.used = self.used + math.max(0, (asked or now) - self.last)
  end
  self.last, self.count = now, self.count + 1
  self.after = self.used >= self.seconds and self.after + 1 or 0
  return self.count >= self.times and self.after >= math.max(self.times - 1, 1)
end


--- It was asked for, and there was no answer that says anything of it.
function M:interrupted()
  self.last, self.count, self.after = nil, 0, 0
end


--- It was said that it is otherwise.
function M:reset()
  self:interrupted()
  self.used = 0
end


return M
