-- says: 3 subtitles, 0 left as they were
-- Translates a file of subtitles. Times stay, the order stays, and what could not be translated stays as it was.
--
--   sandbox/run lua5.4 examples/cookbook/translate_subtitles.lua [FILM.srt [FILM.de.srt]]

local batchapi = require("batchapi")

local here = arg[0]:gsub("[^/]*$", "")
local from, to = arg[1] or here .. "film.srt", arg[2] or os.tmpname()

local file = assert(io.open(from))
local blocks, requests = {}, {}
for block in (file:read("*a"):gsub("\r\n", "\n") .. "\n\n"):gmatch("(.-)\n\n+") do
  local head, text = block:match("^(%d+\n[^\n]+\n)(.*)$") -- number and times, then the words
  if head then
    blocks[#blocks + 1] = { head = head, text = text }
    requests[#blocks] = { body = {
      model = "gpt-4o-mini",
      messages = {
        { role = "system", content = "Translate this subtitle into German. Keep its line breaks. Answer with it alone." },
        { role = "user", content = text },
      },
    } }
  end
end
file:close()

local openai = assert(batchapi.openai())
local job = assert(openai:run(requests, {
  endpoint = "/v1/chat/completions", ordered = true, attempts = 3, interval = 0.1 }))
local out, left = assert(io.open(to, "w")), 0
for result in job:results() do -- in the order of the film
  local block = blocks[result.index]
  local text = result.ok and result.body.choices[1].message.content
  left = left + (text and 0 or 1)
  out:write(block.head, text or block.text, "\n\n")
end
assert(out:close())
print(("%d subtitles, %d left as they were"):format(#blocks, left))
if not arg[2] then
  os.remove(to)
end
