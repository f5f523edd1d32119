-- says: 3 imports: 2 queued
-- Robotoff: the results of several batch jobs are imported. Each accepted call imports again, so nothing is
-- repeated on suspicion: what is not known is said.
--
--   sandbox/run lua5.4 examples/services/robotoff.lua
--   BATCH_JOB_KEY=… lua5.4 examples/services/robotoff.lua FOLDER…      folders in the server's bucket

local batchapi = require("batchapi")

local robotoff = assert(batchapi.robotoff())

local folders = #arg > 0 and arg or { "spellcheck/run-1", "spellcheck/run-2", "spellcheck/fail-500" }
local imports = {}
for i, folder in ipairs(folders) do
  imports[i] = { job_type = "ingredients_spellcheck", batch_dir = folder }
end

local queued = 0
for result in assert(robotoff:run(imports)):results() do
  if result.ok then
    queued = queued + 1
    print(folders[result.index], result.body.status)
  elseif result.error.code == "unknown_outcome" then
    print(folders[result.index], "may have been queued: look at the server before you send it again")
  else
    print(folders[result.index], result.status, result.error.message)
  end
end
print(("%d imports: %d queued"):format(#imports, queued))
