-- The virtual clock all services live by. It runs with the wall clock until a test freezes it, advances it, or
-- changes its speed; it never goes back.
local M = {}
local state = ngx.shared.state


local function read()
  return state:get("clock:virtual"), state:get("clock:real"), state:get("clock:speed")
end


local function write(virtual, real, speed)
  state:set("clock:virtual", virtual)
  state:set("clock:real", real)
  state:set("clock:speed", speed)
end


function M.reset()
  ngx.update_time()
  local now = ngx.now()
  write(now, now, 1)
  state:delete("clock:frozen")
end


-- Seconds since 1970 in the sandbox's own time.
function M.now()
  local virtual, real, speed = read()
  if not virtual then
    M.reset()
    return M.now()
  end
  if state:get("clock:frozen") then
    return virtual
  end
  return virtual + (ngx.now() - real) * speed
end


function M.show()
  local now = M.now()
  return { now = now, speed = state:get("clock:speed"), frozen = state:get("clock:frozen") == true }
end


-- Applies { speed =, advance =, freeze = }; returns nil and a reason when a value cannot be used.
function M.change(wish)
  for key, kind in pairs { speed = "number", advance = "number", freeze = "boolean" } do
    if wish[key] ~= nil and type(wish[key]) ~= kind then
      return nil, key .. " must be a " .. kind
    end
  end
  if (wish.speed or 1) <= 0 or (wish.advance or 0) < 0 then
    return nil, "speed must be above 0 and advance not below it"
  end
  local now = M.now() + (wish.advance or 0)
  write(now, ngx.now(), wish.speed or state:get("clock:speed"))
  if wish.freeze ~= nil then
    state:set("clock:frozen", wish.freeze or nil)
  end
  return true
end


return M
