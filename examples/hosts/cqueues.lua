-- Inside cqueues. There is nothing to set up: batchapi sees the controller that runs the coroutine and
-- waits through it.
--
--   sandbox/run lua5.4 examples/hosts/cqueues.lua

local cqueues = require("cqueues")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())
local loop = cqueues.new()
local ticks, finished = 0, false

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
  finished = true
end

loop:wrap(nightly)
loop:wrap(function() -- direct calls beside it
  print(#assert(openai:list_files{ purpose = "batch" }).data .. " files")
end)
loop:wrap(function() -- and whatever else the program does goes on
  while not finished do
    cqueues.sleep(0.01)
    ticks = ticks + 1
  end
  print(ticks > 5 and "the loop never stood still" or "the loop stood still")
end)
assert(loop:loop())
