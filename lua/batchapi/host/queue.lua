--- What an event loop is to go on with soon, in the order in which it was told: coroutines or functions that
--- were woken by code that must not run them itself.

local M = {}

local queue = {}
queue.__index = queue


---@param step fun(item: any): string|nil goes on with one; gives the failure of what it ran
---@param later fun(turn: fun()) has the loop call `turn` soon
---@return table queue
function M.new(step, later)
  local self = setmetatable({ step = step, later = later, first = 1, last = 0, due = false }, queue)
  self.turn = function()
    self:run()
  end
  return self
end


--- Goes on with this soon.
---@param item any
function queue:add(item)
  self.last = self.last + 1
  self[self.last] = item
  if not self.due then
    self.due = true
    self.later(self.turn)
  end
end


--- Runs `f`, in the loop's own callback: what it adds has its turn right after it.
---@param f fun()
function queue:around(f)
  self.due = true
  f()
  self:run()
end


--- Goes on with all of them. What fails is raised when all have had their turn.
function queue:run()
  self.due = false
  local failure
  while self.first <= self.last do
    local item = self[self.first]
    self[self.first] = nil
    self.first = self.first + 1
    local why = self.step(item)
    failure = failure or why
  end
  self.first, self.last = 1, 0
  if failure then
    error(failure, 0)
  end
end


--- The step of coroutines: resumes the one that stands in the item's `co`, if one does.
---@param item { co: thread|nil }
---@return string|nil failure with the coroutine's trace
function M.resume(item)
  local co = item.co
  if co then
    item.co = nil
    local ok, why = coroutine.resume(co)
    return not ok and debug.traceback(co, tostring(why)) or nil
  end
end


--- The step of functions.
---@param f fun()
---@return string|nil failure
function M.call(f)
  local ok, why = pcall(f)
  return not ok and tostring(why) or nil
end


return M
