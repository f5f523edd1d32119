--- What the command writes for people: to standard error, in colour where that is one who sees it.

local M = {}

local RED, PLAIN = "\27[31m", "\27[0m"


--- Is a standard stream a terminal?
---@param descriptor integer
---@return boolean
function M.is(descriptor)
  return require("batchapi.core").isatty(descriptor)
end


local function in_colour()
  local none = os.getenv("NO_COLOR")
  return (none == nil or none == "") and package.loaded["batchapi.core"] ~= nil and M.is(2)
end


--- A line that says what went wrong.
---@param message string
function M.complain(message)
  local name = in_colour() and RED .. "batchapi:" .. PLAIN or "batchapi:"
  io.stderr:write(name, " ", message, "\n")
end


--- A line that tells something, beside the results.
---@param text string
---@param ... any
function M.tell(text, ...)
  io.stderr:write(select("#", ...) > 0 and text:format(...) or text, "\n")
end


--- Leaves a line that is being redrawn.
function M.end_line()
  if package.loaded["batchapi.core"] and M.is(2) then
    io.stderr:write("\n")
  end
end


--- A word as a shell takes it.
---@param word string
---@return string
function M.quoted(word)
  if word:find("^[%w_./:=@%%+,-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end


--- Asks before something is taken away. Without a terminal nobody can answer: then it is no.
---@param question string
---@return boolean
function M.confirm(question)
  if not M.is(0) then
    M.complain(question .. " Nobody is there to answer: give --yes.")
    return false
  end
  io.stderr:write(question, " [y/N] ")
  local answer = io.stdin:read("*l")
  return answer ~= nil and answer:lower():match("^y") ~= nil
end


--- Rows in columns, for a person.
---@param rows string[][]
---@param out file*
function M.columns(rows, out)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, #cell)
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i < #row and cell .. (" "):rep(widths[i] - #cell) or cell
    end
    out:write(table.concat(cells, "  "), "\n")
  end
end


--- How long something is ago: "3m", "5h", "12d".
---@param seconds number
---@return string
function M.age(seconds)
  if seconds < 60 then
    return ("%ds"):format(math.max(math.floor(seconds), 0))
  elseif seconds < 3600 then
    return ("%dm"):format(math.floor(seconds / 60))
  elseif seconds < 86400 then
    return ("%dh"):format(math.floor(seconds / 3600))
  end
  return ("%dd"):format(math.floor(seconds / 86400))
end


--- A number of bytes: "812 B", "1.4 MB".
---@param bytes number
---@return string
function M.bytes(bytes)
  local units, i = { "B", "kB", "MB", "GB", "TB" }, 1
  while bytes >= 1000 and i < #units do
    bytes, i = bytes / 1000, i + 1
  end
  return i == 1 and ("%d B"):format(bytes) or ("%.1f %s"):format(bytes, units[i])
end


return M
