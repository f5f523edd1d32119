-- Counters in shared memory: `count(group, name)`; groups are shown by `GET /_control/totals`.
local M = {}
local counters = ngx.shared.totals


function M.count(group, name, by)
  return counters:incr(group .. "\0" .. name, by or 1, 0)
end


-- Keeps the highest value seen.
function M.maximum(group, name, value)
  local key = group .. "\0" .. name
  if value > (counters:get(key) or 0) then
    counters:set(key, value)
  end
end


function M.get(group, name)
  return counters:get(group .. "\0" .. name) or 0
end


function M.all()
  local result = {}
  for _, key in ipairs(counters:get_keys(0)) do
    local group, name = key:match("^(.-)%z(.*)$")
    result[group] = result[group] or {}
    result[group][name] = counters:get(key)
  end
  return result
end


-- Nothing is in flight when the only worker starts; what a worker that died was at counts no more.
function M.start()
  for _, key in ipairs(counters:get_keys(0)) do
    if key:find("^in_flight%z") then
      counters:delete(key)
    end
  end
end


-- Everything back to zero, but for the requests that are in flight right now.
function M.reset()
  for _, key in ipairs(counters:get_keys(0)) do
    if not key:find("^in_flight%z") then
      counters:delete(key)
    end
  end
end


return M
