-- Inside luv: the same calls, in any coroutine. While one waits, uv's loop runs; uv.run() ends when
-- nothing is left to do.
--
--   sandbox/run lua5.4 examples/luv.lua

local uv = require("luv")
local batchapi = require("batchapi")

local openai = assert(batchapi.openai())

-- Begins a function as a coroutine; what goes wrong in it is printed.
local function go(f)
  coroutine.wrap(function()
    local ok, why = xpcall(f, debug.traceback)
    if not ok then
      io.stderr:write(why, "\n")
      os.exit(1)
    end
  end)()
end

local ticks = 0
local ticker = uv.new_timer()
ticker:start(10, 10, function() ticks = ticks + 1 end)

go(function()
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
end)

go(function()
  local page = assert(openai:list_files{ purpose = "batch" })
  print(#page.data .. " files")
end)

uv.run()
