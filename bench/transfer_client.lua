-- batchapi as a user writes it, for bench/transfer:
--
--   lua5.4 bench/transfer_client.lua BASE_URL upload|download FILE [CA_FILE]

local batchapi = require("batchapi")

local base_url, what, path, ca_file = arg[1], arg[2], arg[3], arg[4]
local client = assert(batchapi.openai{
  api_key = "sk-bench",
  base_url = base_url,
  ca_file = ca_file,
  http_version = "1.1",
})

if what == "upload" then
  local file = assert(client:create_file{ file = path, purpose = "batch" })
  assert(file.id == "file-bench", "a wrong answer")
else
  assert(client:download_file("file-bench", { to = path }))
end
client:close()
