--- Which tables are clients, and which of those are open: who is handed one asks here.

local errors = require("batchapi.util.errors")

local M = {}

local made = setmetatable({}, { __mode = "k" }) -- every client -> is it open?


--- A client was made.
---@param client batchapi.Client
function M.add(client)
  made[client] = true
end


--- A client was closed.
---@param client batchapi.Client
function M.close(client)
  made[client] = false
end


--- Is it a client, open or closed?
---@param value any
---@return boolean
function M.is(value)
  return value ~= nil and made[value] ~= nil
end


--- Raises when a client is used with `.` for `:`, or closed.
---@param client any
---@param name string the method that is called
function M.check_open(client, name)
  if client ~= nil and made[client] then
    return
  elseif not M.is(client) then
    errors.misuse("bad self to '%s': call it with a colon, client:%s(…)", name, name)
  end
  errors.misuse("%s: the client is closed", name)
end


return M
