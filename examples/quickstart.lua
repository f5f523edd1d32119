-- A file of chat requests goes in, every result comes out.
--
--   sandbox/run lua5.4 examples/quickstart.lua                 on the sandbox (`make demo` does this)
--   OPENAI_API_KEY=… lua5.4 examples/quickstart.lua FILE       on the real service, for real money

local batchapi = require("batchapi")

local path = arg[1] or arg[0]:gsub("[^/]*$", "requests.jsonl")
local openai = assert(batchapi.openai())

-- run reads the file, uploads it and creates the batch. A line that the service would
-- refuse is named here, by its number, before anything is sent.
local job = assert(openai:run(path, { endpoint = "/v1/chat/completions", interval = 0.2 }))
assert(job:wait{ on_update = batchapi.progress() })

-- Results stream: however many there are, memory stays where it is.
local answered, failed, tokens = 0, 0, 0
for result in job:results() do
  if result.ok then
    answered = answered + 1
    tokens = tokens + result.body.usage.total_tokens
    if answered <= 3 then
      print(result.custom_id, result.body.choices[1].message.content)
    end
  else
    failed = failed + 1
    print(result.custom_id, result.error.code, result.error.message)
  end
end

print(("%d requests: %d answered, %d failed; %d tokens"):format(answered + failed, answered, failed, tokens))
