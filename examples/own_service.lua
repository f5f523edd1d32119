-- A service that batchapi does not know, described as data. Here: an envelope that takes up to
-- twenty calls at once and answers them in any order, as several services have it.
--
--   sandbox/run lua5.4 examples/own_service.lua

local batchapi = require("batchapi")

local definition = {
  name = "relay",
  base_url = "https://relay.example/v1.0",
  environment = "RELAY_BASE_URL",
  auth = { { kind = "bearer", option = "access_token", environment = "RELAY_TOKEN" } },
  errors = { code = { "error.code" }, message = { "error.message" } },
  operations = {
    {
      name = "send", method = "POST", path = "/$batch",
      repeats = "never_sent",
      body = { type = "object", required = true, fields = {
        { "requests", "array", required = true, min_items = 1, max_items = 20, items = {
          type = "object", fields = {
            { "id", "string", required = true },
            { "method", "string", required = true, one_of = { "GET", "POST" }, case = "upper" },
            { "url", "string", required = true, min_length = 1 },
          },
        } },
      } },
    },
  },
  run = {
    family = "envelope",
    request = { id = "id", required = { "method", "url" }, safe = { path = "method", one_of = { "get" } } },
    limits = { requests = 20 },
    concurrency = 4,
    create = { operation = "send", arguments = { { requests = "$requests" } } },
    items = "responses",
    result = { id = "id", status = "status", body = "body", code = { "body.error.code" } },
  },
}

-- The sandbox answers this kind of envelope under /graph.
local relay = assert(batchapi.client(definition, {
  base_url = assert(os.getenv("BATCHAPI_SANDBOX_URL"), "run it under sandbox/run") .. "/graph/v1.0",
  access_token = "sandbox-graph-token",
}))
print(relay)

-- Each operation is a method, checked as the definition says.
print((select(2, relay:send{ requests = {} })))

-- And `run` takes any number of requests.
local requests = {}
for i = 1, 100 do
  requests[i] = { method = "GET", url = "/users/" .. i }
end
local seen = 0
for result in assert(relay:run(requests)):results() do
  assert(result.ok, result.error and result.error.message)
  seen = seen + 1
end
print(seen .. " results")
