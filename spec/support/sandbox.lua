--- The sandbox's control interface, for specs. They run under sandbox/run.

local batchapi = require("batchapi")

local M = {}

local control = assert(batchapi.client({
  name = "control",
  base_url = assert(os.getenv("BATCHAPI_SANDBOX_URL"), "run this spec under sandbox/run") .. "/_control",
  operations = {
    { name = "reset", method = "POST", path = "/reset" },
    { name = "set_clock", method = "POST", path = "/clock", body = { "clock", "object" } },
    { name = "set", method = "POST", path = "/settings", body = { "settings", "map" } },
    { name = "set_faults", method = "POST", path = "/faults", body = { "faults", "array" } },
    { name = "totals", method = "GET", path = "/totals" },
    { name = "log", method = "GET", path = "/log", query = {
      { "since", "integer" }, { "path", "string" }, { "operation", "string" }, { "service", "string" },
      { "method", "string" }, { "limit", "integer" },
    } },
  },
}))


function M.reset()
  assert(control:reset())
end


---@param settings table
function M.set(settings)
  assert(control:set(settings))
end


---@param clock table advance, speed, freeze
function M.clock(clock)
  assert(control:set_clock(clock))
end


---@param rules table[]
function M.faults(rules)
  assert(control:set_faults(rules))
end


--- Groups of counters.
---@return table
function M.totals()
  return assert(control:totals())
end


--- One counter; 0 when nothing was counted yet.
---@param group string
---@param name string
function M.count(group, name)
  return (M.totals()[group] or {})[name] or 0
end


--- Entries of the log.
---@param filter table|nil
---@return table[]
function M.log(filter)
  return assert(control:log(filter or {})).entries
end


--- The last entry of the log.
function M.last()
  local entries = M.log()
  return entries[#entries]
end


return M
