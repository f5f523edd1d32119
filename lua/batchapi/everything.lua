--- Loads what others load when they first need it. Later the program may have changed its directory, so
--- that a relative path leads elsewhere, or have no descriptor left: then a module "is not found", in the
--- middle of what was paid for.

local hosts = require("batchapi.loop.hosts")
local merge = require("batchapi.merge")

for _, name in ipairs{ "changes", "help", "jobs", "jsonl", "lines", "oauth", "pages", "parallel", "progress", "run", "show",
  "start", "verify", "wait", "webhook", "job.rehearsal", "loop.block", "loop.custom", "loop.task_waiter" } do
  require("batchapi." .. name)
end

for _, name in ipairs(merge.names) do
  require("batchapi.services." .. name)
end

-- The driver of a host needs its host: it is read now, and run when a call is made there.
local folder = debug and debug.getinfo and debug.getinfo(1, "S").source:match("^@(.*)everything%.lua$")

local function read(name)
  local module = "batchapi.loop." .. name
  local driver = folder and not package.loaded[module] and not package.preload[module]
    and loadfile(folder .. "loop/" .. name .. ".lua")
  if driver then
    package.preload[module] = driver
  end
end

for _, name in ipairs(hosts.names) do
  if name ~= "auto" then
    read(name)
  end
end
read("openresty_worker")

return true
