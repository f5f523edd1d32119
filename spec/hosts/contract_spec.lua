-- runs on: lua5.4 luajit
-- Every host keeps the same contract: the list of behaviours (hosts/behaviours.lua) is run inside each
-- that is installed. What a host cannot do is skipped by name.

local starter = require("hosts.starter")

local lua = os.getenv("BATCHAPI_LUA") or "lua5.4"
local PATIENCE = 150 -- seconds


describe("the contract of hosts:", function()
  for _, host in ipairs(starter.list(lua)) do
    it(host.name .. " keeps it", function()
      local reason = starter.missing(host)
      if reason then
        return pending(reason)
      end
      local list, said = starter.run(host, { list = "behaviours", patience = PATIENCE })
      print(("%s (%s): skipped: %s"):format(host.name, lua, table.concat(list.skipped, "; ")))
      assert.equal("", table.concat(list.failures, "\n") .. (#list.failures > 0 and "\n" .. said or ""))
      assert.is_true(list.count > 15, said)
    end)
  end
end)
