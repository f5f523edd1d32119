-- Records of the services (files, batches, tokens, ...) in nginx's shared memory, so that a worker that dies loses
-- nothing. Each kind has a running number, by which lists go from new to old.
local json = require("json")

local M = {}
local state = ngx.shared.state


local function check(ok, why, kind)
  if not ok then
    error("the sandbox's shared memory cannot hold another " .. kind .. ": " .. tostring(why))
  end
end


-- A number that is given out once per kind.
function M.serial(kind)
  return state:incr("serial:" .. kind, 1, 0)
end


-- An identifier as the services have them; the same after every reset, so that a run can be repeated.
function M.new_id(prefix, kind)
  return prefix .. ngx.md5("sandbox " .. kind .. M.serial("id:" .. kind)):sub(1, 24)
end


function M.get(kind, id)
  local text = state:get(kind .. ":" .. id)
  return text and json.decode(text)
end


-- Writes a record under record.id; a new one gets its place in the list.
function M.put(kind, record)
  if not record.serial then
    record.serial = M.serial(kind)
    check(state:safe_set(kind .. "#" .. record.serial, record.id))
  end
  local ok, why = state:safe_set(kind .. ":" .. record.id, json.encode(record))
  check(ok, why, kind)
end


function M.delete(kind, record)
  state:delete(kind .. ":" .. record.id)
  state:delete(kind .. "#" .. record.serial)
end


-- Iterates over records from the newest (or, ascending, from the oldest), starting beyond the record `after`.
function M.each(kind, after, ascending)
  local step, last = -1, 0
  local at = (state:get("serial:" .. kind) or 0) + 1
  if ascending then
    step, last, at = 1, at, 0
  end
  if after then
    at = after.serial
  end
  return function()
    while at ~= last do
      at = at + step
      local id = state:get(kind .. "#" .. at)
      local record = id and M.get(kind, id)
      if record then
        return record
      end
    end
  end
end


function M.reset()
  state:flush_all()
  state:flush_expired()
end


return M
