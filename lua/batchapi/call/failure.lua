--- Turns the outcome of a failed call into the error a user sees, with what to do about it.

local among = require("batchapi.util.among")
local error_body = require("batchapi.call.error_body")
local errors = require("batchapi.util.errors")
local response = require("batchapi.call.response")

local M = {}


--- What names the client's credentials in a hint: "api_key (OPENAI_API_KEY)".
local function credential_names(definition)
  local names = {}
  for _, way in ipairs(definition.auth) do
    local variable = way.environment and " (" .. way.environment .. ")" or ""
    local user = way.user_option and way.user_option .. " and " or ""
    names[#names + 1] = user .. way.option .. variable
  end
  return table.concat(names, " or ")
end


local function auth_hint(client, status)
  local names = credential_names(client._definition)
  if names == "" then
    return "the service asks for credentials, and the definition names none"
  elseif status == 403 then
    return "is what " .. names .. " stands for allowed to do this?"
  end
  return "check " .. names
end


local proxy_auth = "the proxy asks for credentials: give them in its URL, http://user:password@host:port (option proxy)"


--- What to think of a request of which bytes went out, and that harms when it is sent twice.
local function carried_out(outcome)
  return outcome.maybe_sent and outcome.never_sent
    and "the request may have been carried out all the same: look before repeating it" or nil
end


--- The last part of the service's own base URL, "/v1", if the client's lacks it, and nothing worked
--- yet.
local function missing_path(client)
  local usual = client._definition.base_url:match("^%a+://[^/]+.*(/[^/{}]+)$")
  if usual and client._core:stats().succeeded == 0 and client._base_url:sub(-#usual) ~= usual then
    return usual
  end
end


local hints = {
  connect = function(client, outcome)
    if outcome.code == "proxy_auth" then
      return proxy_auth
    elseif outcome.code == "proxy" then
      return "is the proxy (option proxy, or the environment's) right, and is it up?"
    elseif outcome.maybe_sent then
      return carried_out(outcome) -- it was connected: the address is right
    end
    return ("is base_url (%s) right, and is the server up?"):format(client._base_url)
  end,
  tls = function()
    return "if a private authority signed the server's certificate, give its PEM file as ca_file"
  end,
  timeout = function(_, outcome)
    return (outcome.status or 0) == 0 and carried_out(outcome) or nil
  end,
  truncated = function(_, outcome)
    local also = carried_out(outcome)
    return "the answer ended early; nothing of it is handed out" .. (also and "; " .. also or "")
  end,
  too_large = function(_, outcome)
    local message = outcome.message or ""
    if (outcome.attempts or 0) == 0 then
      return nil -- it is the request
    elseif message:find("header", 1, true) then
      return message:find("bytes$") and "raise max_header_bytes" or nil -- else it is libcurl's cap
    end
    return "raise max_body_bytes, or stream the answer (lines, or { to = path })"
  end,
  http = function(client, outcome)
    local status = outcome.status or 0
    local path = (status == 404 or status == 405) and missing_path(client)
    if path then
      return ("base_url (%s) does not end with %s, as %s does: is it right?"):format(client._base_url, path,
        client._definition.base_url)
    elseif status == 404 then
      return "check the id, and that the account is the one it belongs to"
    elseif status == 407 then
      return proxy_auth
    elseif status == 413 then
      return "send less at once"
    end
    return status >= 500 and outcome.retryable and "the service failed: try again later" or nil
  end,
  auth = function(client, outcome)
    return auth_hint(client, outcome.status)
  end,
  rate_limit = function(_, outcome)
    return outcome.retry_after and ("the service asks to wait %g s"):format(outcome.retry_after)
      or nil
  end,
}


--- The kind by status, as design 1.2 has it. The engine knows most of it; what it cannot know is in
--- the definition.
local function kind_of(definition, outcome, code)
  local status = outcome.status or 0
  if status == 429 and among(code, definition.errors.final) then
    return "http", false
  elseif among(status, definition.errors.auth) and outcome.kind == "http" then
    return "auth", false
  end
  return outcome.kind or "http", outcome.retryable or false
end


--- The body of an error answer: decoded if it is JSON, secrets that a server echoed blotted out.
local function body_of(client, call)
  local text = call:body()
  if not text or text == "" then
    return nil
  end
  text = client._credential:redact(text)
  if text:find("^%s*[%[{]") then
    local decoded = client._codec.decode(text)
    if decoded ~= nil then
      return decoded
    end
  end
  return text
end


local function said(outcome, code, message, answered)
  if not answered or outcome.status < 400 then -- a redirect: the core says where it points
    return outcome.message or "failed"
  end
  local head = tostring(outcome.status) .. (code and " " .. code or "")
  if message then
    return head .. ": " .. message
  end
  return head .. ": the service gave no reason"
end


local function told(client, outcome, kind, code, message, answered)
  local text = said(outcome, code, message, answered)
  if outcome.body_cut then
    text = text:gsub("%.$", "") .. " (its body was longer than the MiB that is kept)"
  end
  if (outcome.attempts or 0) > 1 then
    text = ("%s (after %d attempts)"):format((text:gsub("%.$", "")), outcome.attempts)
  end
  local hint
  if outcome.status == 429 and kind == "http" then
    hint = "the quota is used up: no repeat helps before it is raised"
  else
    hint = hints[kind] and hints[kind](client, outcome)
  end
  if not hint then
    return text
  end
  return (text:gsub("%.$", "")) .. "; " .. hint
end


--- The failure triple of a finished call that did not succeed.
---@param client batchapi.Client
---@param operation string
---@param outcome table
---@param call userdata
---@return nil, string, batchapi.Error
function M.of_outcome(client, operation, outcome, call)
  local definition = client._definition
  -- A local failure after the answer began (too large, cut off) has a status too, but speaks for
  -- itself.
  local answered = (outcome.status or 0) >= 300 and
    (outcome.kind == "http" or outcome.kind == "auth" or outcome.kind == "rate_limit")
  local body = answered and body_of(client, call) or nil
  local code, message = error_body.read(body, definition.errors)
  code = code or (outcome.code ~= "" and outcome.code or nil)
  local kind, retryable = kind_of(definition, outcome, code)
  local answer = response.of(definition, outcome)
  return errors.fail(errors.new{
    kind = kind, operation = operation,
    message = client._credential:redact(told(client, outcome, kind, code, message, answered)),
    status = answer and answer.status or nil, code = code,
    request_id = answer and answer.request_id, retry_after = outcome.retry_after,
    retryable = retryable, attempts = outcome.attempts, body = body, response = answer,
    sent = outcome.maybe_sent or false,
  })
end


--- The failure triple of an answer that came whole, but is not what it should be.
---@param client batchapi.Client
---@param operation string
---@param outcome table
---@param message string
---@param kind string|nil "decode" unless said otherwise
---@return nil, string, batchapi.Error
function M.of_answer(client, operation, outcome, message, kind)
  local answer = response.of(client._definition, outcome)
  return errors.fail(errors.new{
    kind = kind or "decode", operation = operation, message = client._credential:redact(message),
    status = answer and answer.status, request_id = answer and answer.request_id,
    attempts = outcome.attempts, response = answer, sent = true,
  })
end


return M
