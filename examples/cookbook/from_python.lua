-- says: 1200 answers
-- What a program for the openai package of Python does, call by call: upload, create, poll, download. The
-- operations have the same names and take the same documents. (openai:run does all of it in one call, and more.)
--
--   sandbox/run lua5.4 examples/cookbook/from_python.lua [REQUESTS.jsonl]

local batchapi = require("batchapi")

local openai = assert(batchapi.openai())                                     -- client = OpenAI()
local here = arg[0]:gsub("[^/]*$", "")

local file = assert(openai:create_file{                                      -- client.files.create(
  file = arg[1] or here .. "../requests.jsonl", purpose = "batch" })         --   file=open(…), purpose="batch")

local batch = assert(openai:create_batch{                                    -- client.batches.create(
  input_file_id = file.id,
  endpoint = "/v1/chat/completions",
  completion_window = "24h",
  metadata = { campaign = "spring" },
})

batch = assert(openai:wait(batch.id, { interval = 0.1 }))                    -- while batch.status not in …: sleep

local answers = 0
for line in openai:lines("download_file", batch.output_file_id) do           -- client.files.content(…).text
  if line.response.status_code == 200 then
    answers = answers + 1
  end
end
if batch.error_file_id then                                                  -- easily forgotten
  for line in openai:lines("download_file", batch.error_file_id) do
    print(line.custom_id, line.response and line.response.status_code or line.error.code)
  end
end
print(answers .. " answers")
