--- A progress display for `job:wait{ on_update = batchapi.progress() }`.
---
--- On a terminal one line is redrawn; elsewhere (a pipe, a log file) a plain line is written when
--- something changed, at most every few seconds.

local core = require("batchapi.core")
local check = require("batchapi.check.options")

local WIDTH = 24
local PLAIN_EVERY, DRAW_EVERY = 5, 0.1 -- seconds


local function duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then
    return ("%ds"):format(seconds)
  elseif seconds < 3600 then
    return ("%dm%02ds"):format(math.floor(seconds / 60), seconds % 60)
  end
  return ("%dh%02dm"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end


local function bar(done, total)
  local filled = total > 0 and math.floor(WIDTH * done / total) or 0
  return "[" .. ("="):rep(filled) .. (" "):rep(WIDTH - filled) .. "]"
end


local function ended(status)
  return status.state == "done" or status.state == "cancelled"
end


--- The line for a status, without a bar.
local function words(status)
  local line = ("%s  %d/%d"):format(status.state, status.processed, status.requests)
  if #status.parts > 1 then
    line = line .. ("  %d parts"):format(#status.parts)
  end
  if status.failed > 0 then
    line = line .. ("  %d failed"):format(status.failed)
  end
  if ended(status) then
    return line .. "  " .. duration(status.elapsed)
  elseif status.repeating > 0 then
    return ("%s  repeating %d"):format(line, status.repeating)
  elseif status.remaining then
    return line .. "  " .. duration(status.remaining) .. " left"
  end
  return line
end


--- Is the file a terminal? Of others than the standard streams the option tells.
local function is_terminal(file)
  return file == io.stderr and core.isatty(2) or file == io.stdout and core.isatty(1)
end


local known = check.list{
  { name = "file", kind = { "userdata", "table" } }, -- or what has write and flush
  { name = "terminal", kind = "boolean" },
  { name = "every", kind = "number", min = 0 },
}


--- Makes a function for `on_update`.
---@param options { file: file*|nil, terminal: boolean|nil, every: number|nil }|nil where to write (standard error),
--- whether to redraw, and seconds between two plain lines (5)
---@return fun(status: batchapi.JobStatus)
return function(options)
  options = options or {}
  check.check(options, known, "progress")
  local file = options.file or io.stderr
  local terminal = options.terminal
  if terminal == nil then
    terminal = is_terminal(file)
  end
  local every = terminal and DRAW_EVERY or options.every or PLAIN_EVERY
  local last_line, last_time, over = nil, -math.huge, false
  return function(status)
    local line, now = words(status), core.now()
    local final = ended(status)
    if over or line == last_line or not final and now - last_time < every then
      return
    end
    last_line, last_time, over = line, now, final
    if terminal then
      file:write("\r\27[K", bar(status.processed, status.requests), " ", line, final and "\n" or "")
    else
      file:write(status.id, "  ", line, "\n")
    end
    file:flush()
  end
end
