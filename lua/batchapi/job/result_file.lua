--- Is what was downloaded a file of results? A gateway's page with status 200 is none.

local errors = require("batchapi.errors")

local M = {}

local BYTE_ORDER_MARK = "^\239\187\191"


local function what_it_is(line)
  local text = line:gsub(BYTE_ORDER_MARK, ""):gsub("^%s+", "")
  if text:find("^<") then
    return "a page of HTML or XML"
  elseif text:find("%z") then
    return "binary"
  end
end


--- Refuses what is surely no file of JSON lines, by its first line; and one without any line where
--- there must be some.
---@param files table batchapi.files
---@param name string
---@param operation string that downloaded it
---@param must_have_lines boolean
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check(files, name, operation, must_have_lines)
  local reader, why, err = files:reader(name)
  if not reader then
    return nil, why, err
  end
  local line
  line, why, err = files:next(reader)
  files:close(reader)
  local what
  if line then
    what = what_it_is(line)
  elseif why and err.kind == "io" then
    return nil, why, err
  elseif not why then
    what = must_have_lines and "empty" or nil
  end
  if not what then
    return true
  end
  return errors.fail(errors.new{ kind = "decode", code = "no_result_file", operation = operation, sent = true, status = 200,
    message = "the file of results is none: it is " .. what })
end


return M
