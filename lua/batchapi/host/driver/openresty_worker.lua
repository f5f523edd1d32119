--- nginx's worker processes: which of them is about to end.

local M = {}


-- Parent, and start in hundredths of a second since boot, of a process.
local function origin_of(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  local parent, started = text:match("^.*%) %S+ (%d+)" .. (" %S+"):rep(17) .. " (%d+)")
  return parent, tonumber(started)
end


local function title_of(pid)
  local file = io.open("/proc/" .. pid .. "/cmdline")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return text
end


local GRACE, PATIENCE, SIBLINGS = 1, 60, 3 -- seconds, seconds, hundredths of one

--- Is that process a worker of this nginx that is about to end, so that what it holds will be free? When
--- nginx is reloaded the new workers begin before the old ones are told; who has waited for `waited`
--- seconds knows. Workers that began together are siblings: neither makes way for the other.
---@param pid integer
---@param waited number
---@return boolean
function M.leaving(_, pid, waited)
  local parent, started = origin_of(pid)
  local own_parent, own_start = origin_of("self")
  if not parent or parent ~= own_parent or waited > PATIENCE then
    return false
  end
  local title = title_of(pid)
  if title:find("worker process is shutting down", 1, true) then
    return true
  end
  return waited < GRACE and own_start - started > SIBLINGS and title:find("^nginx: worker process") ~= nil
end


return M
