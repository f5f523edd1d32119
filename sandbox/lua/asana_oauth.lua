-- OAuth 2.0 as Asana has it: authorization code with PKCE, refresh tokens, revocation.
local body = require("body")
local crypto = require("crypto")
local digest = require("digest")
local refuse = require("oauth").refuse
local settings = require("settings")
local state = ngx.shared.state
local tokens = require("tokens")
local totals = require("totals")

local M = {}
local CODE_LIFE = 600
local CLIENT, SECRET, REFRESH = "sandbox-asana-client", "sandbox-asana-secret", "sandbox-asana-refresh"
local USER = { id = "1", gid = "1", name = "Sandbox User", email = "user@sandbox.invalid" }


-- The refresh token that sandbox/run gives out is valid until it is rotated or revoked.
local function find_refresh(token)
  if token == REFRESH and not state:get("asana:first_refresh_gone") then
    return true
  end
  return tokens.find("asana_refresh", token) ~= nil
end


local function kill_refresh(token)
  if token == REFRESH then
    state:set("asana:first_refresh_gone", true)
  else
    tokens.kill("asana_refresh", token)
  end
end


local function new_refresh()
  local token = tokens.issue("asana_refresh", nil, nil)
  tokens.make_lasting("asana_refresh", token)
  return token
end


-- The user's consent is taken as given: straight back with a code.
local function authorize(_)
  local query = ngx.req.get_uri_args()
  if query.client_id ~= CLIENT or query.response_type ~= "code" or type(query.redirect_uri) ~= "string" then
    return refuse(400, "invalid_request", "client_id, response_type=code and redirect_uri are needed")
  elseif query.code_challenge and query.code_challenge_method ~= "S256" then
    return refuse(400, "invalid_request", "code_challenge_method must be S256")
  end
  local code = tokens.issue("asana_code", CODE_LIFE, { redirect_uri = query.redirect_uri,
    challenge = query.code_challenge })
  local answer = { code = code, state = query.state }
  local mark = query.redirect_uri:find("?", 1, true) and "&" or "?"
  return { status = 302, body = "", headers = { Location = query.redirect_uri .. mark .. ngx.encode_args(answer) } }
end


local function code_fault(form)
  local code = tostring(form.code)
  local about = tokens.find("asana_code", code)
  tokens.kill("asana_code", code)
  if not about then
    return "the code is unknown, used, or too old"
  elseif about.redirect_uri ~= form.redirect_uri then
    return "redirect_uri is not the one of the authorization"
  elseif about.challenge and crypto.encode(digest.sha256(tostring(form.code_verifier))) ~= about.challenge then
    return "code_verifier does not match"
  end
end


local function access_answer()
  local life = settings.get().asana.token_lifetime
  return { access_token = tokens.issue("asana", life, { user = "1" }), expires_in = life, token_type = "bearer",
    data = USER }
end


local grants = {}


function grants.authorization_code(form)
  local fault = code_fault(form)
  if fault then
    return refuse(400, "invalid_grant", fault)
  end
  local answer = access_answer()
  answer.refresh_token = new_refresh()
  return { status = 200, json = answer }
end


function grants.refresh_token(form)
  local token = tostring(form.refresh_token)
  if not find_refresh(token) then
    return refuse(400, "invalid_grant", "the refresh token is unknown or revoked")
  end
  local answer = access_answer()
  if settings.get().asana.rotate_refresh_tokens then
    kill_refresh(token)
    answer.refresh_token = new_refresh()
  end
  return { status = 200, json = answer }
end


local function read_form(request)
  request.body = body.read()
  return ngx.decode_args(body.text(request.body), 100)
end


local function token(request)
  totals.count("oauth", "token_requests")
  local form = read_form(request)
  if form.client_id ~= CLIENT or form.client_secret ~= SECRET then
    return refuse(401, "invalid_client", "client_id or client_secret is wrong")
  end
  local grant = grants[form.grant_type]
  return grant and grant(form) or refuse(400, "unsupported_grant_type", "grant_type is not supported")
end


local function revoke(request)
  local form = read_form(request)
  if form.client_id ~= CLIENT or form.client_secret ~= SECRET or type(form.token) ~= "string" then
    return refuse(400, "invalid_request", "client_id, client_secret and token are needed")
  end
  kill_refresh(form.token)
  return { status = 200, json = {} }
end


local private = { open = true, private = true }

M.services = { {
  name = "asana_oauth",
  prefix = "/-",
  routes = {
    { "GET", "/oauth_authorize", authorize, "authorize", private },
    { "POST", "/oauth_token", token, "token", private },
    { "POST", "/oauth_revoke", revoke, "revoke", private },
  },
  fail = function(status, message)
    return { status = status, json = { error = status >= 500 and "server_error" or "invalid_request",
      error_description = message } }
  end,
  no_route = function(request)
    return { status = 404, json = { error = "not_found", error_description = request.path } }
  end,
} }

return M
