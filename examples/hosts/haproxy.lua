-- runs in: haproxy
-- Inside HAProxy: the same calls, in a task, an action or a service. HAProxy has a Lua 5.3 of its own.
-- A haproxy.cfg needs, under `global`:
--
--   lua-prepend-path /usr/local/share/lua/5.3/?.lua        only if it lies elsewhere
--   lua-load examples/hosts/haproxy.lua

local core = rawget(_G, "core") -- HAProxy's
local batchapi = require("batchapi")

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
  os.exit(0) -- a proxy would go on
end

core.register_task(nightly)
