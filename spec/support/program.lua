--- Programs of their own, for what only shows in a process that ends.

local M = {}


--- A file that holds a text; the caller removes it.
---@param text string
---@return string path
function M.file(text)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
  return name
end


--- What a program says to its end, its finalisers included, run by the interpreter of the specs.
---@param script string
---@param environment string|nil words before the command: "env NAME=value"
---@param argument string|nil
---@return string
function M.said(script, environment, argument)
  local file = M.file(script)
  local pipe = assert(io.popen(("%s %s %s %s 2>&1"):format(environment or "", os.getenv("BATCHAPI_LUA") or "lua5.4",
    file, argument or "")))
  local said = pipe:read("*a")
  pipe:close()
  os.remove(file)
  return said
end


return M
