-- The control interface: JSON over HTTP under /_control. README.md is its contract.
local body = require("body")
local clock = require("clock")
local engine = require("engine")
local faults = require("faults")
local json = require("json")
local late = require("late")
local log = require("log")
local settings = require("settings")
local store = require("store")
local tokens = require("tokens")
local totals = require("totals")

local M = {}
local SETTLE = 60


local function refuse(why)
  return { status = 400, json = { error = why } }
end


-- The request's JSON object, or nil and the refusal. An empty body is an empty object.
local function wish_of()
  local request_body = body.read()
  if request_body.size == 0 then
    return {}
  end
  local wish, why = body.json(request_body)
  if not wish then
    return nil, refuse("the body must be a JSON object: " .. why)
  end
  return wish
end


local function show_clock(_)
  return { status = 200, json = clock.show() }
end


local function change_clock(_)
  local wish, refusal = wish_of()
  if not wish then
    return refusal
  end
  local ok, why = clock.change(wish)
  if not ok then
    return refuse(why)
  end
  engine.settle(SETTLE)
  return show_clock()
end


local function show_settings(_)
  return { status = 200, json = settings.get() }
end


local function change_settings(_)
  local wish, refusal = wish_of()
  if not wish then
    return refusal
  end
  local ok, why = settings.change(wish)
  return ok and show_settings() or refuse(why)
end


local function reset(_)
  engine.settle(SETTLE)
  engine.reset()
  store.reset()
  totals.reset()
  faults.reset()
  late.reset()
  log.reset()
  settings.reset()
  clock.reset()
  os.execute("rm -rf '" .. require("boot").directory .. "/files' && mkdir -m 700 '" .. require("boot").directory
    .. "/files'")
  return { status = 200, json = { reset = true } }
end


local function show_faults(_)
  return { status = 200, json = { rules = faults.show() } }
end


local function change_faults(_)
  local wish, refusal = wish_of()
  if not wish then
    return refusal
  end
  local ok, why = faults.set(wish.rules or wish)
  return ok and show_faults() or refuse(why)
end


local function clear_faults(_)
  faults.reset()
  return show_faults()
end


local function show_log(_)
  local entries, last = log.select(ngx.req.get_uri_args())
  return { status = 200, json = { entries = entries, last = last } }
end


local function clear_log(_)
  log.reset()
  return { status = 200, json = { entries = json.array(), last = 0 } }
end


local function revoke(_)
  tokens.revoke_all()
  return { status = 200, json = { revoked = true } }
end


local function register_client(_)
  local wish, refusal = wish_of()
  if not wish then
    return refusal
  end
  local ok, why = require("oauth").register(wish)
  return ok and { status = 200, json = { registered = true } } or refuse(why)
end


local function show_totals(_)
  return { status = 200, json = totals.all() }
end


local open = { open = true }

M.services = { {
  name = "control",
  prefix = "/_control",
  routes = {
    { "GET", "/clock", show_clock, "show_clock", open },
    { "POST", "/clock", change_clock, "change_clock", open },
    { "GET", "/settings", show_settings, "show_settings", open },
    { "POST", "/settings", change_settings, "change_settings", open },
    { "POST", "/reset", reset, "reset", open },
    { "GET", "/faults", show_faults, "show_faults", open },
    { "POST", "/faults", change_faults, "change_faults", open },
    { "DELETE", "/faults", clear_faults, "clear_faults", open },
    { "GET", "/log", show_log, "show_log", open },
    { "DELETE", "/log", clear_log, "clear_log", open },
    { "POST", "/oauth/revoke", revoke, "revoke", open },
    { "POST", "/oauth/clients", register_client, "register_client", open },
    { "GET", "/totals", show_totals, "show_totals", open },
  },
  no_route = function(request, wrong_method)
    return { status = wrong_method and 405 or 404, json = { error = "nothing is here: " .. request.path } }
  end,
} }

return M
