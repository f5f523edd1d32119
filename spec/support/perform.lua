--- Runs a request of the core's to its end.
---@param context table as exchange.run() takes it
---@param request table
---@return batchapi.core.Call|nil call nil when it could not begin
---@return table outcome
return function(context, request)
  local call, outcome = require("batchapi.call.send").run(context, request)
  return call, outcome or call:outcome()
end
