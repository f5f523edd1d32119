-- A batch by hand: upload, create, wait, download. `run` does all of this, and more, in one call.
--
--   sandbox/run lua5.4 examples/wait.lua

local batchapi = require("batchapi")

local openai = assert(batchapi.openai())

local here = arg[0]:gsub("[^/]*$", "")
local file = assert(openai:create_file{ file = here .. "requests.jsonl", purpose = "batch" })
local batch = assert(openai:create_batch{
  input_file_id = file.id,
  endpoint = "/v1/chat/completions",
  completion_window = "24h",
  metadata = { campaign = "spring" },
})

batch = assert(openai:wait(batch.id, {
  interval = 0.1, -- seconds; a real batch takes hours: leave it at its 5
  timeout = 60,
  on_update = function(now)
    print(now.status, now.request_counts.completed .. "/" .. now.request_counts.total)
  end,
}))

local path = os.tmpname()
local saved = assert(openai:download_file(batch.output_file_id, { to = path }))
print(("%s: %d bytes"):format(batch.status, saved.bytes))

-- Or line by line, without a file and without holding it in memory.
local lines = 0
for line in openai:lines("download_file", batch.output_file_id) do
  assert(line.response.status_code == 200, line.custom_id)
  lines = lines + 1
end
print(lines .. " results")
os.remove(path)
