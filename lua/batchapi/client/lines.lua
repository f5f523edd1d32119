--- The JSON lines of an answer, decoded one by one as they come: nothing is read whole.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local failure = require("batchapi.call.failure")
local iterator = require("batchapi.host.iterator")

---@class batchapi.Lines
---@overload fun(): any the next value, in a `for`; a failure raises
local methods = {}

local M = {}


local function open(lines)
  lines._begun = true
  local stream, second, third = lines._client:_open(lines._what, lines._arguments, { unpack = true })
  if not stream then
    return nil, second, third
  end
  lines._stream = stream
  return true
end


local function broken(lines, message, err)
  lines:close()
  local number = type(err) == "table" and err.line or tonumber(tostring(message):match("^line (%d+)"))
  if not number then
    number = lines._splitter:number()
    message = ("line %d: %s"):format(number, tostring(message))
  end
  return errors.fail(errors.new{
    kind = type(err) == "table" and err.kind or "decode", operation = lines._what,
    message = message .. " (of the answer)", line = number,
    sent = true, attempts = 1,
  })
end


--- Waits for more bytes. False at the end, nil and the failure when the answer broke off.
local function more(lines)
  local came, outcome = lines._stream:read_into(lines._splitter)
  if came then
    return true
  elseif not outcome.ok then
    lines:close()
    return failure.of_outcome(lines._client, lines._what, outcome, lines._stream.call)
  elseif lines._ended then
    return false
  end
  lines._ended = true
  lines._splitter:finish() -- the last line may lack its LF
  return true
end


--- The next value; nil at the end; nil, why, err on a failure.
---@async
---@return any value, string|nil message, batchapi.Error|nil err
function methods:next()
  if self._closed then
    return nil
  elseif not self._begun then
    local ok, message, err = open(self)
    if not ok then
      self._closed = true
      return nil, message, err
    end
  end
  while true do
    local value, message, err = self._client._codec.decode_line(self._splitter)
    if value ~= nil then
      return value
    elseif message then
      return broken(self, message, err)
    end
    local going, why, failed = more(self)
    if going == nil then
      return nil, why, failed
    elseif not going then
      self._closed = true
      self._stream.call:release()
      return nil
    end
  end
end


--- Ends it early; the rest of the answer is not received.
function methods:close()
  if self._stream and not self._ended then
    self._stream:close()
  end
  self._closed = true
end


local mt = iterator.metatable(methods, "batchapi.lines")


---@param client batchapi.Client
---@param operation table
---@param arguments table packed
---@return batchapi.Lines
function M.new(client, operation, arguments)
  if operation.answer == "json" then
    errors.misuse("lines: the answer of '%s' is one document, not lines", operation.name)
  end
  return setmetatable({
    _client = client, _what = operation.name, _host = client._context.host,
    _arguments = arguments,
    _splitter = core.lines{ max_line_bytes = client._settings.max_line_bytes },
    _stream = nil,   -- once opened
    _begun = false, _ended = false, _closed = false,
  }, mt)
end


return M
