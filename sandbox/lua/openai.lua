-- OpenAI: what its endpoints share, and the table of its routes. Azure OpenAI and Groq are the same service behind
-- another prefix and another header.
local clock = require("clock")
local fail = require("openai_error")

local M = { fail = fail }


local function bearer(request, keys)
  local header = request.headers["authorization"]
  if not header then
    return fail(401, "You didn't provide an API key. You need to provide your API key in an Authorization header using "
      .. "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).", nil, nil)
  end
  local token = type(header) == "string" and header:match("^[Bb]earer (.+)$")
  if not token or not keys[token] then
    return fail(401, "Incorrect API key provided: " .. (token or ""):sub(1, 3) .. "***. You can find your API key at "
      .. "https://platform.openai.com/account/api-keys.", "invalid_api_key")
  end
end


local function api_key(request, keys)
  local token = request.headers["api-key"]
  if token and keys[token] then
    return nil
  end
  return bearer(request, keys) and { status = 401, json = { error = { code = "401",
    message = "Access denied due to invalid subscription key or wrong API endpoint." } } }
end


local function no_route(request, wrong_method)
  if wrong_method then
    return fail(405, "Not allowed to " .. request.method .. " on " .. request.path .. ".")
  end
  return fail(404, "Invalid URL (" .. request.method .. " " .. request.path .. ")")
end


-- The headers every answer of the service has.
local function finish(request, response)
  response.headers = response.headers or {}
  response.headers["Date"] = ngx.http_time(clock.now())
  response.headers["openai-version"] = "2020-10-01"
  response.headers["openai-organization"] = request.headers["openai-organization"] or "sandbox-org"
  response.headers["openai-processing-ms"] = "1"
end


local files, uploads, batches = require("openai_files"), require("openai_uploads"), require("openai_batches")
local answers = require("openai_answers")

local routes = {
  { "POST", "/files", files.create, "create_file" },
  { "GET", "/files", files.list, "list_files" },
  { "GET", "/files/{file_id}", files.retrieve, "retrieve_file" },
  { "DELETE", "/files/{file_id}", files.delete, "delete_file" },
  { "GET", "/files/{file_id}/content", files.content, "download_file" },
  { "POST", "/uploads", uploads.create, "create_upload" },
  { "POST", "/uploads/{upload_id}/parts", uploads.add_part, "add_upload_part" },
  { "POST", "/uploads/{upload_id}/complete", uploads.complete, "complete_upload" },
  { "POST", "/uploads/{upload_id}/cancel", uploads.cancel, "cancel_upload" },
  { "POST", "/batches", batches.create, "create_batch" },
  { "GET", "/batches", batches.list, "list_batches" },
  { "GET", "/batches/{batch_id}", batches.retrieve, "retrieve_batch" },
  { "POST", "/batches/{batch_id}/cancel", batches.cancel, "cancel_batch" },
  { "POST", "/chat/completions", answers.direct("/v1/chat/completions"), "chat_completions" },
  { "POST", "/embeddings", answers.direct("/v1/embeddings"), "embeddings" },
  { "POST", "/completions", answers.direct("/v1/completions"), "completions" },
  { "POST", "/responses", answers.direct("/v1/responses"), "responses" },
  { "POST", "/moderations", answers.direct("/v1/moderations"), "moderations" },
  { "GET", "/models", answers.models, "list_models" },
}


local function service(name, prefix, keys, authenticate)
  return {
    name = name,
    prefix = prefix,
    routes = routes,
    fail = M.fail,
    no_route = no_route,
    finish = finish,
    authenticate = function(request)
      return authenticate(request, keys)
    end,
  }
end


M.services = {
  service("openai", "/v1", { ["sk-sandbox-openai"] = true }, bearer),
  service("groq", "/groq/openai/v1", { ["gsk-sandbox-groq"] = true }, bearer),
  service("azure", "/azure/openai/v1", { ["sandbox-azure-key"] = true }, api_key),
  service("azure_preview", "/azure/openai", { ["sandbox-azure-key"] = true }, api_key),
}

return M
