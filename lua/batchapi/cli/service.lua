--- What lies at a service: batches, files, clean.

local batchapi = require("batchapi")
local json = require("batchapi.json")
local output = require("batchapi.cli.output")
local settings = require("batchapi.cli.settings")
local terminal = require("batchapi.cli.terminal")

local M = {}


-- The items of a list operation, at most so many.
local function items_of(client, operation, limit)
  if not client._definition.by_name[operation] then
    settings.give_up(("%s has no %s"):format(client._definition.name, operation:gsub("_", " ")))
  end
  local list, iterator = {}, client:each(operation, { limit = math.min(limit, 100) })
  while #list < limit do
    local item, why = iterator:next()
    if item == nil then
      if why then
        settings.give_up(why)
      end
      break
    end
    list[#list + 1] = item
  end
  return list
end


local function age_of(item)
  return type(item.created_at) == "number" and terminal.age(os.time() - item.created_at) or ""
end


local function text(value)
  return type(value) == "string" and value or type(value) == "number" and tostring(value) or ""
end


local function print_items(list, chosen, row_of)
  if chosen.json then
    output.machine(json.array(list))
    return 0
  end
  local rows = {}
  for i, item in ipairs(list) do
    rows[i] = row_of(item)
  end
  terminal.columns(rows, io.stdout)
  return 0
end


--- batchapi batches
function M.batches(chosen)
  return print_items(items_of(settings.client(chosen), "list_batches", chosen.limit), chosen, function(batch)
    local counts = type(batch.request_counts) == "table" and batch.request_counts or {}
    return { text(batch.id), text(batch.status or batch.processing_status), counts.total
      and ("%s/%s"):format(text(counts.completed), text(counts.total)) or "", age_of(batch), text(batch.endpoint) }
  end)
end


--- batchapi files
function M.files(chosen)
  return print_items(items_of(settings.client(chosen), "list_files", chosen.limit), chosen, function(file)
    return { text(file.id), text(file.purpose), file.bytes and terminal.bytes(file.bytes) or "", age_of(file),
      text(file.filename) }
  end)
end


-- The parts of jobs that have ended: what they left at the service. Only these files are ever named, so
-- that no answer goes that was not collected, and no input of a batch that runs.
local function leftovers(dirs)
  local list = {}
  local function add(dir)
    local status, why, err = batchapi.status(dir)
    if not status then
      if err.code ~= "not_a_job" then
        settings.give_up(why)
      end
      for _, one in ipairs(settings.need(batchapi.jobs(dir))) do
        add(one.dir)
      end
    elseif output.has_ended(status) then
      list[#list + 1] = status
    else
      terminal.tell("%s has not ended: its files stay", dir)
    end
  end
  for _, dir in ipairs(dirs) do
    add(dir)
  end
  return list
end


-- The files that are to be deleted, and the jobs that left them.
local function to_delete(ended)
  local files, jobs = {}, {}
  for _, status in ipairs(ended) do
    local stays = 0
    for _, part in ipairs(status.parts) do
      if part.incomplete then
        stays = stays + 1
      elseif part.file_id and not part.cleaned then
        files[#files + 1] = ("%s  %s  part %d"):format(part.file_id, status.dir, part.part)
        jobs[#jobs + 1] = jobs[#jobs] ~= status and status or nil
      end
    end
    if stays > 0 then
      terminal.tell("%s: the files of %d %s stay: not all of the answers could be handed out", status.dir, stays,
        stays == 1 and "part" or "parts")
    end
  end
  return files, jobs
end


-- Deletes what a job has left. What could not be is told.
local function clean_one(chosen, status)
  local client = settings.client(chosen, status.service)
  local job, why = batchapi.resume(status.dir, { client = client, cleanup = true })
  local ok = job
  if job then
    ok, why = job:wait()
  end
  if not ok then
    settings.give_up(status.dir .. ": " .. tostring(why))
  end
  local warnings = job:status().warnings
  for _, warning in ipairs(warnings) do
    terminal.complain(status.dir .. ": " .. warning)
  end
  job:close()
  return #warnings == 0
end


--- batchapi clean [DIR…]
function M.clean(chosen)
  local files, jobs = to_delete(leftovers(#chosen.dirs > 0 and chosen.dirs or { "." }))
  if #files == 0 then
    terminal.tell("nothing is to be deleted")
    return 0
  end
  io.stdout:write(table.concat(files, "\n"), "\n")
  io.stdout:flush()
  local question = ("Delete %s at the service, and the files of their results?"):format(
    #files == 1 and "this file" or ("these %d files"):format(#files))
  if not chosen.yes and not terminal.confirm(question) then
    terminal.tell("nothing was deleted")
    return 3
  end
  local all = true
  for _, status in ipairs(jobs) do
    all = clean_one(chosen, status) and all
  end
  return all and 0 or 3
end


return M
