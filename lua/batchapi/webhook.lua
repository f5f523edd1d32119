--- Checks that a webhook comes from the service (Standard Webhooks, as OpenAI signs them), and decodes it.

local check = require("batchapi.check.options")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local json = require("batchapi.json")

local M = {}

--- What `verify` may be given.
M.options = check.list{
  { name = "tolerance", kind = "number", min = 0, default = 300,
    help = "seconds the message may be old, or ahead of this clock" },
  { name = "now", kind = "number", help = "calendar seconds to measure its age by, for tests" },
}


--- The headers that count, whatever the case of their names. A header that is there twice (a
--- table, as OpenResty gives it) is no signature to be trusted.
local function find_headers(headers)
  local found = {}
  for name, value in pairs(headers) do
    local lower = type(name) == "string" and name:lower()
    if lower == "webhook-id" or lower == "webhook-timestamp" or lower == "webhook-signature" then
      if type(value) ~= "string" or found[lower] then
        return nil, lower .. " is there more than once"
      elseif value:find("%c") then
        return nil, lower .. " contains a control character"
      end
      found[lower] = value
    end
  end
  return found
end


local VARIABLE = "OPENAI_WEBHOOK_SECRET"


local function refused(name, message, err)
  return errors.fail(errors.new{
    kind = err and err.kind or "auth", code = err and err.code or "bad_header",
    operation = name, message = (message:gsub("^webhook: ", "")), sent = false,
  })
end


local function check_arguments(name, headers, body, secret, given)
  if type(headers) ~= "table" then
    errors.misuse("%s: the headers must be a table, got a %s", name, type(headers))
  elseif type(body) ~= "string" then
    errors.misuse("%s: the body must be a string, got a %s", name, type(body))
  elseif secret ~= nil and type(secret) ~= "string" then
    errors.misuse("%s: the secret must be a string, got a %s", name, type(secret))
  end
  check.check(given or {}, M.options, name)
end


local function verify(name, headers, body, secret, given)
  check_arguments(name, headers, body, secret, given)
  secret = secret or os.getenv(VARIABLE)
  if not secret or secret == "" then
    return errors.fail(errors.new{ kind = "auth", code = "no_credentials", operation = name,
      message = "no secret: give it, or set " .. VARIABLE })
  end
  local found, why = find_headers(headers)
  if not found then
    return refused(name, why)
  end
  local ok, message, err = core.webhook_verify(found["webhook-id"], found["webhook-timestamp"],
    found["webhook-signature"], body, secret, given and given.tolerance or 300,
    given and given.now or os.time())
  if not ok then
    return refused(name, message, err)
  end
  return true
end


--- Whether a webhook is genuine and fresh. Give the body byte for byte as it came: a body that was
--- decoded and encoded again has another signature. The comparison takes the same time whatever
--- differs.
---@param headers table<string, string> the request's headers; names in any case
---@param body string
---@param secret string|nil "whsec_…" as the service shows it; nil: the variable OPENAI_WEBHOOK_SECRET
---@param given batchapi.WebhookOptions|nil
---@return boolean|nil genuine true
---@return string|nil message
---@return batchapi.Error|nil err kind "auth" (codes missing_header, bad_header, bad_timestamp,
--- too_old, too_new, bad_signature, no_credentials), or "invalid" when the secret cannot be one
function M.verify(headers, body, secret, given)
  local genuine, why, err = verify("webhook.verify", headers, body, secret, given)
  return genuine, why, err
end


--- What a webhook says: verified as by `verify`, then decoded.
---@param headers table<string, string>
---@param body string
---@param secret string|nil
---@param given batchapi.WebhookOptions|nil
---@return table|nil event { id, type, data, … } as the service's reference says
---@return string|nil message
---@return batchapi.Error|nil err as of `verify`; kind "decode" when a genuine body is not JSON
function M.unwrap(headers, body, secret, given)
  local genuine, why, err = verify("webhook.unwrap", headers, body, secret, given)
  if not genuine then
    return nil, why, err
  end
  local event
  event, why, err = json.decode(body)
  if type(event) ~= "table" then
    return errors.adopt("webhook.unwrap", err, why or "the body is no object")
  end
  return event
end


return M
