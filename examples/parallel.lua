-- Many calls at once from a plain script: no event loop, no threads to care for.
--
--   sandbox/run lua5.4 examples/parallel.lua

local batchapi = require("batchapi")

local openai = assert(batchapi.openai{ max_connections = 16 })

local questions = {}
for i = 1, 100 do
  questions[i] = ("What is %d squared?"):format(i)
end

-- map: one function over many items, at most 16 at once; the answers come in the items' order.
local answers = assert(batchapi.map(questions, function(question)
  return openai:create_chat_completion{ model = "gpt-4o-mini", messages = { { role = "user", content = question } } }
end, { concurrency = 16 }))
print(#answers, answers[100].choices[1].message.content)

-- parallel: different functions side by side.
assert(batchapi.parallel(
  function()
    local page = assert(openai:list_batches())
    print("batches:", #page.data)
    return true
  end,
  function()
    local page = assert(openai:list_files())
    print("files:", #page.data)
    return true
  end
))

-- The first failure cancels the rest.
local ok, why, err = batchapi.map({ "file-none", "file-nothing" }, function(id)
  return openai:retrieve_file(id)
end)
print(ok, err.kind, err.status, why)

local stats = openai:stats()
print(("%d requests over %d connections"):format(stats.requests, stats.connections_opened))
