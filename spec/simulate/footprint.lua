--- How much a job keeps in Lua's memory: the fields of all tables that can be reached from it, but not through
--- what is not its own (the client, its definition, the world it was given). What it keeps of each request
--- is a few bytes in the core's ledger; a field for each would show.

local M = {}

local foreign = { client = true, definition = true, run = true, given = true, clock = true, outside = true,
  random = true, warn = true, host = true, outer = true, outer_waiter = true }


local function walk(value, seen)
  local count = 0
  for key, inner in pairs(value) do
    count = count + 1
    if type(inner) == "table" and not foreign[key] and not seen[inner] then
      seen[inner] = true
      count = count + walk(inner, seen)
    end
  end
  return count
end


---@param job table
---@return integer fields
function M.of(job)
  local seen = { [job] = true }
  for name in pairs(foreign) do
    local one = job[name]
    if type(one) == "table" then
      seen[one] = true
    end
  end
  return walk(job, seen)
end


return M
