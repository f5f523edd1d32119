-- Walks through lists that are longer than one page.
--
--   sandbox/run lua5.4 examples/paginate.lua

local batchapi = require("batchapi")

local openai = assert(batchapi.openai())

for i = 1, 7 do
  local content = ('{"custom_id":"r","method":"POST","url":"/v1/embeddings","body":{"input":"%d"}}\n'):format(i)
  assert(openai:create_file{ file = { content = content, filename = i .. ".jsonl" }, purpose = "batch" })
end

-- Items, one by one; the next page is fetched when it is needed.
local names = {}
for file in openai:each("list_files", { purpose = "batch", limit = 3 }) do
  names[#names + 1] = file.filename
end
print(("%d files: %s"):format(#names, table.concat(names, " ")))

-- Whole pages, as the service answers them, with the failure in hand instead of raised.
local pages, count = openai:pages("list_files", { limit = 3 }), 0
while true do
  local page, why = pages:next()
  if not page then
    assert(not why, why)
    break
  end
  count = count + 1
  print(("page %d: %d files, more: %s"):format(count, #page.data, page.has_more))
end

-- What is not needed any more is deleted; collect first, since deleting moves the pages.
local ids = {}
for file in openai:each("list_files", { purpose = "batch" }) do
  ids[#ids + 1] = file.id
end
for _, id in ipairs(ids) do
  assert(openai:delete_file(id).deleted)
end
print("all deleted")
