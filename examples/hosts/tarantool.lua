-- runs in: tarantool
-- Inside Tarantool: the same calls, in its fibers. A fiber that waits lets the others run, and
-- fiber.kill cancels its call.
--
--   BATCHAPI_BUILD=build-luajit sandbox/run tarantool examples/hosts/tarantool.lua

local fiber = require("fiber")
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
  os.exit(0) -- a server would go on
end

fiber.create(nightly)
