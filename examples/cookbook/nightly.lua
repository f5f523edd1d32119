-- says: done: 1200 answers in
-- A job of every night, from cron. Each run looks for at most 50 seconds and ends. The first one submits,
-- later ones look, the last one collects. Kill it, reboot, run it twice at once: nothing is sent twice.
--
--   */10 * * * *  cd /srv/nightly && lua5.4 nightly.lua requests.jsonl >> nightly.log 2>&1
--
--   sandbox/run lua5.4 examples/cookbook/nightly.lua [REQUESTS.jsonl [DIRECTORY]]

local batchapi = require("batchapi")

local here = arg[0]:gsub("[^/]*$", "")
local requests = arg[1] or here .. "../requests.jsonl"
local dir = (arg[2] or "nightly-") .. os.date("%Y-%m-%d") -- a directory for each night

local openai = assert(batchapi.openai())
local job, why, err = openai:run(requests, { endpoint = "/v1/chat/completions", dir = dir, attempts = 3 })
if not job and err.kind == "locked" then
  print("another run is at work: process " .. tostring(err.pid))
  os.exit(0)
end
assert(job, why)

local ended
ended, why, err = job:wait{ timeout = 50 } -- the end of the wait ends nothing else
print(job:status())
if not ended then
  assert(err.kind == "timeout", why)
  os.exit(0)
end

local out, count = assert(io.open(dir .. ".tsv", "w")), 0
for result in job:results() do
  if result.ok then
    count = count + 1
    out:write(result.custom_id, "\t", (result.body.choices[1].message.content:gsub("%s", " ")), "\n")
  end
end
assert(out:close())
print(("done: %d answers in %s.tsv"):format(count, dir))
