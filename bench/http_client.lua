-- batchapi as a user writes it, for bench/http:
--
--   lua5.4 bench/http_client.lua BASE_URL COUNT IN_FLIGHT [CA_FILE [PARKED]]
--
-- Each request is a table that is encoded, each answer a table that is read. With
-- PARKED, that many calls wait on a slow server while the others run.

local batchapi = require("batchapi")

local base_url, count, in_flight = arg[1], tonumber(arg[2]), tonumber(arg[3])
local ca_file = arg[4] ~= "" and arg[4] or nil
local parked = tonumber(arg[5]) or 0

local options = {
  api_key = "sk-bench-0000000000000000000000000000",
  base_url = base_url,
  ca_file = ca_file,
  max_connections = in_flight + parked,
  http_version = "1.1",
}
local client = assert(batchapi.openai(options))
local issued = 0

local SYSTEM = "Sort the customer's message into exactly one of: delivery, defect, billing, question."
local USER = "Hello, the parcel with my touring bicycle has not arrived in Zürich, it left three weeks ago."


local function call(path)
  local answer = assert(client:request{
    method = "POST",
    path = path,
    body = {
      model = "gpt-4o-mini",
      messages = {
        { role = "system", content = SYSTEM },
        { role = "user", content = USER },
      },
      max_tokens = 60,
      temperature = 0.2,
      user = "u-4711",
    },
  })
  assert(answer.usage.total_tokens == 124, "a wrong answer")
end


local function worker()
  while issued < count do
    issued = issued + 1
    call("/chat/completions")
  end
end


local DONE = {}

-- Calls on a slow server: they are cancelled when the measured ones have ended, since a
-- function that returns nil, why cancels the rest.
local function parked_worker()
  return client:request{ method = "POST", path = "/parked/chat/completions", body = { model = "x" } }
end


if in_flight == 1 and parked == 0 then
  worker()
else
  local tasks, busy = {}, in_flight
  for i = 1, in_flight do
    tasks[i] = function()
      worker()
      busy = busy - 1
      if busy == 0 and parked > 0 then
        return nil, "done", DONE
      end
      return true
    end
  end
  for _ = 1, parked do
    table.insert(tasks, 1, parked_worker)
  end
  local ok, why, err = batchapi.parallel((table.unpack or rawget(_G, "unpack"))(tasks))
  assert(ok or err == DONE, why)
end
client:close()
