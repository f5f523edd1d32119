-- runs in: prosody
-- Inside Prosody: the same calls, in an async runner. This is a module: copy it to mod_nightly.lua in one
-- of the plugin_paths and add "nightly" to modules_enabled. Outside of a runner a call is refused.

local async = require("util.async")
local timer = require("util.timer")
local batchapi = require("batchapi")

local prosody = rawget(_G, "prosody")
local openai = assert(batchapi.openai())

local function nightly()
  local requests = {}
  for i = 1, 50 do
    requests[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } }
  end
  local job = assert(openai:run(requests, { endpoint = "/v1/embeddings", interval = 0.1 }))
  local count = 0
  for result in job:results() do
    assert(result.ok, result.custom_id)
    count = count + 1
  end
  print(count .. " results")
  timer.add_task(0, function() prosody.shutdown("the job is done") end) -- a server would go on
end

timer.add_task(0, function() -- once the server runs
  async.runner(nightly):run(true)
end)
