--- batchapi status: one job in a few lines, or every job below a folder in one line each.

local batchapi = require("batchapi")
local host = require("batchapi.host")
local json = require("batchapi.json")
local output = require("batchapi.cli.output")
local settings = require("batchapi.cli.settings")
local terminal = require("batchapi.cli.terminal")

local M = {}

local WATCH_EVERY = 2 -- seconds


-- The jobs a directory names: its own, or those below it.
---@return table[] list, boolean is_job the directory is itself one
local function jobs_of(dir)
  local status, why, err = batchapi.status(dir)
  if status then
    return { status }, true
  elseif err.code ~= "not_a_job" then
    settings.give_up(why)
  end
  local list = {}
  for _, one in ipairs(settings.need(batchapi.jobs(dir))) do
    status = batchapi.status(one.dir)
    list[#list + 1] = status
  end
  return list, false
end


local function row_of(status)
  return {
    status.state, ("%d/%d"):format(status.settled, status.requests),
    status.failed > 0 and status.failed .. " failed" or "", status.service or "", terminal.age(status.elapsed), status.dir,
  }
end


local function gather(dirs)
  local list, one = {}, false
  for _, dir in ipairs(dirs) do
    local found, is_job = jobs_of(dir)
    one = is_job and #dirs == 1
    for _, status in ipairs(found) do
      list[#list + 1] = status
    end
  end
  return list, one
end


local function print_all(list, chosen, one)
  if chosen.json then
    local plain = json.array{}
    for i, status in ipairs(list) do
      plain[i] = output.of_status(status)
    end
    output.machine(plain)
  elseif one then
    io.stdout:write(tostring(list[1]), "\n")
  elseif #list == 0 then
    terminal.tell("no job is here")
  else
    local rows = {}
    for i, status in ipairs(list) do
      rows[i] = row_of(status)
    end
    terminal.columns(rows, io.stdout)
  end
  io.stdout:flush()
end


local function all_ended(list)
  for _, status in ipairs(list) do
    if not output.has_ended(status) then
      return false
    end
  end
  return true
end


--- batchapi status [DIR…]
function M.status(chosen)
  local dirs = #chosen.dirs > 0 and chosen.dirs or { "." }
  local watch, every = chosen.watch, chosen.every or WATCH_EVERY
  while true do
    local list, one = gather(dirs)
    if watch and terminal.is(1) then
      io.stdout:write("\27[H\27[2J")
    end
    print_all(list, chosen, one)
    if not watch or all_ended(list) then
      return 0
    end
    host.sleep(every)
  end
end


return M
