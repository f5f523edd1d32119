--- A directory of format 1 becomes one of format 2: its lines get their numbers and checksums.
---
--- Each file is written anew beside the old one, synced, and renamed over it; the journal is last, and
--- what it was stays as journal-1.jsonl. A process that dies midway leaves a directory of format 1 that
--- is migrated again: results that were converted are seen to be so.

local core = require("batchapi.core")
local format = require("batchapi.job.store.journal")
local record_file = require("batchapi.job.store.record_file")

local M = {}

M.KEPT = "journal-1.jsonl"

local keep_null = { null = "keep" }


-- Hands every line of a file of format 1 to `take`. A last line that is torn is left out.
local function each_line(files, name, take)
  local reader, why, err = files:reader(name)
  if not reader then
    return nil, why, err
  end
  local ok = true
  while ok do
    local value, message, failure = files:json(reader, keep_null)
    if value == nil and not message then
      break
    elseif type(value) == "table" then
      ok, why, err = take(value, reader)
    elseif failure and failure.kind == "io" then
      ok, why, err = nil, message, failure
    elseif reader:cut() then
      break
    else
      ok, why, err = record_file.refuse({ { file = name, line = reader:number(), what = "the line is damaged" } },
        "journal_damaged")
    end
  end
  files:close(reader)
  return ok, why, err
end


-- Writes a file anew with what `convert` makes of each line: the fields of a record, or text as it is. `seed_of`
-- tells the seed of a line.
local function rewrite(files, name, to, seed_of, convert)
  local writer, why, err = files:writer(to)
  if not writer then
    return nil, why, err
  end
  local number = 0
  local ok
  ok, why, err = each_line(files, name, function(value, reader)
    number = number + 1
    local fields = convert(value, reader)
    if type(fields) == "string" then
      return files:write(writer, fields .. "\n")
    end
    return files:record(writer, fields, number, seed_of(number))
  end)
  if ok then
    ok, why, err = files:sync(writer)
  end
  files:close(writer)
  return ok, why, err
end


local function is_converted(files, name, seed)
  local reader = files:reader(name)
  local record = reader and files:proven(reader, seed)
  if reader then
    files:close(reader)
  end
  return record ~= nil
end


local function convert_results(files, name, seed)
  local stat = files:stat(name)
  if not stat or stat.size == 0 or is_converted(files, name, seed) then
    return true
  end
  local ok, why, err = rewrite(files, name, name .. ".new", function() return seed end, function(result)
    return result
  end)
  if not ok then
    return nil, why, err
  end
  return files:rename(name .. ".new", name)
end


--- Migrates the directory whose journal begins with `first`.
---@param files table of the directory, which is held
---@param journal string its name
---@param first table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.run(files, journal, first)
  local ok, why, err = true, nil, nil
  for _, name in ipairs{ "results.jsonl", "results.jsonl.part" } do
    if ok then
      ok, why, err = convert_results(files, name, core.crc32c(tostring(first.id)))
    end
  end
  if ok then
    ok, why, err = rewrite(files, journal, M.KEPT .. ".new", nil, function(_, reader)
      return reader:raw()
    end)
  end
  if ok then
    ok, why, err = files:rename(M.KEPT .. ".new", M.KEPT)
  end
  if ok then
    ok, why, err = rewrite(files, journal, journal .. ".new", function(number)
      return format.seed_of(first.id, number)
    end, function(record)
      if record.type == "job" then
        record.format = format.format
      end
      return record
    end)
  end
  if not ok then
    return nil, why, err
  end
  return files:rename(journal .. ".new", journal)
end


return M
