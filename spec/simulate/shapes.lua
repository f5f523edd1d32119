--- The services that are simulated: how a client of each is made, and what its requests are.

local batchapi = require("batchapi")
local core = require("batchapi.core")

local M = {}


local made = {}


--- A client whose requests go to the simulated service. One serves all processes, for at any time
--- only one of them lives.
local function connect(process, name, options)
  local client = made[name] or assert(batchapi[name](options))
  made[name] = client
  client._core, client._context = process.wire, { core = process.wire, host = process.host }
  return client
end


M.file = {
  base = "http://127.0.0.1:1/v1", parts = true, deletes = true, lookup = true, service = require("simulate.services.file"),
  client = function(process)
    return connect(process, "openai", { base_url = M.file.base, api_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { custom_id = "r-" .. i, method = "POST", url = "/v1/chat/completions",
        body = { model = "m", messages = setmetatable({ { role = "user", content = "number " .. i } }, core.array_mt) } }
    end
    return list
  end,
}


return M
