-- says: 5 rows: 2 positive, 1 negative, 1 neutral, 1 unsure
-- Classifies each row of a CSV file, and writes a CSV file with the labels.
--
--   sandbox/run lua5.4 examples/cookbook/classify_csv.lua [IN.csv [OUT.csv]]

local batchapi = require("batchapi")

local here = arg[0]:gsub("[^/]*$", "")
local from, to = arg[1] or here .. "reviews.csv", arg[2] or os.tmpname()
local labels = { "positive", "negative", "neutral" }

-- The fields of a line of CSV: quotes, doubled quotes and commas within quotes.
local function fields(line)
  local list, text = {}, ""
  for piece in (line .. ","):gmatch("[^,]*,") do
    text = text .. piece
    if select(2, text:gsub('"', "")) % 2 == 0 then
      list[#list + 1] = text:sub(1, -2):gsub('^"(.*)"$', "%1"):gsub('""', '"')
      text = ""
    end
  end
  return list
end

local lines = assert(io.open(from)):lines()
lines() -- the line of titles

-- An iterator: a file of millions of rows is never whole in memory.
local function requests()
  local line = lines()
  local row = line and fields(line)
  return row and {
    custom_id = row[1],
    body = {
      model = "gpt-4o-mini",
      max_completion_tokens = 5,
      messages = {
        { role = "system", content = "Answer with one word: " .. table.concat(labels, ", ") .. "." },
        { role = "user", content = row[2] },
      },
    },
  }
end

local job = assert(batchapi.openai()):run(requests, { endpoint = "/v1/chat/completions", attempts = 3 })
assert(job:wait{ on_update = batchapi.progress() })

local out, count = assert(io.open(to, "w")), { unsure = 0 }
out:write("id,label\n")
for result in job:results() do
  local label = "unsure"
  local answer = result.ok and result.body.choices[1].message.content:lower() or ""
  for _, known in ipairs(labels) do
    label = answer:find(known, 1, true) and known or label
  end
  count[label] = (count[label] or 0) + 1
  out:write(result.custom_id, ",", label, "\n")
end
assert(out:close())
print(("%d rows: %d positive, %d negative, %d neutral, %d unsure"):format(job:status().requests,
  count.positive or 0, count.negative or 0, count.neutral or 0, count.unsure))
if not arg[2] then
  os.remove(to)
end
