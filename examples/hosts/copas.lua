-- runs on: lua5.1
-- Inside copas: the same calls, in its threads. Debian has copas for Lua 5.1 and 5.2.
--
--   BATCHAPI_BUILD=build-5.1 sandbox/run lua5.1 examples/hosts/copas.lua
--
-- On Lua 5.1 nothing can wait inside a `for` iterator: `results:next()` takes its place. (LuaJIT and
-- Lua from 5.2 on can do both.)

local copas = require("copas")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())
local finished = false

local function nightly()
  copas.setErrorHandler(function(why) -- copas prints what goes wrong in a thread, and goes on
    print(why)
    os.exit(1)
  end)
  local requests = {}
  for i = 1, 50 do
    requests[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } }
  end
  local results = assert(openai:run(requests, { endpoint = "/v1/embeddings", interval = 0.1 })):results()
  local count, result, why = 0, results:next()
  while result do
    assert(result.ok, result.custom_id)
    count = count + 1
    result, why = results:next()
  end
  assert(not why, why)
  print(count .. " results")
  finished = true
end

copas.addthread(nightly)
while not finished do
  copas.step(1)
end
