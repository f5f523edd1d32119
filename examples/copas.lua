-- runs on: lua5.1
-- Inside copas: the same calls, in its threads. Debian has copas for Lua 5.1 and 5.2.
--
--   BATCHAPI_BUILD=build-5.1 sandbox/run lua5.1 examples/copas.lua
--
-- On Lua 5.1 nothing can wait inside a `for` iterator: `results:next()` takes its place. (LuaJIT and
-- Lua from 5.2 on can do both.)

local copas = require("copas")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())
local running = 0

local function go(f)
  running = running + 1
  copas.addthread(function()
    copas.setErrorHandler(function(why, co)
      io.stderr:write(debug.traceback(co, tostring(why)), "\n")
      os.exit(1)
    end)
    f()
    running = running - 1
  end)
end

go(function()
  local requests = {}
  for i = 1, 50 do
    requests[i] = { body = { model = "text-embedding-3-small", input = "line " .. i } }
  end
  local job = assert(openai:run(requests, { endpoint = "/v1/embeddings", interval = 0.1 }))
  local results, count = job:results(), 0
  local result, why = results:next()
  while result do
    assert(result.ok, result.custom_id)
    count = count + 1
    result, why = results:next()
  end
  assert(not why, why)
  print(count .. " results")
end)

go(function()
  local page = assert(openai:list_files{ purpose = "batch" })
  print(#page.data .. " files")
end)

while running > 0 do
  copas.step(1)
end
