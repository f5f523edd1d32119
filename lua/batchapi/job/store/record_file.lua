--- A file whose lines prove themselves, as the journal and the results are: read to its end, whatever
--- is damaged in it.
---
--- Each line carries its number and a checksum (src/include/batchapi/record.h). What fails either is damage: it is
--- told, and nothing is done about it here. Only the last line, and only without its line feed, can be
--- torn: its writer died before it could act upon it.

local core = require("batchapi.core")

local M = {}

local TAIL = 18 -- bytes of a line behind its fields
--- Of readers of what a job itself has written: the most that they take.
M.any_length = { max_line_bytes = 2 ^ 30 }

local keep_null = { null = "keep" }


--- What a damaged line still says, though nothing proves it.
local legible = {
  { "type", '"type":"([%w_]+)"' }, { "part", '"part":(%d+)' }, { "call", '"call":(%d+)' },
  { "batch_id", '"batch_id":"([%w_%-]+)"' }, { "file_id", '"file_id":"([%w_%-]+)"' },
  { "index", '"index":(%d+)' }, { "custom_id", '"custom_id":"([^"\\%c]*)"' },
}

local function known_of(line)
  local known = {}
  for _, entry in ipairs(legible) do
    known[entry[1]] = line:match(entry[2])
  end
  known.index = tonumber(known.index)
  return known
end


---@class batchapi.Damage
---@field file string name in the job's directory
---@field line integer|nil of the file, from 1
---@field lines integer|nil how many lines are concerned, where it is not one
---@field what string what is wrong
---@field known table|nil what a damaged line still says: type, part, batch_id, index, custom_id, …; nothing proves it


--- One damage for people.
---@param damage batchapi.Damage
---@return string
function M.describe(damage)
  local words = {}
  for _, entry in ipairs(legible) do
    local value = (damage.known or {})[entry[1]]
    words[#words + 1] = value and ("%s %s"):format(entry[1], tostring(value))
  end
  return ("%s%s: %s%s"):format(damage.file, damage.line and (", line %d"):format(damage.line) or "", damage.what,
    #words > 0 and (" (it still says: %s)"):format(table.concat(words, ", ")) or "")
end


-- A line without its line feed: whole; whole but for a byte in the line feed's place; or torn.
local function last_line(reader, seed, record)
  if record then
    return record, 0
  end
  local raw = reader:raw() or ""
  record = core.record(raw:sub(1, -2), seed, keep_null)
  return record or nil, 1
end


---@class batchapi.job.RecordFile
---@field lines integer the number of the last line
---@field size integer bytes that stay
---@field torn boolean the last line was torn: behind `size` nothing counts
---@field feed boolean the last line that stays has no line feed
---@field open_end boolean the last line is damaged: nothing tells how many it was


--- The bytes that a service sent, of a line that holds them; nil: it holds none.
---@param record table
---@param raw string the line
---@return string|nil
function M.bytes_of(record, raw)
  if record.base64 then
    return core.base64_decode(record.base64)
  end
  return record.bytes and raw:sub(-TAIL - record.bytes, -TAIL - 1)
end


--- Reads a file; `each(record, place, raw)` is told of every line that proves itself, and `damage`, a
--- list, of what does not.
---@param files table batchapi.Files of the directory
---@param name string
---@param seed integer|fun(line: integer): integer of a line of the file, from 1
---@param each fun(record: table, place: integer, reader: userdata): true|nil, string|nil, table|nil
---@param damage batchapi.Damage[]
---@param how "proven"|"fields"|nil fields: what a service sent need not be in the records
---@return batchapi.job.RecordFile|nil found
---@return string|nil message
---@return table|nil err
function M.read(files, name, seed, each, damage, how)
  how = how or "proven"
  local reader, why, err = files:reader(name, M.any_length)
  if not reader then
    return nil, why, err
  end
  local fixed = type(seed) == "number" and seed
  local last, lost = 0, 0 -- number of the last line; damaged ones since
  local found = { lines = 0, size = 0, torn = false, feed = false }
  local ok = true
  while ok do
    local of_line = fixed or seed(reader:number() + 1)
    local record, message, failure = files[how](files, reader, of_line, keep_null)
    if record == nil and not message then
      break
    elseif record == nil and (failure or {}).code ~= "checksum" then
      ok, why, err = nil, message, failure
      break
    end
    local place, stray = found.size, 0
    if reader:cut() then
      record, stray = last_line(reader, of_line, record)
      found.torn, found.feed = record == nil, record ~= nil
      if not record then
        break
      end
    end
    found.size = reader:offset() - stray
    if not record then
      lost = lost + 1
      damage[#damage + 1] = { file = name, line = reader:number(), what = "the line is damaged",
        known = known_of(reader:raw()) }
    elseif record.n <= last then
      damage[#damage + 1] = { file = name, line = reader:number(), known = known_of(reader:raw()),
        what = ("the line is number %d and stands behind number %d"):format(record.n, last) }
    else
      local gap = record.n - last - 1
      if gap > lost then
        damage[#damage + 1] = { file = name, line = reader:number(), lines = gap - lost,
          what = ("lines %d to %d are missing or damaged before it"):format(last + 1, record.n - 1) }
      end
      last, lost = record.n, 0
      ok, why, err = each(record, place, reader)
    end
  end
  files:close(reader)
  if not ok then
    return nil, why, err
  end
  found.lines, found.open_end = last + lost, lost > 0
  return found
end


--- Makes the end of a file one that may be written on: a torn line goes, a line feed comes.
---@param files table
---@param name string
---@param found batchapi.job.RecordFile
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.mend_end(files, name, found)
  if not (found.torn or found.feed) then
    return true
  end
  local ok, why, err = files:truncate(name, found.size)
  if ok and found.feed then
    local writer
    writer, why, err = files:writer(name, { append = true })
    ok = writer ~= nil
    if ok then
      ok, why, err = files:write(writer, "\n")
      if ok then
        ok, why, err = files:sync(writer)
      end
      files:close(writer)
    end
  end
  if not ok then
    return nil, why, err
  end
  found.size = found.size + (found.feed and 1 or 0)
  return true
end


--- The failure of a file that is damaged.
---@param damage batchapi.Damage[]
---@param code string
---@return nil
---@return string message
---@return table err
function M.refuse(damage, code)
  local more = #damage > 1 and (", and %d more"):format(#damage - 1) or ""
  return nil, ("%s%s; nothing was cut, sent or handed out: batchapi.verify tells all of it, and resume with "
    .. "salvage = true goes on with what is provably right"):format(M.describe(damage[1]), more),
    { kind = "job", code = code, line = damage[1].line, damage = damage }
end


return M
