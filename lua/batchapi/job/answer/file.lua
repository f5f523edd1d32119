--- Is what was downloaded a file of results? A gateway's page with status 200 is none.

local answer_lines = require("batchapi.job.answer.lines")
local errors = require("batchapi.util.errors")
local record_file = require("batchapi.job.store.record_file")

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


--- Has one of the lines to come an answer? Then what stands before it is only rubbish among answers.
local function has_answer(files, reader, outcome)
  while true do
    local what, answer, line = answer_lines.next(files, reader)
    if what == "read" and type(answer) == "table" and outcome:id(answer)
      or what == "unreadable" and line:find("^%s*{") and outcome:ids_in(line)() then
      return true
    elseif what == "end" or what == "failed" then
      return false
    end
  end
end


--- What a file without answers is, by its first line; nil for one that may have some.
local function without_answers(files, reader, outcome, must_have_lines)
  local line, why, err = files:next(reader)
  if not line then
    if why then
      return nil, err.kind == "io" and why or nil, err
    end
    return must_have_lines and "empty" or nil
  end
  local what = what_it_is(line)
  return what and not has_answer(files, reader, outcome) and what or nil
end


--- Refuses what is surely no file of JSON lines: one that begins as something else and has no answer
--- in it, and one without any line where there must be some.
---@param files table batchapi.files
---@param name string
---@param operation string that downloaded it
---@param outcome table how answers are read, see job/answer/outcome.lua
---@param must_have_lines boolean
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check(files, name, operation, outcome, must_have_lines)
  local reader, why, err = files:reader(name, record_file.any_length)
  if not reader then
    return nil, why, err
  end
  local what
  what, why, err = without_answers(files, reader, outcome, must_have_lines)
  files:close(reader)
  if why then
    return nil, why, err
  elseif not what then
    return true
  end
  return errors.fail(errors.new{ kind = "decode", code = "no_result_file", operation = operation, sent = true, status = 200,
    message = "the file of results is none: it is " .. what })
end


return M
