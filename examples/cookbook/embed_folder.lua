-- says: 5 paragraphs of 2 files
-- Embeds every text file of a folder, a paragraph at a time, and writes the vectors as JSON Lines.
--
--   sandbox/run lua5.4 examples/cookbook/embed_folder.lua [FOLDER [VECTORS.jsonl]]

local batchapi = require("batchapi")
local jsonl = require("batchapi.jsonl")

local here = arg[0]:gsub("[^/]*$", "")
local folder, to = arg[1] or here .. "notes", arg[2] or os.tmpname()

local files = {}
for path in assert(io.popen("find '" .. folder .. "' -type f -name '*.txt' | sort")):lines() do
  files[#files + 1] = path
end

local paragraphs, requests = {}, {}
for _, path in ipairs(files) do
  local file = assert(io.open(path))
  for text in (file:read("*a") .. "\n\n"):gmatch("(.-)\n\n+") do
    local number = #paragraphs + 1
    paragraphs[number] = { path = path, text = text }
    requests[number] = { body = { model = "text-embedding-3-small", input = text } }
  end
  file:close()
end

local openai = assert(batchapi.openai())
local job = assert(openai:run(requests, { endpoint = "/v1/embeddings", attempts = 3, interval = 0.1 }))
local writer = assert(jsonl.write(to))
for result in job:results() do -- result.index is the number of the request
  local paragraph = paragraphs[result.index]
  if result.ok then
    assert(writer:encode{ path = paragraph.path, text = paragraph.text, vector = result.body.data[1].embedding })
  else
    io.stderr:write(paragraph.path, ": ", result.error.message, "\n")
  end
end
assert(writer:close())
print(("%d paragraphs of %d files"):format(#paragraphs, #files))
if not arg[2] then
  os.remove(to)
end
