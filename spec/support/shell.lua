--- The command `batchapi` as a process: what it writes to each stream, and how it ends.

local jobs = require("support.job")

local M = {}

local lua = os.getenv("BATCHAPI_LUA") or "lua5.4"


local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end


local function taken(path)
  local text = assert(jobs.read(path))
  os.remove(path)
  return text
end


local function words_of(...)
  local words = {}
  for i, word in ipairs({ ... }) do
    words[i] = quoted(word)
  end
  return table.concat(words, " ")
end


--- Runs the command: what it wrote to standard output and to standard error, and its exit code.
---@param given { stdin: string|nil, environment: string|nil, cwd: string|nil }
---@param ... string the arguments
---@return string out, string err, integer code
function M.run(given, ...)
  local out, err, input = os.tmpname(), os.tmpname(), nil
  if given.stdin then
    input = os.tmpname()
    jobs.write(input, given.stdin)
  end
  local pipe = assert(io.popen(("{ env %s %s bin/batchapi %s <%s >%s 2>%s; } ; echo $?"):format(given.environment or "",
    lua, words_of(...), input or "/dev/null", out, err)))
  local code = tonumber(pipe:read("*a"))
  pipe:close()
  if input then
    os.remove(input)
  end
  return taken(out), taken(err), code
end


--- Runs it on a terminal.
---@param typed string[] "what is waited for=>what is typed then" each
---@param ... string the arguments
---@return string screen, integer code
function M.on_terminal(typed, ...)
  local words = {}
  for _, one in ipairs(typed) do
    words[#words + 1] = "--type " .. quoted(one)
  end
  local pipe = assert(io.popen(("python3 spec/support/terminal.py %s -- %s bin/batchapi %s 2>&1 </dev/null"):format(
    table.concat(words, " "), lua, words_of(...))))
  local screen = pipe:read("*a")
  pipe:close()
  return screen, tonumber(screen:match("\nexit (%-?%d+)\n$"))
end


return M
