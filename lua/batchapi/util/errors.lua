--- The error object, the failure triple, and how misuse is raised.
---
--- Failures of the world are values: `nil, message, err`. The object carries the fields of
--- `batchapi.Error`; its tostring is its message, so that it may be raised as it is (a `for` does).
--- Misuse is a mistake in the program and raises at the line of the program that made it.

---@alias batchapi.ErrorKind
---| "invalid" # a value the service is known to refuse; nothing was sent
---| "auth" # 401, 403, or no credentials
---| "rate_limit" # 429
---| "http" # any other status of 300 and above
---| "connect" # the server (its name, a proxy) cannot be reached
---| "tls" # the connection is not to be trusted
---| "timeout" # a deadline, or a stall
---| "truncated" # the answer ended early
---| "decode" # the answer is not what it should be
---| "too_large" # a cap was reached
---| "cancelled"
---| "closed" # the client was closed while the call was in flight
---| "io" # a local file; the errno's name is the code
---| "locked" # the job's directory is held by another process
---| "job" # the work failed as a whole
---| "raised" # a function given to map or parallel raised something that is no table; it is the `cause`

---@class batchapi.Error
---@field kind batchapi.ErrorKind
---@field message string one line for people; begins with the operation, never holds a secret
---@field operation string the operation that failed
---@field status integer|nil the HTTP status, only ever what a server sent
---@field code string|nil the service's error code, or an errno's name
---@field request_id string|nil the service's id of the request, for its support
---@field retry_after number|nil seconds the service asked to wait
---@field retryable boolean whether the same call may succeed later
---@field attempts integer how many times it was tried; 0: nothing was begun
---@field body any the decoded answer if it was JSON, else its text
---@field response batchapi.Response|nil as on success, when an answer came
---@field outcomes table[]|nil of map and parallel: `{ ok, value | error }` of each function begun
---@field sent boolean false only if no byte of the request can have reached the server

local core = require("batchapi.core")

local M = {}

local error_mt = {
  __name = "batchapi.error",
  __tostring = function(err)
    return err.message
  end,
}


--- Makes one line of any text: control characters become spaces, runs of spaces one, and what a
--- terminal would take for more than letters '?'.
---@param text string
---@return string
function M.one_line(text)
  return (core.printable(text):gsub("%s%s+", " "):gsub("^%s+", ""):gsub("%s+$", ""))
end


--- Cuts a text at `limit` bytes, never within a UTF-8 sequence.
---@param text string
---@param limit integer
---@return string
function M.cut(text, limit)
  if #text <= limit then
    return text
  end
  local stop = limit
  while stop > 0 and text:byte(stop + 1) >= 0x80 and text:byte(stop + 1) < 0xC0 do
    stop = stop - 1
  end
  return text:sub(1, stop) .. "…"
end


--- An error object. `kind`, `operation` and `message` must be there; the message is prefixed with
--- the operation and made one line.
---@param fields table
---@return batchapi.Error
function M.new(fields)
  local message = M.one_line(fields.message)
  if fields.operation then
    message = fields.operation .. ": " .. message
  end
  fields.message = message
  if type(fields.code) == "string" then
    fields.code = core.printable(fields.code)
  end
  fields.retryable = fields.retryable or false
  fields.attempts = fields.attempts or 0
  if fields.sent == nil then
    fields.sent = false
  end
  return setmetatable(fields, error_mt)
end


---@param value any
---@return boolean
function M.is(value)
  return type(value) == "table" and getmetatable(value) == error_mt
end


--- The failure triple.
---@param err batchapi.Error
---@return nil, string, batchapi.Error
function M.fail(err)
  return nil, err.message, err
end


--- The failure triple of a value that the service is known to refuse; nothing was sent.
---@param operation string
---@param message string
---@param extra table|nil further fields (code, …)
---@return nil, string, batchapi.Error
function M.invalid(operation, message, extra)
  local fields = { kind = "invalid", operation = operation, message = message }
  for name, value in pairs(extra or {}) do
    fields[name] = value
  end
  return M.fail(M.new(fields))
end


--- Takes over an error of another layer (core: kind, code, message) under an operation's name.
---@param operation string
---@param err table|nil
---@param message string|nil used when there is no table
---@return nil, string, batchapi.Error
function M.adopt(operation, err, message)
  if M.is(err) then
    return M.fail(err)
  end
  local fields = { kind = "invalid", operation = operation, message = message or "failed" }
  for name, value in pairs(type(err) == "table" and err or {}) do
    fields[name] = value
  end
  return M.fail(M.new(fields))
end


-- Is the function that runs inside a pcall or an xpcall, as far as its coroutine's stack tells?
local function is_protected()
  local level = 2
  while true do
    local info = debug.getinfo(level, "f")
    if not info then
      return false
    elseif info.func == pcall or info.func == xpcall then
      return true
    end
    level = level + 1
  end
end


--- To be called before an error is raised. Where nobody catches it nginx logs it, but only strings:
--- of an error object it says "unknown reason". There its text is logged beside that.
---@param err any
function M.tell(err)
  local ngx = rawget(_G, "ngx")
  if type(ngx) == "table" and ngx.log and type(err) ~= "string" and not is_protected() then
    ngx.log(ngx.ERR, tostring(err))
  end
end


local own_folder = (function()
  local source = debug and debug.getinfo and debug.getinfo(1, "S").source or ""
  return source:match("^(.*)util/errors%.lua$")
end)()


--- The stack level (as `error` counts it, seen from its caller's caller) of the first function that
--- is not this library's.
local function outside_level()
  if not own_folder or own_folder == "" then
    return 3
  end
  local level = 3
  while true do
    local info = debug.getinfo(level, "S")
    if not info then
      return 3
    end
    local ours = info.what == "C" or info.what == "tail" or info.source == "=(tail call)"
      or info.source:sub(1, #own_folder) == own_folder
    if not ours then
      return level
    end
    level = level + 1
  end
end


--- What a call gives back to the user: a success without a third value is one value, so that
--- `print(job:status())` shows no nils.
---@param value any
---@param message any
---@param err any
---@return any value, any message, any err
function M.given(value, message, err)
  if message == nil and err == nil then
    return value
  end
  return value, message, err
end


--- Raises at the line of the user's program that called into this library.
---@param message string a format, if arguments follow
---@param ... any
function M.misuse(message, ...)
  if select("#", ...) > 0 then
    message = message:format(...)
  end
  error(M.one_line(message), outside_level() - 1)
end


return M
