-- What a test can set; `POST /_control/settings` merges into these, reset brings them back. README.md explains each.
local json = require("json")

local M = {}
local state = ngx.shared.state

local defaults = {
  batch = { validating = 0.1, in_progress = 0.3, per_line = 0, finalizing = 0.1, cancelling = 0.2 },
  shuffle = true,
  seed = 1,
  file_visibility_delay = 0,
  file_lookup_delay = 0,
  file_deletion_delay = 0,
  deleted_input = "keep",
  empty_pages = 0,
  batch_visibility_delay = 0,
  max_batches_per_hour = 2000,
  missing_file = "refuse",
  empty_error_file = "null",
  cancelled_lines = "omit",
  answer_delay = 0,
  embedding_dimensions = 8,
  max_batch_lines = 50000,
  max_batch_bytes = 209715200,
  max_file_bytes = 536870912,
  enqueued_token_limit = 0,
  token_lifetime = 900,
  asana = { token_lifetime = 3600, rotate_refresh_tokens = false, action_time = 0.02, per_minute = 1500, max_reads = 50,
    max_writes = 15, retry_after = 1, collection_size = 25, changes = "" },
  factset = { queued = 0.1, executing = 0.3, rate_limit = 1000, rate_window = 1 },
  azure = { file_pending = 0 },
  gzip = false,
  ranges = true,
  log = true,
}

local current, version


local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local result = {}
  for key, item in pairs(value) do
    result[key] = copy(item)
  end
  return result
end


-- Copies wish into target; every name and type must be known there.
local function merge(target, wish, place)
  for key, value in pairs(wish) do
    local path = place .. tostring(key)
    if target[key] == nil then
      return nil, "unknown setting " .. path
    elseif type(target[key]) ~= type(value) then
      return nil, path .. " must be a " .. type(target[key])
    elseif type(value) == "table" then
      local ok, why = merge(target[key], value, path .. ".")
      if not ok then
        return nil, why
      end
    else
      target[key] = value
    end
  end
  return true
end


function M.get()
  local now = state:get("settings:version")
  if not current or now ~= version then
    local text = state:get("settings")
    current, version = text and json.decode(text) or copy(defaults), now
  end
  return current
end


function M.change(wish)
  local next_settings = copy(M.get())
  local ok, why = merge(next_settings, wish, "")
  if not ok then
    return nil, why
  end
  state:set("settings", json.encode(next_settings))
  state:incr("settings:version", 1, 0)
  return true
end


function M.reset()
  state:delete("settings")
  state:incr("settings:version", 1, 0)
  current = nil
end


return M
