--- The command `batchapi`: a thin face on the module. What it does are public calls; what stands here is
--- how it is said at a shell: arguments, exit codes, where results go.
---
--- `batchapi --version` loads nothing else: it starts quickly, and answers also where the module cannot load.

local terminal = require("batchapi.cli.terminal")

local M = {}

--- Exit codes, as docs/cli.md has them.
M.codes = { ok = 0, failed = 1, usage = 2, could_not_run = 3, interrupted = 130 }

local rooms = {
  run = "job", check = "job", resume = "job", wait = "job", results = "job", cancel = "job", retry = "job",
  status = "status", clean = "service", batches = "service", files = "service",
  call = "call", services = "call", help = "call", sandbox = "call", completion = "call",
}


-- A text that `error` or a misuse raised, without the place in our own files.
local function bare(text)
  return (tostring(text):gsub("^[^\n]-%.lua:%d+: ", "", 1):gsub("^[^\n]-batchapi:%d+: ", "", 1))
end


local function on_error(raised)
  if type(raised) == "table" and raised.exit then
    return raised
  end
  local text = tostring(raised)
  if text:find("interrupted!", 1, true) then -- what the interpreter raises at a first Ctrl-C
    return { exit = M.codes.interrupted, interrupted = true }
  end
  return { exit = M.codes.usage, message = bare(text),
    trace = os.getenv("BATCHAPI_TRACE") and debug.traceback(text, 2) or nil }
end


--- Runs one command.
---@param given string[] the arguments
---@return integer code what the process is to exit with
function M.main(given)
  if given[1] == "--version" or given[1] == "-V" then
    io.stdout:write("batchapi ", require("batchapi.version"), "\n")
    return M.codes.ok
  end
  local parser = require("batchapi.cli.parser")
  local chosen, why, usage = parser.parse(given)
  if not chosen then
    terminal.complain(why)
    io.stderr:write(usage, "\n")
    return M.codes.usage
  end
  local ending = { dir = nil } -- what the last line tells when it is interrupted
  local ran, code, message = xpcall(function()
    local room = require("batchapi.cli." .. rooms[chosen.command])
    return room[chosen.command](chosen, ending)
  end, on_error)
  if ran then
    if message then
      terminal.complain(message)
    end
    io.stdout:flush()
    return code
  end
  local raised = code
  if raised.interrupted then
    terminal.end_line()
    terminal.complain(ending.dir and "interrupted; to go on: batchapi resume " .. terminal.quoted(ending.dir)
      or "interrupted")
  else
    terminal.complain(raised.message)
    if raised.trace then
      io.stderr:write(raised.trace, "\n")
    end
  end
  return raised.exit
end


return M
