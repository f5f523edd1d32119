--- Checks that a webhook comes from the service (Standard Webhooks, as OpenAI signs them).

local check = require("batchapi.check.options")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")

---@class batchapi.WebhookOptions
---@field tolerance number|nil seconds the message may be old, or ahead of this clock: 300
---@field now number|nil calendar seconds to measure its age by, for tests; the clock's otherwise

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


local function refused(message, err)
  return errors.fail(errors.new{
    kind = err and err.kind or "auth", code = err and err.code or "bad_header",
    operation = "webhook.verify", message = (message:gsub("^webhook: ", "")), sent = false,
  })
end


--- Whether a webhook is genuine and fresh. Give the body byte for byte as it came: a body that was
--- decoded and encoded again has another signature. The comparison takes the same time whatever
--- differs.
---@param headers table<string, string> the request's headers; names in any case
---@param body string
---@param secret string "whsec_…" as the service shows it
---@param given batchapi.WebhookOptions|nil
---@return boolean|nil genuine true
---@return string|nil message
---@return batchapi.Error|nil err kind "auth" (codes missing_header, bad_header, bad_timestamp,
--- too_old, too_new, bad_signature), or "invalid" when the secret cannot be one
function M.verify(headers, body, secret, given)
  if type(headers) ~= "table" then
    errors.misuse("webhook.verify: the headers must be a table, got a %s", type(headers))
  elseif type(body) ~= "string" then
    errors.misuse("webhook.verify: the body must be a string, got a %s", type(body))
  elseif type(secret) ~= "string" then
    errors.misuse("webhook.verify: the secret must be a string, got a %s", type(secret))
  end
  check.check(given or {}, M.options, "webhook.verify")
  local found, why = find_headers(headers)
  if not found then
    return refused(why)
  end
  local ok, message, err = core.webhook_verify(found["webhook-id"], found["webhook-timestamp"],
    found["webhook-signature"], body, secret, given and given.tolerance or 300,
    given and given.now or os.time())
  if not ok then
    return refused(message, err)
  end
  return true
end


return M
