--- Where results go: standard output, or a file that appears when it is whole.

local core = require("batchapi.core")
local json = require("batchapi.json")
local settings = require("batchapi.cli.settings")

local M = {}

local Out = {}
Out.__index = Out


--- A place for lines.
---@param path string|nil nil: standard output
---@return table
function M.open(path)
  if not path then
    return setmetatable({ file = io.stdout }, Out)
  end
  -- What is interrupted leaves PATH.part, and PATH as it was.
  local file, why = io.open(path .. ".part", "wb")
  return setmetatable({ file = settings.need(file, why), path = path }, Out)
end


-- A reader that has gone away (`| head`) ends the process by SIGPIPE; any other failure is told.
function Out:line(text)
  local ok, why = self.file:write(text, "\n")
  if not ok then
    settings.give_up((self.path or "standard output") .. ": " .. tostring(why))
  end
end


--- All lines are there.
function Out:finish()
  local ok, why = self.file:flush()
  if ok and self.path then
    ok, why = self.file:close()
    if ok then
      ok, why = core.fs.rename(self.path .. ".part", self.path)
    end
  end
  if not ok then
    settings.give_up((self.path or "standard output") .. ": " .. tostring(why))
  end
end


local DEPTH = { max_depth = 600 } -- as deep as an answer can be, and the result around it


-- What an answer held that JSON has no form for, and that was read all the same (`repaired` says so): numbers
-- that are none become null, bytes that are not UTF-8 '?'.
local function fit(value)
  if type(value) == "table" then
    local copy = setmetatable({}, getmetatable(value))
    for name, inner in pairs(value) do
      copy[type(name) == "string" and fit(name) or name] = fit(inner)
    end
    return copy
  elseif type(value) == "string" and not json.encode(value) then
    return (value:gsub("[\128-\255]", "?"))
  elseif type(value) == "number" and not json.encode(value) then
    return json.null
  end
  return value
end


--- A result as a line.
---@param result table
---@return string
function M.of_result(result)
  local shown = {
    custom_id = result.custom_id, index = result.index, ok = result.ok, status = result.status, body = result.body,
    error = result.error, repaired = result.repaired,
  }
  return json.encode(shown, DEPTH) or settings.need(json.encode(fit(shown), DEPTH))
end


--- A value for machines: one line.
---@param value any
function M.machine(value)
  local out = M.open(nil)
  out:line(settings.need(json.encode(value, DEPTH)))
  out:finish()
end


--- Has a job come to its end?
---@param status batchapi.JobStatus
---@return boolean
function M.has_ended(status)
  return status.state == "done" or status.state == "cancelled"
end


--- A status as plain data: the fields that machines ask for.
---@param status batchapi.JobStatus
---@return table
function M.of_status(status)
  local plain = {}
  for name, value in pairs(status) do
    if type(value) ~= "function" then
      plain[name] = value
    end
  end
  plain.parts, plain.errors, plain.warnings = json.array(plain.parts), json.array(plain.errors), json.array(plain.warnings)
  return plain
end


return M
