-- What can go wrong, and how each of it is told: `nil`, a message for people, and a table for programs.
--
--   sandbox/run lua5.4 examples/errors.lua

local batchapi = require("batchapi")

local function show(what, value, why, err)
  assert(value == nil, "this should have failed: " .. what)
  print(("%-16s %-10s status=%s retryable=%s\n  %s"):format(what, err.kind, tostring(err.status),
    tostring(err.retryable), why))
  return err
end

local openai = assert(batchapi.openai())

-- Refused before anything is sent: the service is known to refuse it.
show("a wrong limit", openai:list_batches{ limit = 0 })
show("a field missing", openai:create_batch{ endpoint = "/v1/embeddings", completion_window = "24h" })

-- Refused by the service.
show("no such file", openai:retrieve_file("file-none"))
show("a wrong key", batchapi.openai{ api_key = "sk-wrong" }:list_batches())

-- The network.
local gone = batchapi.openai{ base_url = "http://127.0.0.1:9/v1", max_retries = 0 }
local err = show("nobody there", gone:list_batches())
print("  can it have been received? " .. tostring(err.sent))
os.execute([[curl -sS -d '{"answer_delay":5}' "$BATCHAPI_SANDBOX_URL/_control/settings" -o /dev/null]])
show("a deadline", openai:with{ timeout = 0.1 }:request{
  method = "POST",
  path = "/embeddings",
  body = { model = "text-embedding-3-small", input = "a slow one" },
})

-- A file of ours.
show("no such path", openai:create_file{ file = "/no/such/file", purpose = "batch" })

-- Misuse raises, at the line that made the mistake.
print(select(2, pcall(batchapi.openai, { timout = 5 })))
print(select(2, pcall(openai.list_batches, openai, "fifty")))

-- In a `for` there is no second value to look at: the error itself is raised.
local ok, raised = pcall(function()
  for _ in gone:each("list_batches") do
    error("not reached")
  end
end)
print(ok, raised.kind, tostring(raised))
