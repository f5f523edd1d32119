--- JSON Lines: files of one value per line, read and written without holding more than a line.
---
---     local writer = assert(jsonl.write("requests.jsonl"))
---     assert(writer:encode{ custom_id = "a", body = { … } })
---     assert(writer:close())
---
---     for value in assert(jsonl.read("results.jsonl")) do … end

local core = require("batchapi.core")
local errors = require("batchapi.errors")
local files_of = require("batchapi.files")
local iterator = require("batchapi.iterator")

local M = {}


--- Iterates the lines of a file: callable, so that a `for` takes it, with `next()` and `close()`.
---@class batchapi.JsonLines
---@field number fun(self): integer the last line's number
local Lines = {}


--- The next line's value; nil alone at the end. After a line that is not JSON the next call goes on
--- behind it.
---@return any value
---@return string|nil why
---@return batchapi.Error|nil err `line` is its number
function Lines:next()
  local reader = self._reader
  local value, why, err = reader:json(self._options)
  if value == nil and not why and reader:starved() then
    value, why, err = self._files:json(reader, self._options)
  end
  if value ~= nil then
    return value
  end
  if why then
    return errors.adopt("jsonl.read", err, why)
  end
  return nil
end


--- The number of the last line, from 1; blank lines count.
---@return integer
function Lines:number()
  return self._reader:number()
end


--- Ends it early; a second time does nothing.
---@return true
function Lines:close()
  return self._reader:close()
end


local lines_mt = iterator.metatable(Lines, "batchapi.jsonl")
local wait_and_call = lines_mt.__call


-- Most lines are in memory: then nothing waits, and no more is done than to decode.
function lines_mt.__call(lines)
  local reader = lines._reader
  local value, why, err = reader:json(lines._options)
  if value ~= nil then
    return value
  elseif why then
    local _, _, failure = errors.adopt("jsonl.read", err, why)
    error(failure, 0)
  elseif reader:starved() then
    return wait_and_call(lines)
  end
  return nil
end


local function copy(options, names, what)
  local read, rest = {}, {}
  for name, value in pairs(options or {}) do
    if not names[name] then
      errors.misuse("%s: unknown option '%s'", what, tostring(name))
    end
    (names[name] == "read" and read or rest)[name] = value
  end
  return read, rest
end


local read_options = { max_line_bytes = "open", null = "read", max_depth = "read", host = "host" }


--- Opens a file of JSON Lines for reading.
---@param path string
---@param options? { max_line_bytes?: integer, max_depth?: integer, null?: "absent"|"keep", host?: string }
---@return batchapi.JsonLines|nil lines
---@return string|nil why
---@return batchapi.Error|nil err
function M.read(path, options)
  local read, rest = copy(options, read_options, "jsonl.read")
  local files = files_of.new(rest.host)
  local reader, why, err = files:reader(path, { max_line_bytes = rest.max_line_bytes })
  if not reader then
    return errors.adopt("jsonl.read", err, why)
  end
  return setmetatable({
    _files = files, _reader = reader, _options = next(read) and read or nil, _host = rest.host, _what = path,
  }, lines_mt)
end


--- Opens a file for writing. The writer has `encode(value)` (gives the bytes of the line), `write(bytes)`,
--- `flush()`, `sync()` (to the disk) and `close()`; each gives nil, why, err when it fails, and a writer that
--- has failed fails from then on.
---@param path string
---@param options? { append?: boolean }
---@return batchapi.Writer|nil writer
---@return string|nil why
---@return batchapi.Error|nil err
function M.write(path, options)
  local writer, why, err = core.writer(path, options)
  if not writer then
    return errors.adopt("jsonl.write", err, why)
  end
  return writer
end


return M
