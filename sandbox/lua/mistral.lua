-- Mistral: files and batch jobs, from files or with the requests inline.
local answers = require("openai_answers")
local body = require("body")
local boot = require("boot")
local clock = require("clock")
local disk = require("disk")
local files = require("openai_files")
local jobs = require("line_jobs")
local json = require("json")
local lifecycle = require("openai_lifecycle")
local magic = require("magic")
local results_of = require("openai_results")
local settings = require("settings")
local store = require("store")

local M = {}
local KEY = "sandbox-mistral-key"
local KIND = "mistral"
local MAX_REQUESTS = 1000000
local STATUS = { completed = "SUCCESS", expired = "TIMEOUT_EXCEEDED", cancelled = "CANCELLED" }


local function fail(status, message, code)
  return { status = status, json = { object = "error", message = message, type = status == 401 and "unauthorized"
    or status >= 500 and "internal_server_error" or "invalid_request_error", param = json.null, code = code
      or json.null } }
end


local function authenticate(request)
  local token = tostring(request.headers["authorization"] or ""):match("^[Bb]earer (.+)$")
  return token ~= KEY and fail(401, "Unauthorized") or nil
end


local function finish(request, response)
  response.headers = response.headers or {}
  response.headers["Date"] = ngx.http_time(clock.now())
  response.headers["mistral-correlation-id"] = request.id
  local fault = response.json and response.json.error
  if type(fault) == "table" then -- from the code shared with OpenAI
    response.json = fail(response.status, fault.message, json.given(fault.code)).json
  end
end


local function render_file(file)
  return { id = file.id, object = "file", bytes = file.bytes, size_bytes = file.bytes,
    created_at = math.floor(file.created),
    filename = file.filename, purpose = "batch", sample_type = file.purpose == "batch" and "batch_request"
      or "batch_result",
    source = file.purpose == "batch" and "upload" or "mistral", num_lines = json.null, mimetype = "application/jsonl",
    signature = json.null, deleted = false }
end


local function create_file(request)
  local answer = files.create(request)
  if answer.status == 200 then
    answer.json = render_file(store.get("file", answer.json.id))
  end
  return answer
end


local function retrieve_file(request)
  local file = files.find(request.params.file_id)
  return file and { status = 200, json = render_file(file) } or fail(404, "No file matches the given query.")
end


-- A page by number: { data, total }.
local function page(kind, accept, render)
  local query = ngx.req.get_uri_args()
  local number, size = tonumber(query.page or 0), tonumber(query.page_size or 100)
  if not number or not size or number < 0 or size < 1 then
    return fail(422, "page and page_size must be integers, from 0 and from 1")
  end
  local data, total = json.array(), 0
  for record in store.each(kind) do
    if accept(record, query) then
      total = total + 1
      if total > number * size and #data < size then
        data[#data + 1] = render(record)
      end
    end
  end
  return { status = 200, json = { object = "list", data = data, total = total } }
end


local function list_files(_)
  return page("file", function(file, query)
    return (not query.purpose or query.purpose == "batch") and files.find(file.id)
  end, render_file)
end


local function status_of(job)
  if job.phase == "ended" then
    return job.refused and "FAILED" or STATUS[job.cause]
  end
  return job.phase == "queued" and "QUEUED" or job.phase == "running" and "RUNNING" or "CANCELLATION_REQUESTED"
end


-- Inline jobs give back their results in the job itself.
local function outputs_of(job)
  local list = json.array()
  for _, range in ipairs(job.outputs) do
    for text in disk.lines(range) do
      list[#list + 1] = json.raw(text)
    end
  end
  return list
end


-- The results of a job of files, for who asks for them inline.
local function lines_of_files(job)
  local ranges = {}
  for _, id in ipairs { job.output_file or false, job.error_file or false } do
    local file = id and files.find(id)
    ranges[#ranges + 1] = file and file.range or nil
  end
  return outputs_of { outputs = ranges }
end


local function render(job)
  local counts = job.counts or { succeeded = 0, failed = 0 }
  local named = not job.ended or clock.now() >= job.ended + (tonumber(job.wishes.unnamed) or 0)
  return {
    id = job.id, object = "batch", input_files = json.array(job.input_files), metadata = json.given(job.metadata)
      or json.null,
    endpoint = job.endpoint, model = job.model or json.null, agent_id = json.null, output_file = named and job.output_file
      or json.null,
    error_file = named and job.error_file or json.null, errors = json.array(job.errors), outputs = job.outputs
      and outputs_of(job) or json.null,
    status = status_of(job), created_at = math.floor(job.created), started_at = job.started and math.floor(job.started)
      or json.null,
    completed_at = job.ended and math.floor(job.ended) or json.null, total_requests = job.total,
    completed_requests = counts.succeeded + counts.failed, succeeded_requests = counts.succeeded,
      failed_requests = counts.failed,
  }
end


-- Reads lines and notes what is wrong with them.
local function check(range)
  local total, unending, faults, seen = 0, false, {}, {}
  for text, number in disk.lines(range) do
    local request = json.decode(text)
    local fault
    if type(request) ~= "table" or type(request.body) ~= "table" then
      fault = "line " .. number .. ": not a request with a body"
    elseif type(request.custom_id) == "string" and seen[request.custom_id] then
      fault = "line " .. number .. ": custom_id " .. request.custom_id .. " is not unique"
    end
    total = number
    if fault then
      faults[#faults + 1] = { message = fault, count = 1 }
    else
      seen[request.custom_id or number] = true
      unending = unending or magic.of(request.body).never
    end
  end
  return total, unending, faults
end


-- The lines of a job: of its files, or of the requests in the body. Nil and the refusal when there are none.
local function range_of(wish)
  local inline = json.given(wish.requests)
  if inline then
    return jobs.save(inline)
  end
  local ranges = {}
  for i, id in ipairs(json.given(wish.input_files) or {}) do
    local file = files.find(tostring(id))
    if not file then
      return nil, fail(404, "Input file " .. tostring(id) .. " was not found")
    end
    ranges[i] = file.range
  end
  if #ranges == 0 then
    return nil, fail(422, "input_files or requests: Field required")
  elseif #ranges == 1 then
    return ranges[1]
  end
  local path = boot.directory .. "/files/lines-" .. store.serial("lines")
  disk.copy(ranges, path)
  return { path = path, offset = 0, length = disk.size(path) }
end


local function create(request)
  request.body = body.read()
  local wish = body.json(request.body)
  if not wish then
    return fail(422, "the body is not valid JSON")
  elseif type(wish.endpoint) ~= "string" or not answers.endpoints[wish.endpoint] then
    return fail(422, "endpoint: Field required, one of the batch endpoints")
  end
  local range, refusal = range_of(wish)
  if not range then
    return refusal
  end
  local total, unending, faults = check(range)
  if total > MAX_REQUESTS then
    return fail(422, "at most " .. MAX_REQUESTS .. " requests")
  end
  local id = store.new_id("", KIND)
  local job = jobs.start(KIND, {
    id = id:sub(1, 8) .. "-" .. id:sub(9, 12) .. "-4000-8000-" .. id:sub(13, 24), total = total, range = range,
      unending = unending,
    endpoint = wish.endpoint, model = json.given(wish.model), input_files = json.given(wish.input_files) or {},
    metadata = json.given(wish.metadata), wishes = lifecycle.wishes(json.given(wish.metadata)),
      inline = json.given(wish.requests) ~= nil,
    window = (json.given(wish.timeout_hours) or 24) * 3600, errors = faults, refused = #faults > 0 or nil,
    order = results_of.asked(request),
  })
  return { status = 200, json = render(job) }
end


local function file_of(job, writer, name)
  return writer.lines > 0 and files.add { purpose = "batch_output", filename = job.id .. "_" .. name .. ".jsonl",
    range = { path = writer.path, offset = 0, length = writer.bytes } }.id or nil
end


jobs.define(KIND, {
  files = { "output", "error" },
  line = function(job, request, reason, outcome, raw)
    outcome.counts = outcome.counts or { succeeded = 0, failed = 0 }
    if reason or job.refused then
      return
    end
    request.body.model = request.body.model or job.model
    local status, text = answers.reply(job.endpoint, request.body, raw)
    local good = status == 200
    local count = good and "succeeded" or "failed"
    outcome.counts[count] = outcome.counts[count] + 1
    outcome.files[good and "output" or "error"]:answer(request.custom_id or "", status, text)
  end,
  ended = function(job, outcome)
    job.counts = outcome.counts
    if job.inline then
      job.outputs = {}
      for i, name in ipairs { "output", "error" } do
        local writer = outcome.files[name]
        job.outputs[i] = { path = writer.path, offset = 0, length = writer.bytes }
      end
    else
      job.output_file = file_of(job, outcome.files.output, "output")
      job.error_file = file_of(job, outcome.files.error, "error")
    end
  end,
})


local function find(request)
  local job = store.get(KIND, request.params.id)
  if not job then
    return nil, fail(404, "Batch job " .. request.params.id .. " was not found")
  end
  return jobs.advance(job)
end


local function retrieve(request)
  local job, refusal = find(request)
  if not job then
    return refusal
  end
  local answer = render(job)
  if ngx.req.get_uri_args().inline == "true" and job.ended and not job.outputs then
    answer.outputs = lines_of_files(job)
  end
  return { status = 200, json = answer }
end


local function delete(request)
  local job, refusal = find(request)
  if not job then
    return refusal
  end
  store.delete(KIND, job)
  return { status = 200, json = { id = job.id, object = "batch", deleted = true } }
end


local function cancel(request)
  request.body = body.read()
  local job, refusal = find(request)
  if not job then
    return refusal
  elseif not jobs.cancel(job) then
    return fail(409, "Batch job " .. job.id .. " has ended")
  end
  return { status = 200, json = render(job) }
end


-- Was a job created after a date and time (YYYY-MM-DDTHH:MM:SSZ)?
local function is_after(job, date)
  return type(date) ~= "string" or os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(job.created)) > date
end


local function list(_)
  return page(KIND, function(job, query)
    local wanted = query.status
    wanted = type(wanted) == "string" and { wanted } or wanted
    local fits = not wanted
    for _, status in ipairs(wanted or {}) do
      fits = fits or status == status_of(jobs.advance(job))
    end
    return fits and (not query.model or query.model == job.model) and is_after(job, query.created_after)
      and job.created <= clock.now() - settings.get().batch_visibility_delay
  end, render)
end


M.services = { {
  name = "mistral",
  prefix = "/mistral/v1",
  routes = {
    { "POST", "/files", create_file, "create_file" },
    { "GET", "/files", list_files, "list_files" },
    { "GET", "/files/{file_id}", retrieve_file, "retrieve_file" },
    { "DELETE", "/files/{file_id}", files.delete, "delete_file" },
    { "GET", "/files/{file_id}/content", files.content, "download_file" },
    { "POST", "/batch/jobs", create, "create_job" },
    { "GET", "/batch/jobs", list, "list_jobs" },
    { "GET", "/batch/jobs/{id}", retrieve, "retrieve_job" },
    { "DELETE", "/batch/jobs/{id}", delete, "delete_job" },
    { "POST", "/batch/jobs/{id}/cancel", cancel, "cancel_job" },
    { "POST", "/chat/completions", answers.direct("/v1/chat/completions"), "chat_completions" },
  },
  authenticate = authenticate,
  fail = fail,
  finish = finish,
  no_route = function(_, wrong_method)
    return fail(wrong_method and 405 or 404, "Not found")
  end,
} }

return M
