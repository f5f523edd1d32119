-- says: all 16 kinds
-- Every kind of error, provoked on the sandbox: `nil`, a message for people, and a table for programs.
--
--   sandbox/run lua5.4 examples/errors.lua

local batchapi = require("batchapi")

local openai = assert(batchapi.openai{ max_retries = 0 })
local kinds, count = {}, 0

local function show(kind, value, why, err)
  assert(value == nil, "this should have failed: " .. kind)
  assert(err.kind == kind, ("%s, not %s: %s"):format(err.kind, kind, why))
  print(("%-11s status=%-4s sent=%-5s retryable=%-5s %s"):format(kind, err.status or "-", tostring(err.sent),
    tostring(err.retryable), why))
  count = count + (kinds[kind] and 0 or 1)
  kinds[kind] = true
end

-- A client whose calls meet a fault of the sandbox.
local function meets(fault, options)
  options = options or {}
  options.headers = { ["X-Sandbox-Fault"] = fault }
  return openai:with(options)
end

-- Refused before anything is sent, and by the service.
show("invalid", openai:list_batches{ limit = 0 })
show("http", openai:retrieve_file("file-none"))
show("auth", openai:with{ api_key = "sk-wrong" }:list_batches())
show("rate_limit", meets("429 retry_after=2"):list_batches())

-- The network.
show("connect", batchapi.openai{ base_url = "http://127.0.0.1:9/v1", max_retries = 0 }:list_batches())
show("tls", openai:with{ base_url = os.getenv("BATCHAPI_SANDBOX_TLS_URL") .. "/v1" }:list_batches())
show("timeout", meets("stall seconds=5", { timeout = 0.1 }):list_batches())

-- An answer that is not what it should be.
show("truncated", meets("truncate at=10"):list_batches())
show("decode", meets("html"):list_batches())
show("too_large", openai:with{ max_body_bytes = 10 }:list_batches())

-- Here.
show("io", openai:create_file{ file = "/no/such/file", purpose = "batch" })
local outcomes = batchapi.map({ 1 }, function() error("a fault of mine") end, { outcomes = true })
show("raised", nil, outcomes[1].error.message, outcomes[1].error)

-- Ended by somebody: both functions run at the same time.
local co, cancelled, closed
batchapi.parallel(function()
  co = coroutine.running()
  cancelled = { meets("stall seconds=5"):list_batches() }
  return true
end, function()
  batchapi.cancel(co)
  return true
end)
show("cancelled", cancelled[1], cancelled[2], cancelled[3])

local client = batchapi.openai{ headers = { ["X-Sandbox-Fault"] = "stall seconds=5" } }
batchapi.parallel(function()
  closed = { client:list_batches() }
  return true
end, function()
  client:close()
  return true
end)
show("closed", closed[1], closed[2], closed[3])

-- Jobs. A directory has one owner; and a batch whose every request is wrong ends without running anything.
local dir = os.tmpname() .. "-job"
local requests = { { body = { model = "text-embedding-3-small", input = "one" } } }
local job = assert(openai:run(requests, { endpoint = "/v1/embeddings", dir = dir, interval = 0.1 }))
show("locked", openai:run(requests, { endpoint = "/v1/embeddings", dir = dir }))
assert(job:wait())
job:close()
os.execute("rm -r '" .. dir .. "'")

local file = assert(openai:create_file{ purpose = "batch", file = { filename = "in.jsonl", content =
  '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"no-such-model","input":"one"}}\n' } })
local batch = assert(openai:create_batch{ input_file_id = file.id, endpoint = "/v1/embeddings", completion_window = "24h" })
show("job", openai:wait(batch.id, { interval = 0.1 }))

print(("all %d kinds"):format(count))

-- Misuse raises, at the line that made the mistake.
print(select(2, pcall(batchapi.openai, { timout = 5 })))
print(select(2, pcall(openai.list_batches, openai, "fifty")))
