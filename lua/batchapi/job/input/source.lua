--- Where a job's requests come from: an array, an iterator, or a JSONL file, read one at a time.
---
--- `source:next()` gives value, raw, line: the request, its bytes if it is a line of a file, and
--- its number (of the line, or of the element); nil alone at the end; `nil, message, err` on
--- failure, err.line telling where. A broken line does not end a file: the next call goes on behind
--- it. `source.unit` is what the number counts: "line" or "request".

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")

local M = {}

local ipairs_iterator = ipairs({})
local keep_null = { null = "keep" }


local function from_array(requests)
  local index = 0
  return {
    kind = "array", unit = "request",
    next = function()
      index = index + 1
      if requests[index] == nil then
        return nil
      end
      return requests[index], nil, index
    end,
  }
end


local function from_iterator(iterator)
  local index, ended = 0, false
  return {
    kind = "iterator", unit = "request",
    next = function()
      if ended then
        return nil
      end
      local value, why = iterator()
      if value == nil then
        ended = true
        if why ~= nil then
          return nil, "the iterator of requests failed: " .. tostring(why),
            { kind = "io", code = "iterator", line = index + 1 }
        end
        return nil
      end
      index = index + 1
      return value, nil, index
    end,
  }
end


local BYTE_ORDER_MARK = "^\239\187\191"


--- What is wrong with a line that the strict reader refused; false if that is only the byte order mark
--- at the file's beginning, and then the value, if one follows it in the line, and its line.
local function without_mark(reader, message, err)
  local raw = err.kind == "decode" and reader:number() == 1 and reader:raw()
  if not raw or not raw:find(BYTE_ORDER_MARK) then
    return message, err
  end
  local line = raw:gsub(BYTE_ORDER_MARK, "")
  if not line:find("%S") then
    return false
  end
  local value, why, failure = core.decode(line, keep_null)
  if value == nil then
    return ("line 1: %s (without its byte order mark)"):format(why), failure
  end
  return false, value, line
end


-- Does a file begin with what is no JSON at all? A table of comma separated values, say.
local function is_no_jsonl(reader, err)
  local raw = err.kind == "decode" and reader:number() == 1 and reader:raw()
  return raw and raw:gsub(BYTE_ORDER_MARK, ""):find("^%s*[^%s%[{\"]") ~= nil
end


local function from_file(files, path, max_line_bytes)
  local reader, why, err = files:reader(path, { max_line_bytes = max_line_bytes })
  if not reader then
    return nil, why, err
  end
  return {
    kind = "file", unit = "line",
    close = function()
      files:close(reader)
    end,
    next = function()
      while true do
        local value, message, failure = files:json(reader, keep_null)
        if value ~= nil then
          return value, reader:raw(), reader:number()
        elseif not message then
          return nil
        end
        local line
        message, failure, line = without_mark(reader, message, failure or {})
        if message then
          if is_no_jsonl(reader, failure) then
            message = message .. "; each line of a JSONL file is one JSON object"
          end
          failure.line = failure.line or reader:number()
          failure.broken = failure.kind ~= "io"
          return nil, message, failure
        elseif line then
          return failure, line, 1
        end
      end
    end,
  }
end


local function is_callable(value)
  local mt = getmetatable(value)
  return type(value) == "function" or type(mt) == "table" and mt.__call ~= nil
end


--- One request in the place of an array of them is a mistake that would be a job of nothing.
local function check_array(requests)
  local name = requests[1] == nil and next(requests)
  if name then
    errors.misuse("run: an array of requests expected, got a table with the key '%s'; one request alone is { request }",
      tostring(name))
  end
end


--- Raises for anything but the three forms.
---@param requests any
function M.check(requests)
  if requests == next or requests == ipairs_iterator then
    errors.misuse("run: pairs and ipairs give an iterator that needs its table: give run the array itself")
  elseif type(requests) == "table" and not is_callable(requests) then
    check_array(requests)
  elseif type(requests) ~= "string" and not is_callable(requests) then
    errors.misuse(("run: requests must be an array, an iterator or the path of a JSONL file, got a %s")
      :format(requests == nil and "nil" or type(requests)))
  end
end


--- Opens what was given to `run`.
---@param files table batchapi.files
---@param requests any
---@param max_line_bytes integer|nil
---@return table|nil source
---@return string|nil message
---@return table|nil err
function M.open(files, requests, max_line_bytes)
  M.check(requests)
  if type(requests) == "string" then
    return from_file(files, requests, max_line_bytes)
  elseif is_callable(requests) then
    return from_iterator(requests)
  end
  return from_array(requests)
end


return M
