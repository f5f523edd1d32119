--- JSON Lines: files of one value per line, read and written without holding more than a line.
---
---     local writer = assert(jsonl.write("requests.jsonl"))
---     assert(writer:encode{ custom_id = "a", body = { … } })
---     assert(writer:close())
---
---     for value in assert(jsonl.read("results.jsonl")) do … end

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local host = require("batchapi.host")
local files_of = require("batchapi.host.files")
local iterator = require("batchapi.host.iterator")
local json_options = require("batchapi.json.options")
local check = require("batchapi.check.options")

local M = {}

local unpack = rawget(table, "unpack") or rawget(_G, "unpack")


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


local read_options = check.list{
  { name = "max_line_bytes", kind = "number", integer = true, min = 1, max = 2 ^ 30 },
  host.option, unpack(json_options.decode),
}
local write_options = check.list{ { name = "append", kind = "boolean" } }


local function check_path(path, what)
  if type(path) ~= "string" then
    errors.misuse("%s: the path of a file expected, got %s", what, path == nil and "no value" or "a " .. type(path))
  end
end


--- What is for opening, and what is for reading its lines, or nil.
local function parted(options)
  json_options.check_decode(options, read_options, "jsonl.read")
  local open, read = {}, {}
  for name, value in pairs(options) do
    (json_options.decode[name] and read or open)[name] = value
  end
  return open, next(read) and read or nil
end


--- Opens a file of JSON Lines for reading.
---@param path string
---@param options? { max_line_bytes?: integer, max_depth?: integer, null?: "absent"|"keep", big_integers?: "float"|"text"|"cdata", host?: string }
---@return batchapi.JsonLines|nil lines
---@return string|nil why
---@return batchapi.Error|nil err
function M.read(path, options)
  check_path(path, "jsonl.read")
  local open, read = parted(options or {})
  local files = files_of.new(open.host)
  local reader, why, err = files:reader(path, { max_line_bytes = open.max_line_bytes })
  if not reader then
    return errors.adopt("jsonl.read", err, why)
  end
  return setmetatable({
    _files = files, _reader = reader, _options = read, _host = open.host, _what = path,
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
  check_path(path, "jsonl.write")
  if options ~= nil then
    check.check(options, write_options, "jsonl.write")
  end
  local writer, why, err = core.writer(path, options)
  if not writer then
    return errors.adopt("jsonl.write", err, why)
  end
  return writer
end


return M
