--- Pauses between tries of what may pass: each longer than the one before, up to a bound, and what the service
--- asks for in their place.

local M = {}
M.__index = M


---@class batchapi.Backoff
---@field usual number seconds of the next pause

---@param first number seconds
---@param most number seconds
---@param growth number|nil what each is longer by (2)
---@return batchapi.Backoff
function M.new(first, most, growth)
  return setmetatable({ usual = math.min(first, most), most = most, growth = growth or 2 }, M)
end


--- The next pause.
---@param asked number|nil seconds that the service asks for
---@return number seconds
function M:next(asked)
  local pause = self.usual
  self.usual = math.min(pause * self.growth, self.most)
  return asked or pause
end


return M
