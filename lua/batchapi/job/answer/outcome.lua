--- How an answer to one request is read: a definition's `result` words turned into a result `{
--- custom_id, index, ok, status, body, error = { code, message } }`.

local answer_lines = require("batchapi.job.answer.lines")
local core = require("batchapi.core")
local own_codes = require("batchapi.util.own_codes")
local paths = require("batchapi.util.path")
local text = require("batchapi.util.text")

local M = {}
M.__index = M

local get = paths.get -- what is null is absent there

local MAY_BE_PAID = own_codes.may_be_paid


--- May a request with this code have been paid?
---@param code string
---@return boolean
function M.may_be_paid(code)
  return MAY_BE_PAID[code] == true
end


local function value_at(value, path)
  if path == nil then
    return nil
  end
  return get(value, path)
end


local function first_text(value, list)
  for _, path in ipairs(list or {}) do
    local found = value_at(value, path)
    if type(found) == "string" and found ~= "" or type(found) == "number" then
      return tostring(found)
    end
  end
end


local function as_set(list)
  local set = {}
  for _, value in ipairs(list or {}) do
    set[value] = true
  end
  return set
end


---@param run table the definition's run section
function M.new(run)
  local spec = run.result or {}
  local retry = spec.retry or {}
  return setmetatable({
    spec = spec,
    ok_words = spec.ok and as_set(spec.ok.one_of),
    retry_statuses = as_set(retry.statuses), retry_codes = as_set(retry.codes),
  }, M)
end


--- Is a number one that %d writes on every Lua?
local function is_whole(number)
  return number == math.floor(number) and number >= -2 ^ 53 and number <= 2 ^ 53
end


--- The id that an answer line carries, or nil.
function M:id(line)
  local id = value_at(line, self.spec.id)
  if type(id) == "number" then
    return is_whole(id) and ("%d"):format(id) or nil
  end
  return type(id) == "string" and id or nil
end


--- The ids that stand in a line which cannot be read, in their order.
---@param line string
---@return fun(): string|nil
function M:ids_in(line)
  return answer_lines.values_of(line, (self.spec.id or ""):match("[^.]*$"))
end


local function succeeded(self, line, status)
  local rule = self.spec.ok
  if not rule then
    return status ~= nil and status >= 200 and status < 300
  elseif not rule.every then
    return self.ok_words[value_at(line, rule.path)] == true
  end
  local list = value_at(line, rule.every)
  if type(list) ~= "table" then
    return false
  end
  for _, element in ipairs(list) do
    if not self.ok_words[value_at(element, rule.field or "")] then
      return false
    end
  end
  return true
end


--- The body that an answer line carries.
---@param line any decoded
---@return any
function M:body(line)
  return value_at(line, self.spec.body or "")
end


--- What went wrong, as { code, message }.
function M:reason(line, status, body)
  local code = first_text(line, self.spec.code)
  local message = first_text(line, self.spec.message)
  if not message and type(body) == "table" and type(body.error) == "string" then
    message = body.error
  end
  message = message or status and ("the service answered %d"):format(status)
    or "the service reports a failure without a reason"
  code = code or status and ("http_%d"):format(status) or "failed"
  return { code = text.printable(code), message = text.printable(message) }
end


--- Reads an answer.
---@param line any decoded
---@param status integer|nil of the call, where answers carry none of their own
---@param repaired string|nil what a lenient reading of it mended
---@return table result without custom_id and index
function M:read(line, status, repaired)
  local own = value_at(line, self.spec.status)
  if type(own) == "string" then
    own = tonumber(own)
  end
  status = type(own) == "number" and is_whole(own) and own or status
  local failed = self.spec.failed and value_at(line, self.spec.failed) ~= nil
  local body = self:body(line)
  local ok = not failed and succeeded(self, line, status)
  local result = { ok = ok, status = status, body = body, repaired = repaired }
  if not ok then
    result.error = self:reason(line, status, body)
  end
  if not ok and repaired then
    result.error.code, result.error.message = text.valid(result.error.code), text.valid(result.error.message)
  end
  return result
end


-- The value at a path whose last step is the name of a header, in any case.
local function header_at(line, path)
  local found = value_at(line, path)
  local above, name = path:match("^(.*)%.([^.]*)$")
  local headers = above and value_at(line, above)
  if found ~= nil or type(headers) ~= "table" then
    return found
  end
  for key, value in pairs(headers) do
    if type(key) == "string" and key:lower() == name:lower() then
      return value
    end
  end
end


--- The seconds that an answer asks to wait, or nil: a number, or a date.
---@param line any
---@param now number seconds since 1970
---@return number|nil
function M:pause(line, now)
  local asked = self.spec.retry_after and header_at(line, self.spec.retry_after)
  local date = type(asked) == "string" and core.http_date(asked)
  local seconds = date and date - now or tonumber(asked or nil)
  return seconds and seconds == seconds and math.max(seconds, 0) or nil
end


--- May a repeat mend it? (429, 5xx, expired: what the definition names)
---@param result table
---@return boolean
function M:retryable(result)
  if result.ok or MAY_BE_PAID[result.error.code] then
    return false
  end
  return self.retry_statuses[result.status] or self.retry_codes[result.error.code] or false
end


return M
