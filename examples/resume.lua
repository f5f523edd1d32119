-- A job that survives: kill this program whenever you like and start it again, it goes on
-- where it was. Nothing is sent twice, and every request has exactly one result in the end.
--
--   sandbox/run lua5.4 examples/resume.lua [DIRECTORY]

local batchapi = require("batchapi")

local dir = arg[1]
local scratch
if not dir then
  scratch = io.popen("mktemp -d")
  dir = scratch:read("*l") .. "/nightly"
  scratch:close()
end

local openai = assert(batchapi.openai())

local function requests()
  local i = 0
  return function()
    i = i + 1
    if i <= 500 then
      return { body = { model = "text-embedding-3-small", input = "line " .. i } }
    end
  end
end

-- The first run: written, uploaded, created; then the process goes away in the middle.
local job = assert(openai:run(requests(), {
  endpoint = "/v1/embeddings",
  dir = dir,
  max_requests_per_batch = 200, -- three parts
  attempts = 3,                 -- repeat what can succeed at another try
  interval = 0.1,
}))
print("started:", job)
job = nil -- luacheck: ignore 311
collectgarbage()

-- Later, perhaps in another process or on another machine that has the directory: the journal knows
-- everything but the credentials.
local again = assert(batchapi.resume(dir, { client = openai }))
local seen = 0
for result in again:results() do
  assert(result.ok, result.custom_id)
  seen = seen + 1
end
print(("%d results in %s/results.jsonl"):format(seen, dir))

local status = again:status()
print(("%d parts, %d requests, state %s"):format(#status.parts, status.requests, status.state))
if scratch then
  os.execute("rm -rf '" .. dir .. "'")
end
