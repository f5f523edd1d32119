-- Anthropic Message Batches: requests inline, results by URL; and a Messages call.
local answers = require("openai_answers")
local body = require("body")
local jobs = require("line_jobs")
local json = require("json")
local magic = require("magic")
local results_of = require("openai_results")
local store = require("store")

local M = {}
local KEY = "sk-ant-sandbox"
local KIND = "anthropic"
local MAX_REQUESTS, MAX_BYTES = 100000, 268435456
local WINDOW = 86400
local TYPES = { [400] = "invalid_request_error", [401] = "authentication_error", [403] = "permission_error",
  [404] = "not_found_error", [413] = "request_too_large", [429] = "rate_limit_error", [500] = "api_error",
  [529] = "overloaded_error" }


local function fault_of(status, message, code)
  return { type = "error", error = { type = code or TYPES[status] or "api_error", message = message } }
end


local function fail(status, message, code)
  return { status = status, json = fault_of(status, message, code) }
end


local function finish(request, response)
  response.headers = response.headers or {}
  response.headers["request-id"] = request.id
  if response.json and response.json.type == "error" then
    response.json.request_id = request.id
  end
end


local function authenticate(request)
  local bearer = tostring(request.headers["authorization"] or ""):match("^[Bb]earer (.+)$")
  if (request.headers["x-api-key"] or bearer) ~= KEY then
    return fail(401, request.headers["x-api-key"] and "invalid x-api-key" or "x-api-key header is required")
  elseif not request.headers["anthropic-version"] then
    return fail(400, "anthropic-version: header is required")
  end
end


-- The answer to a Messages request: a table, or nil and status, message, code.
local function message(params, key)
  local wish = magic.of(params)
  local failure = magic.failure(wish, key)
  if failure then
    return nil, failure.status, failure.message, TYPES[failure.status]
  elseif type(params.model) ~= "string" or type(params.max_tokens) ~= "number" or type(params.messages) ~= "table" then
    return nil, 400, "model, max_tokens and messages: Field required"
  end
  local text, usage = answers.echo(params.messages, wish)
  return { id = "msg_" .. ngx.md5(key):sub(1, 24), type = "message", role = "assistant", model = params.model,
    content = { { type = "text", text = text } }, stop_reason = "end_turn", stop_sequence = json.null,
    usage = { input_tokens = usage[1], output_tokens = usage[2] } }
end


local function messages(request)
  request.body = body.read()
  local params, why = body.json(request.body)
  if not params then
    return fail(400, "The request body is not valid JSON: " .. tostring(why))
  end
  local answer, status, text, code = message(params, body.text(request.body))
  return answer and { status = 200, json = answer } or fail(status, text, code)
end


local function iso(seconds)
  return seconds and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds)) or json.null
end


local function render(job)
  local counts = job.counts or { processing = job.total, succeeded = 0, errored = 0, canceled = 0, expired = 0 }
  local ended = job.phase == "ended"
  return {
    id = job.id, type = "message_batch", processing_status = ended and "ended" or job.phase == "cancelling"
      and "canceling"
      or "in_progress",
    request_counts = counts, created_at = iso(job.created), expires_at = iso(job.created + WINDOW),
      ended_at = iso(job.ended),
    cancel_initiated_at = iso(job.cancelled), archived_at = json.null,
    results_url = ended and job.origin .. "/anthropic/v1/messages/batches/" .. job.id .. "/results" or json.null,
  }
end


-- Checks the requests; gives them as lines, how many never end, or nil and the refusal.
local function lines_of(requests)
  if type(requests) ~= "table" or #requests == 0 then
    return nil, fail(400, "requests: Field required")
  elseif #requests > MAX_REQUESTS then
    return nil, fail(400, "requests: at most " .. MAX_REQUESTS .. " requests")
  end
  local seen, lines, unending = {}, {}, false
  for i, request in ipairs(requests) do
    local place = "requests." .. (i - 1) .. "."
    local id = type(request) == "table" and request.custom_id
    if type(id) ~= "string" or not id:find("^[%w_%-]+$") or #id > 64 then
      return nil, fail(400, place .. "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'")
    elseif seen[id] then
      return nil, fail(400, place .. "custom_id: must be unique, but '" .. id .. "' was used before")
    elseif type(request.params) ~= "table" then
      return nil, fail(400, place .. "params: Field required")
    end
    seen[id] = true
    unending = unending or magic.of(request.params).never
    lines[i] = { custom_id = id, body = request.params }
  end
  return lines, unending
end


local function create(request)
  request.body = body.read()
  if request.body.size > MAX_BYTES then
    return fail(413, "Request exceeds the maximum size")
  end
  local wish, why = body.json(request.body)
  if not wish then
    return fail(400, "The request body is not valid JSON: " .. tostring(why))
  end
  local lines, unending = lines_of(wish.requests)
  if not lines then
    return unending
  end
  local job = jobs.start(KIND, { id = store.new_id("msgbatch_", KIND), total = #lines, range = jobs.save(lines),
    wishes = {},
    window = WINDOW, unending = unending, order = results_of.asked(request),
    origin = ngx.var.scheme .. "://" .. tostring(ngx.var.http_host) })
  return { status = 200, json = render(job) }
end


local OUTCOMES = { expired = "expired", cancelled = "canceled" }

jobs.define(KIND, {
  files = { "results" },
  line = function(_, request, reason, outcome, raw)
    local counts = outcome.counts or { processing = 0, succeeded = 0, errored = 0, canceled = 0, expired = 0 }
    outcome.counts = counts
    local result
    if reason then
      result = { type = OUTCOMES[reason] }
    else
      local answer, status, text, code = message(request.body, raw)
      result = answer and { type = "succeeded", message = answer } or { type = "errored", error = fault_of(status, text,
        code) }
    end
    counts[result.type] = counts[result.type] + 1
    outcome.files.results:add('{"custom_id":' .. json.encode(request.custom_id) .. ',"result":' .. json.encode(result)
      .. "}\n")
  end,
  ended = function(job, outcome)
    job.counts, job.results = outcome.counts, outcome.files.results.path:match("[^/]+$")
  end,
})


local function find(request)
  local job = store.get(KIND, request.params.id)
  if not job then
    return nil, fail(404, "No such message batch: " .. request.params.id)
  end
  return jobs.advance(job)
end


local function retrieve(request)
  local job, refusal = find(request)
  return job and { status = 200, json = render(job) } or refusal
end


local function cancel(request)
  request.body = body.read()
  local job, refusal = find(request)
  if not job then
    return refusal
  elseif not jobs.cancel(job) then
    return fail(400, "Batch " .. job.id .. " has ended and cannot be canceled")
  end
  return { status = 200, json = render(job) }
end


local function delete(request)
  local job, refusal = find(request)
  if not job then
    return refusal
  elseif job.phase ~= "ended" then
    return fail(400, "Batch " .. job.id .. " is still in progress")
  end
  store.delete(KIND, job)
  return { status = 200, json = { id = job.id, type = "message_batch_deleted" } }
end


local function results(request)
  local job, refusal = find(request)
  if not job then
    return refusal
  elseif job.phase ~= "ended" then
    return fail(404, "Batch " .. job.id .. " has no results yet")
  end
  return { file = job.results, path = require("boot").directory .. "/files/" }
end


local function list(_)
  local query = ngx.req.get_uri_args()
  local limit = query.limit == nil and 20 or tonumber(query.limit)
  if not limit or limit % 1 ~= 0 or limit < 1 or limit > 1000 then
    return fail(400, "limit: Input should be between 1 and 1000")
  end
  local cursor = query.after_id or query.before_id
  local start = cursor and store.get(KIND, cursor)
  if cursor and not start then
    return fail(400, "No such message batch: " .. cursor)
  end
  local data, more, back = json.array(), false, query.before_id ~= nil
  for job in store.each(KIND, start, back) do
    if #data == limit then
      more = true
      break
    end
    table.insert(data, back and 1 or #data + 1, render(jobs.advance(job)))
  end
  return { status = 200, json = { data = data, has_more = more, first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null } }
end


M.services = { {
  name = "anthropic",
  prefix = "/anthropic/v1",
  routes = {
    { "POST", "/messages", messages, "create_message" },
    { "POST", "/messages/batches", create, "create_batch" },
    { "GET", "/messages/batches", list, "list_batches" },
    { "GET", "/messages/batches/{id}", retrieve, "retrieve_batch" },
    { "POST", "/messages/batches/{id}/cancel", cancel, "cancel_batch" },
    { "DELETE", "/messages/batches/{id}", delete, "delete_batch" },
    { "GET", "/messages/batches/{id}/results", results, "retrieve_batch_results" },
  },
  authenticate = authenticate,
  fail = fail,
  finish = finish,
  no_route = function(_, wrong_method)
    return fail(wrong_method and 405 or 404, "Not Found")
  end,
} }

return M
