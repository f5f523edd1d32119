-- Access and refresh tokens of all services: opaque, known only by their hash, with a life on the virtual clock.
local clock = require("clock")
local crypto = require("crypto")
local digest = require("digest")
local store = require("store")
local totals = require("totals")

local M = {}
local state = ngx.shared.state


local function epoch()
  return state:get("tokens:epoch") or 0
end


-- Issues a token of a kind ("factset", "asana", "asana_refresh", ...); it lives for `life` seconds, or for ever.
function M.issue(kind, life, about)
  local token = crypto.random(32)
  M.adopt(kind, token, life, about)
  totals.count("oauth", "tokens_issued")
  return token
end


-- Makes a given string a valid token.
function M.adopt(kind, token, life, about)
  store.put("token", { id = kind .. digest.hex(token), expires = life and clock.now() + life, epoch = epoch(),
    about = about })
end


-- What the token was issued about, or nil when it is unknown, over, or revoked.
function M.find(kind, token)
  local record = store.get("token", kind .. digest.hex(token))
  if record and (not record.expires or clock.now() < record.expires) and (record.lasting
    or record.epoch == epoch()) then
    return record.about or {}, record
  end
end


function M.kill(kind, token)
  local record = store.get("token", kind .. digest.hex(token))
  if record then
    store.delete("token", record)
  end
  return record ~= nil
end


-- All access tokens are dead at once; refresh tokens live on.
function M.revoke_all()
  state:incr("tokens:epoch", 1, 0)
  totals.count("oauth", "revocations")
end


-- Keeps a token alive through revoke_all.
function M.make_lasting(kind, token)
  local record = store.get("token", kind .. digest.hex(token))
  record.lasting = true
  store.put("token", record)
end


return M
