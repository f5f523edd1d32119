-- Inside luv: the same calls, in any coroutine. While one waits, uv's loop runs; uv.run() ends when
-- nothing is left to do.
--
--   sandbox/run lua5.4 examples/hosts/luv.lua

local uv = require("luv")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())
local ticks, ticker = 0, uv.new_timer()
ticker:start(10, 10, function() ticks = ticks + 1 end)

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
  print(ticks > 5 and "the loop never stood still" or "the loop stood still")
  ticker:close()
end

coroutine.wrap(nightly)()
coroutine.wrap(function() -- direct calls beside it
  print(#assert(openai:list_files{ purpose = "batch" }).data .. " files")
end)()
uv.run()
