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


--- A result as a line.
---@param result table
---@return string
function M.of_result(result)
  return json.encode({
    custom_id = result.custom_id, index = result.index, ok = result.ok, status = result.status, body = result.body,
    error = result.error, repaired = result.repaired,
  })
end


--- A value for machines: one line.
---@param value any
function M.machine(value)
  io.stdout:write(json.encode(value), "\n")
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
