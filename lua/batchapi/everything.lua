--- Loads what others load when they first need it. Later the program may have changed its directory, so
--- that a relative path leads elsewhere, or have no descriptor left: then a module "is not found", in the
--- middle of what was paid for.

local hosts = require("batchapi.host.detect")
local merge = require("batchapi.definition.extends")

for _, name in ipairs{
  "client.changes", "client.lines", "client.pages", "client.start", "client.wait", "host.driver.block",
  "host.driver.custom", "host.driver.uv", "host.parallel", "host.task_waiter", "job", "job.dry_run",
  "job.output.listing", "job.output.progress", "job.recover.verify", "jsonl", "oauth", "prompt.help",
  "show", "webhook",
} do
  require("batchapi." .. name)
end

for _, name in ipairs(merge.names) do
  require("batchapi.services." .. name)
end

-- The driver of a host needs its host: it is read now, and run when a call is made there.
local folder = debug and debug.getinfo and debug.getinfo(1, "S").source:match("^@(.*)everything%.lua$")

local function read(name)
  local module = "batchapi.host.driver." .. name
  local driver = folder and not package.loaded[module] and not package.preload[module]
    and loadfile(folder .. "host/driver/" .. name .. ".lua")
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
