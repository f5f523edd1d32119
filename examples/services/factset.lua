-- says: 3 documents, 4 jobs in the file
-- FactSet: several documents are calculated, with a signed assertion from an app-config, and the jobs of all
-- results go into one CSV file.
--
--   sandbox/run lua5.4 examples/services/factset.lua [FILE.csv]
--   FACTSET_APP_CONFIG=app-config.json lua5.4 examples/services/factset.lua results.csv

local batchapi = require("batchapi")

local path = arg[1] or os.tmpname()
local factset = assert(batchapi.factset{
  -- The file that FactSet's developer portal gives out. The private key in it never leaves this machine.
  app_config = os.getenv("FACTSET_APP_CONFIG") or os.getenv("BATCHAPI_SANDBOX_APP_CONFIG"),
})

local documents = { "Client:/ACFP/Base", "Client:/ACFP/Up-100", "Client:/ACFP/Missing" }

local function quoted(value)
  return '"' .. tostring(value or ""):gsub('"', '""') .. '"'
end

local out = assert(io.open(path, "w"))
out:write("document,job,name,status,warning\n")
local rows = 0
for result in assert(factset:run(documents, { interval = 0.1 })):results() do
  if result.ok then
    for _, job in ipairs(result.body.data.jobs) do
      rows = rows + 1
      local warning = (job.logs.warnings or {})[1]
      out:write(table.concat({ quoted(documents[result.index]), quoted(job.jobId), quoted(job.name),
        quoted(job.status), quoted(warning and warning.detail) }, ","), "\n")
    end
  else
    print(documents[result.index], result.error.code, result.error.message)
  end
end
assert(out:close())
print(("%d documents, %d jobs in the file"):format(#documents, rows))
if not arg[1] then
  os.remove(path)
end
