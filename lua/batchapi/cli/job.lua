--- The commands that drive a job: run, check, resume, wait, results, cancel, retry.

local batchapi = require("batchapi")
local json = require("batchapi.json")
local may_be_paid = require("batchapi.util.own_codes").may_be_paid
local output = require("batchapi.cli.output")
local run_options = require("batchapi.definition.run_options")
local settings = require("batchapi.cli.settings")
local terminal = require("batchapi.cli.terminal")

local M = {}

local PLAIN_EVERY = 60 -- seconds between two lines where nobody watches
local FAILURES_SHOWN = 3


-- The options of the module's own functions among those of the command.
local function job_options(chosen, resumed)
  local options = {}
  for _, option in ipairs(run_options) do
    local value = chosen[option.name]
    if value ~= nil and (not resumed or option.resume) then
      options[option.name] = value
    end
  end
  if not resumed then
    options.endpoint, options.completion_window = chosen.endpoint, chosen.completion_window
    options.metadata = nil
    for _, one in ipairs(chosen.metadata or {}) do
      options.metadata = options.metadata or {}
      options.metadata[one[1]] = one[2]
    end
    for _, one in ipairs(chosen.set or {}) do
      options[one[1]] = tonumber(one[2]) or one[2]
    end
  end
  return options
end


-- Draws how far the job is, and tells each kind of failure once, when it is first seen.
local function observer(chosen)
  if chosen.quiet then
    return nil
  end
  local draw, told, count = batchapi.progress{ every = PLAIN_EVERY }, {}, 0
  return function(status)
    for _, entry in ipairs(status.errors) do
      local code = tostring(entry.code)
      if not told[code] and count < FAILURES_SHOWN and entry.message then
        told[code], count = true, count + 1
        terminal.end_line()
        terminal.tell("  failed: %s: %s", code, tostring(entry.message))
      end
    end
    draw(status)
  end
end


local function requests_of(file)
  if file == "-" then
    return "/dev/stdin"
  end
  settings.need(io.open(file, "rb")):close() -- before a directory is made for it
  return file
end


-- Where the results go: opened before anything is sent.
local function place_of(chosen)
  if chosen.output and chosen.output == chosen.file then
    settings.give_up("-o names the file of requests: the results need another", 2)
  end
  return output.open(chosen.output)
end


local function dir_of(chosen)
  if chosen.no_dir then
    return nil
  elseif chosen.dir then
    return chosen.dir
  elseif chosen.file == "-" then
    settings.give_up("requests from standard input: say where the job lives, --dir DIR, or --no-dir", 2)
  end
  return chosen.file .. ".job"
end


-- What is to be done about a job that did not go well, or nothing.
local function next_step(status, dir)
  if status.failed == 0 or not dir then
    return nil
  end
  local quoted, steps, plain, seen = terminal.quoted(dir), {}, false, {}
  for _, entry in ipairs(status.errors) do
    local code = tostring(entry.code)
    if code == "uncollected" then
      steps[#steps + 1] = "ask for uncollected ones again: batchapi resume " .. quoted
    elseif may_be_paid[code] and not seen[code] then -- retry takes it only by name
      seen[code] = true
      steps[#steps + 1] = ("send %s ones again, which may have been paid for: batchapi retry %s --only %s"):format(code,
        quoted, code)
    elseif not plain then
      plain = true
      steps[#steps + 1] = "send them again: batchapi retry " .. quoted
    end
  end
  return ("see them: batchapi results %s --failed; %s"):format(quoted, table.concat(steps, "; "))
end


-- The last lines of a command that drove a job to its end.
local function close(job, chosen, dir)
  local status = job:status()
  if chosen.json then
    output.machine(output.of_status(status))
  else
    terminal.tell("%s", tostring(status))
  end
  local step = next_step(status, dir)
  if step then
    terminal.tell("%s", step)
  end
  job:close()
  return status.failed > 0 and 1 or 0
end


-- A wait that has ended before the job: the job goes on another time.
local function unfinished(why, dir)
  local step = dir and "; to go on: batchapi resume " .. terminal.quoted(dir) or ""
  settings.give_up(tostring(why) .. step)
end


local function write_results(job, chosen, dir, out)
  local results = job:results{ raw = chosen.raw or nil }
  while true do
    local result, why = results:next()
    if not result then
      if why then
        unfinished(why, dir)
      end
      break
    elseif not (chosen.failed and result.ok) then
      out:line(chosen.raw and result.raw or output.of_result(result))
    end
  end
  out:finish()
end


-- Drives a job that was begun to its end; with --detach until everything is submitted.
local function drive(job, chosen, dir, out)
  if chosen.detach then
    local ok, why = job:submit()
    if not ok then
      unfinished(why, dir)
    end
    terminal.tell("submitted; to collect: batchapi resume %s", terminal.quoted(dir))
    job:close()
    return 0
  end
  if chosen.json and not chosen.output then -- standard output has the summary
    local ok, why = job:wait()
    if not ok then
      unfinished(why, dir)
    end
  else
    write_results(job, chosen, dir, out)
  end
  return close(job, chosen, dir)
end


--- batchapi run FILE
function M.run(chosen, ending)
  local dir = dir_of(chosen)
  if chosen.detach and not dir then
    settings.give_up("--detach needs a directory", 2)
  end
  local client = settings.client(chosen)
  local options = job_options(chosen)
  options.dir, options.on_update = dir, observer(chosen)
  local requests, out = requests_of(chosen.file), place_of(chosen)
  ending.dir = dir
  local job = settings.need(client:run(requests, options))
  if dir and not chosen.dir and not chosen.quiet then
    terminal.tell("the job lives in %s", dir)
  end
  return drive(job, chosen, dir, out)
end


--- batchapi check FILE
function M.check(chosen)
  local options = job_options(chosen)
  options.dry_run = true
  local report = settings.need(settings.client(chosen):run(requests_of(chosen.file), options))
  if chosen.json then
    report.faults, report.parts = json.array(report.faults), json.array(report.parts)
    output.machine(report)
  else
    for _, fault in ipairs(report.faults) do
      io.stdout:write(("%s%s: %s\n"):format(chosen.file, fault.line and ":" .. fault.line or "", fault.message))
    end
    if report.fault_count > #report.faults then
      io.stdout:write(("and %d more\n"):format(report.fault_count - #report.faults))
    end
    io.stdout:write(("%d requests, %s, %d %s; %s\n"):format(report.requests, terminal.bytes(report.bytes), #report.parts,
      #report.parts == 1 and "part" or "parts", report.ok and "nothing is wrong" or report.fault_count .. " faults"))
  end
  return report.ok and 0 or 1
end


-- Can the job only be read? Then it needs no client.
local function only_reads(chosen, status)
  if status.state ~= "done" or chosen.cleanup or chosen.attempts or chosen.salvage or chosen.service
    or chosen.api_key_file or chosen.base_url then
    return false
  end
  for _, entry in ipairs(status.errors) do
    if entry.code == "uncollected" then
      return false -- they are asked for again
    end
  end
  return true
end


-- Takes up the job in a directory.
local function take_up(chosen, options, reads)
  local status = settings.need(batchapi.status(chosen.dir))
  if not (reads and only_reads(chosen, status)) then
    options.client = settings.client(chosen, status.service)
  end
  options.salvage = chosen.salvage or nil
  return settings.need(batchapi.resume(chosen.dir, options)), status
end


--- batchapi resume DIR
function M.resume(chosen, ending)
  ending.dir = chosen.dir
  local options = job_options(chosen, true)
  options.on_update = observer(chosen)
  local out = place_of(chosen)
  return drive(take_up(chosen, options, true), chosen, chosen.dir, out)
end


--- batchapi wait DIR
function M.wait(chosen, ending)
  ending.dir = chosen.dir
  local options = job_options(chosen, true)
  options.on_update = observer(chosen)
  local job = take_up(chosen, options, true)
  local ok, why = job:wait()
  if not ok then
    unfinished(why, chosen.dir)
  end
  return close(job, chosen, chosen.dir)
end


--- batchapi results DIR
function M.results(chosen)
  if chosen.requests and not (chosen.failed and chosen.output) then
    settings.give_up("--requests goes with --failed and -o FILE", 2)
  end
  local status = settings.need(batchapi.status(chosen.dir))
  if not output.has_ended(status) then
    settings.give_up(("the job in %s has not ended (%d of %d): batchapi resume %s"):format(chosen.dir, status.settled,
      status.requests, terminal.quoted(chosen.dir)))
  end
  local job = settings.need(batchapi.resume(chosen.dir))
  if chosen.requests then
    settings.need(job:write_failed(chosen.output))
  else
    write_results(job, chosen, chosen.dir, place_of(chosen))
  end
  job:close()
  return status.failed > 0 and 1 or 0
end


--- batchapi cancel DIR
function M.cancel(chosen, ending)
  ending.dir = chosen.dir
  local job = take_up(chosen, {}, true)
  settings.need(job:cancel())
  local ok, why = job:wait()
  if not ok then
    unfinished(why, chosen.dir)
  end
  close(job, chosen, chosen.dir)
  return 0
end


--- batchapi retry DIR
function M.retry(chosen, ending)
  ending.dir = chosen.dir
  local out = place_of(chosen)
  local job = take_up(chosen, { on_update = observer(chosen) }, false)
  local ok, why = job:wait() -- one that was interrupted comes to its end first
  if not ok then
    unfinished(why, chosen.dir)
  end
  local only
  if #chosen.only > 0 then
    local codes = {}
    for _, code in ipairs(chosen.only) do
      codes[code] = true
    end
    only = function(result)
      return codes[tostring(result.error.code)] or false
    end
  end
  local count = settings.need(job:retry{ attempts = chosen.attempts, only = only })
  if count == 0 then
    terminal.tell("nothing is sent again: no failure is %s", only and "one of these" or "surely unpaid")
    return close(job, chosen, chosen.dir)
  end
  terminal.tell("%d sent again", count)
  return drive(job, chosen, chosen.dir, out)
end


return M
