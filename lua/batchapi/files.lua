--- Files of a job: the same calls whether or not the host may block. First form: every call is direct
--- (owner json; this one stands in until the form with the file thread lands).

local core = require("batchapi.core")

local M = {}
M.__index = M


---@param host string|table|nil
function M.new(host)
  return setmetatable({ host = host }, M)
end


function M:writer(path, options)
  return core.writer(path, options)
end


function M:reader(path, options)
  return core.reader(path, options)
end


function M:encode(writer, value, options)
  return writer:encode(value, options)
end


function M:write(writer, bytes)
  return writer:write(bytes)
end


function M:flush(writer)
  return writer:flush()
end


function M:sync(writer)
  return writer:sync()
end


function M:close(object)
  return object:close()
end


function M:json(reader, options)
  return reader:json(options)
end


function M:next(reader)
  return reader:next()
end

for _, name in ipairs{ "rename", "mkdir", "unlink", "truncate", "stat", "sync_dir", "read", "replace",
  "sha256" } do
  M[name] = function(_, ...)
    return core.fs[name](...)
  end
end


return M
