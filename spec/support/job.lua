--- What the job specs share. They run under sandbox/run.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local journal = require("batchapi.job.store.journal")

local M = {}


--- A request that the sandbox echoes.
function M.chat(text, more)
  local body = { model = "gpt-4o-mini", messages = { { role = "user", content = text } } }
  for name, value in pairs(more or {}) do
    body[name] = value
  end
  return { body = body }
end


--- `count` of them, with the words of `words[i]` for the sandbox.
function M.chats(count, words)
  local list = {}
  for i = 1, count do
    list[i] = M.chat("text " .. i, words and words[i] and { metadata = { sandbox = words[i] } })
  end
  return list
end


--- Options that suit the sandbox.
function M.quick(more)
  local options = { endpoint = "/v1/chat/completions", interval = 0.05, timeout = 60, settle = 0.5 }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end


--- All results as an array in the order they came, and by index.
function M.all(job)
  local list, by_index = {}, {}
  for result in job:results() do
    list[#list + 1] = result
    assert(not by_index[result.index], "two results for request " .. result.index)
    by_index[result.index] = result
  end
  return list, by_index
end


--- The status, or the code where there is none, of each result, by custom_id.
function M.outcomes(list)
  local by_id = {}
  for _, result in ipairs(list) do
    by_id[result.custom_id] = result.status or result.error.code
  end
  return by_id
end


--- A new directory's path under one that clear() removes.
local made = {}

function M.dir()
  local dir = ("%s/batchapi-spec-%s"):format(os.getenv("TMPDIR") or "/tmp", core.random(8))
  made[#made + 1] = dir
  return dir
end


function M.clear()
  for _, dir in ipairs(made) do
    os.execute(("rm -rf '%s'"):format(dir))
  end
  made = {}
end


function M.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end


function M.write(path, text, mode)
  local file = assert(io.open(path, mode or "wb"))
  file:write(text)
  file:close()
end


--- Puts `new` in the place of the first `old` in a file.
function M.change(path, old, new)
  local text = M.read(path)
  local from, to = text:find(old, 1, true)
  M.write(path, text:sub(1, from - 1) .. new .. text:sub(to + 1))
end


--- The records of a journal.
function M.journal(dir)
  local records = {}
  for line in io.lines(dir .. "/journal.jsonl") do
    records[#records + 1] = core.decode(line)
  end
  return records
end


local function rewrite(path, write)
  local writer = assert(core.writer(path))
  write(writer)
  assert(writer:close())
end


--- Writes a journal of these records: their numbers and checksums are made anew.
function M.write_journal(dir, records)
  rewrite(dir .. "/journal.jsonl", function(writer)
    for i, record in ipairs(records) do
      record.n, record.crc = nil, nil
      assert(writer:record(record, i, journal.seed_of(records[1].id, i)))
    end
  end)
end


--- Writes a journal anew: `edit(record)` gives the record that takes its place, or nil.
function M.edit_journal(dir, edit)
  local kept = {}
  for _, record in ipairs(M.journal(dir)) do
    kept[#kept + 1] = edit(record)
  end
  M.write_journal(dir, kept)
end


--- Of the checksums of a directory's results.
function M.seed(dir)
  return core.crc32c(M.journal(dir)[1].id)
end


--- Makes of a job that has ended one that was killed when only the results with these ids were on
--- disk, and no record of these types.
function M.kill_after(dir, ids, unwritten)
  local seed, kept = M.seed(dir), {}
  for line in io.lines(dir .. "/results.jsonl") do
    kept[#kept + 1] = ids[core.decode(line).custom_id] and line or nil
  end
  rewrite(dir .. "/results.jsonl.part", function(writer)
    for i, line in ipairs(kept) do
      assert(writer:renumber(line, i, seed))
    end
  end)
  M.edit_journal(dir, function(record)
    return not unwritten[record.type] and record or nil
  end)
  assert(os.remove(dir .. "/results.jsonl"))
end


--- How many records of a type a journal has.
function M.count_records(dir, kind)
  local count = 0
  for _, record in ipairs(M.journal(dir)) do
    count = count + (record.type == kind and 1 or 0)
  end
  return count
end


--- The text that the sandbox answered a chat with.
function M.content(result)
  return result.body.choices[1].message.content
end

M.null = batchapi.null

return M
