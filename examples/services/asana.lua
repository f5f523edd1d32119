-- says: 300 updates: 297 done, 3 refused
-- 300 tasks of Asana get a new date. Some updates fail, the others must not suffer for it; which failed, and
-- why, is what you want to know in the end.
--
--   sandbox/run lua5.4 examples/services/asana.lua
--   ASANA_ACCESS_TOKEN=… lua5.4 examples/services/asana.lua        with the gids of your own tasks

local batchapi = require("batchapi")

local asana = assert(batchapi.asana())

local actions = {}
for i = 1, 300 do
  local gid = i % 100 == 0 and "0" .. i or tostring(1000 + i) -- three of them exist nowhere
  actions[i] = { method = "put", relative_path = "/tasks/" .. gid, data = { due_on = "2026-12-24" } }
end

-- Ten actions to a call, at most fifteen writes in flight, as Asana asks for. attempts = 3 repeats what
-- Asana itself refused for the moment (429). A write whose answer was lost is never repeated: it may have been done.
local job = assert(asana:run(actions, { attempts = 3 }))

local done, refused, unknown = 0, 0, 0
for result in job:results() do -- in the order of the actions
  if result.ok then
    done = done + 1
  elseif result.error.code == "unknown_outcome" then
    unknown = unknown + 1
    print("look at it by hand: " .. actions[result.index].relative_path)
  else
    refused = refused + 1
    print(actions[result.index].relative_path, result.status, result.error.message)
  end
end
print(("300 updates: %d done, %d refused, %d unknown"):format(done, refused, unknown))
