--- Refresh tokens that clients of one Lua state have in common.
---
--- A server that renews a refresh token with each use takes the old one once: of two clients that
--- each have a copy the second is refused. So they share one credential of the core, by their token
--- or one that it was before, and every `on_token` is told what it becomes. The secrets stay there.

local core = require("batchapi.core")

local M = {}

---@class batchapi.Grant
---@field base_url string
---@field listeners table<function, true> the on_token of its clients

local grants = setmetatable({}, { __mode = "k" }) ---@type table<userdata, batchapi.Grant> by credential
-- A weak key is there until its finaliser has run, a weak value no longer than it is in use.
local credentials = setmetatable({}, { __mode = "v" }) ---@type table<batchapi.Grant, userdata>


--- The credential of a refresh token: one that is there, or a new one.
---@param description table what core.credential takes
---@param base_url string
---@return userdata|nil credential, string|nil message, table|nil err
function M.credential(description, base_url)
  for grant, credential in pairs(credentials) do
    if grant.base_url == base_url and core.is_grant(description, credential) then
      return credential
    end
  end
  local credential, why, err = core.credential(description)
  if credential then
    local grant = { base_url = base_url, listeners = setmetatable({}, { __mode = "k" }) }
    grants[credential], credentials[grant] = grant, credential
  end
  return credential, why, err
end


--- The grant of a credential, if it has one, which tells `on_token` from now on.
---@param credential userdata
---@param on_token fun(token: string)|nil
---@return batchapi.Grant|nil
function M.join(credential, on_token)
  local grant = grants[credential]
  if grant and on_token then
    grant.listeners[on_token] = true
  end
  return grant
end


return M
