-- OAuth 2.0 as FactSet has it: discovery, and a token endpoint that takes a signed assertion (RFC 7523).
local body = require("body")
local boot = require("boot")
local crypto = require("crypto")
local json = require("json")
local settings = require("settings")
local store = require("store")
local tokens = require("tokens")
local totals = require("totals")

local M = {}
local ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
local LONGEST = 600 -- seconds an assertion may live
local SKEW = 5


local function refuse(status, code, description)
  totals.count("oauth", "refused")
  return { status = status, json = { error = code, error_description = description },
    headers = { ["Cache-Control"] = "no-store" } }
end

M.refuse = refuse


local function issuer()
  return ngx.var.scheme .. "://" .. (ngx.var.http_host or "127.0.0.1:" .. ngx.var.server_port)
end


local function discovery(_)
  totals.count("oauth", "discovery_requests")
  local base = issuer()
  return { status = 200, json = {
    issuer = base,
    authorization_endpoint = base .. "/as/authorization.oauth2",
    token_endpoint = base .. "/as/token.oauth2",
    revocation_endpoint = base .. "/as/revoke_token.oauth2",
    jwks_uri = base .. "/as/jwks",
    grant_types_supported = { "client_credentials" },
    token_endpoint_auth_methods_supported = { "private_key_jwt" },
    token_endpoint_auth_signing_alg_values_supported = { "RS256", "PS256", "ES256" },
  } }
end


-- The registered client; the one of app-config.json is there from the start.
local function find_client(id)
  local client = store.get("oauth_client", id)
  if not client and id == boot.app.clientId then
    client = { id = id, keys = { [boot.app.jwk.kid] = boot.app.jwk } }
  end
  return client
end


-- Registers a client's public key: { clientId, jwk }.
function M.register(wish)
  local jwk = wish.jwk
  if type(wish.clientId) ~= "string" or type(jwk) ~= "table" or type(jwk.kid) ~= "string" then
    return nil, "clientId and jwk (with kid) are needed"
  end
  local client = find_client(wish.clientId) or { id = wish.clientId, keys = {} }
  client.keys[jwk.kid] = { kty = jwk.kty, n = jwk.n, e = jwk.e, crv = jwk.crv, x = jwk.x, y = jwk.y, kid = jwk.kid }
  store.put("oauth_client", client)
  return true
end


-- Splits a compact JWS: header, claims, the signed text, the signature; or nil.
local function split(assertion)
  local head, payload, signature = assertion:match("^([%w_%-]+)%.([%w_%-]+)%.([%w_%-]+)$")
  if not head then
    return nil
  end
  local header = json.decode(crypto.decode(head) or "")
  local claims = json.decode(crypto.decode(payload) or "")
  if type(header) == "table" and type(claims) == "table" then
    return header, claims, head .. "." .. payload, crypto.decode(signature) or ""
  end
end


local function audience_fits(aud)
  for _, value in ipairs(type(aud) == "table" and aud or { aud }) do
    if value == issuer() or value == issuer() .. "/as/token.oauth2" then
      return true
    end
  end
  return false
end


-- Times are checked by the wall clock, which is the client's too; the virtual clock is for what was issued.
local function time_fault(claims)
  local now = ngx.time()
  if type(claims.exp) ~= "number" or claims.exp + SKEW <= now then
    return "the assertion is expired"
  elseif type(claims.nbf) == "number" and claims.nbf - SKEW > now then
    return "the assertion is not yet valid"
  elseif type(claims.iat) ~= "number" or claims.iat - SKEW > now or claims.exp - claims.iat > LONGEST then
    return "the assertion's iat is missing, ahead, or more than " .. LONGEST .. " s before exp"
  end
end


-- What is wrong with an assertion, or nil and the client's id.
local function assertion_fault(assertion)
  local header, claims, text, signature = split(assertion)
  if not header then
    return "the client assertion is not a JWS"
  end
  local client = type(claims.sub) == "string" and find_client(claims.sub)
  if not client or claims.iss ~= claims.sub then
    return "iss and sub must both be the id of a registered client"
  end
  local jwk = client.keys[header.kid]
  if not jwk then
    return "unknown key: no key " .. tostring(header.kid) .. " is registered for this client"
  elseif not crypto.verify(jwk, header.alg, text, signature) then
    return "the signature does not verify"
  elseif not audience_fits(claims.aud) then
    return "the audience must be " .. issuer()
  end
  local fault = time_fault(claims)
  if fault then
    return fault
  elseif type(claims.jti) ~= "string" or claims.jti == "" then
    return "jti is missing"
  end
  local fresh = ngx.shared.state:safe_add("jti:" .. client.id .. ":" .. claims.jti, true)
  return not fresh and "the assertion was replayed: its jti has been used" or nil, client.id
end


local function token(request)
  totals.count("oauth", "token_requests")
  request.body = body.read()
  local form = ngx.decode_args(body.text(request.body), 100)
  if not (request.headers["content-type"] or ""):find("^application/x%-www%-form%-urlencoded") then
    return refuse(400, "invalid_request", "the body must be a form")
  elseif form.grant_type ~= "client_credentials" then
    return refuse(400, "unsupported_grant_type", "grant_type must be client_credentials")
  elseif form.client_assertion_type ~= ASSERTION or type(form.client_assertion) ~= "string" then
    return refuse(401, "invalid_client", "a client assertion is needed")
  end
  local fault, client = assertion_fault(form.client_assertion)
  if fault then
    return refuse(401, "invalid_client", fault)
  end
  local life = settings.get().token_lifetime
  return { status = 200, headers = { ["Cache-Control"] = "no-store" }, json = {
    access_token = tokens.issue("factset", life, { client = client, scope = form.scope }), token_type = "Bearer",
      expires_in = life,
  } }
end


local function no_route(request)
  return { status = 404, json = { error = "not_found", error_description = request.path } }
end


local function fail(status, message)
  return { status = status, json = { error = status >= 500 and "temporarily_unavailable" or "invalid_request",
    error_description = message } }
end


local private = { open = true, private = true }

M.services = {
  { name = "oauth", prefix = "/.well-known", no_route = no_route, fail = fail, routes = {
    { "GET", "/openid-configuration", discovery, "discovery", private },
  } },
  { name = "oauth", prefix = "/as", no_route = no_route, fail = fail, routes = {
    { "POST", "/token.oauth2", token, "token", private },
  } },
}

return M
