-- OpenAI Batches: the endpoints. What moves a batch along is in openai_lifecycle.lua.
local answers = require("openai_answers")
local body = require("body")
local clock = require("clock")
local engine = require("engine")
local fail = require("openai_error")
local files = require("openai_files")
local json = require("json")
local lifecycle = require("openai_lifecycle")
local results = require("openai_results")
local settings = require("settings")
local store = require("store")
local totals = require("totals")

local M = {}
local WINDOW, HOUR = 86400, 3600


local function render(batch)
  local answer = {}
  for _, name in ipairs(lifecycle.fields) do
    local value = batch[name]
    answer[name] = value == nil and json.null or value
  end
  answer.created_at = math.floor(batch.created_at)
  for name, value in pairs(answer) do
    if name:find("_at$") and type(value) == "number" then
      answer[name] = math.floor(value)
    end
  end
  if not lifecycle.is_named(batch, clock.now()) then
    answer.output_file_id, answer.error_file_id = json.null, json.null
  end
  answer.request_counts = lifecycle.counts(batch, clock.now())
  if type(answer.errors) == "table" then
    json.array(answer.errors.data)
  end
  answer.usage = batch.usage
  answer.model = batch.model
  return answer
end


local function length(text) -- characters, not bytes
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end


-- The metadata rules, which only the reference's prose has.
local function check_metadata(metadata)
  if type(metadata) ~= "table" or #metadata > 0 then
    return fail(400, "Invalid type for 'metadata': expected an object, but got something else.", "invalid_type",
      "metadata")
  end
  local count = 0
  for key, value in pairs(metadata) do
    count = count + 1
    local name = "metadata." .. key
    if length(key) > 64 then
      return fail(400, "Invalid 'metadata': key too long. Expected a key with maximum length 64.",
        "string_above_max_length",
        "metadata")
    elseif type(value) ~= "string" then
      return fail(400, "Invalid type for '" .. name .. "': expected a string, but got a " .. type(value) .. " instead.",
        "invalid_type", name)
    elseif length(value) > 512 then
      return fail(400, "Invalid '" .. name
        .. "': string too long. Expected a string with maximum length 512, but got a "
        .. "string with length " .. length(value) .. " instead.", "string_above_max_length", name)
    end
  end
  if count > 16 then
    return fail(400, "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but "
      .. "got an object with " .. count .. " properties instead.", "object_above_max_properties", "metadata")
  end
end


local function check_endpoint(wish)
  if answers.endpoints[wish.endpoint] or answers.endpoints["/v1" .. wish.endpoint] then
    return nil
  end
  local known = {}
  for endpoint in pairs(answers.endpoints) do
    known[#known + 1] = "'" .. endpoint .. "'"
  end
  table.sort(known)
  return fail(400, "Invalid value: '" .. wish.endpoint .. "'. Supported values are: " .. table.concat(known, ", ")
    .. ".",
    "invalid_value", "endpoint")
end


local function check_window(wish, service)
  local count, unit = wish.completion_window:match("^(%d+)([hd])$")
  if wish.completion_window == "24h" or count and service.name ~= "openai" then
    return nil, tonumber(count) * (unit == "d" and WINDOW or 3600)
  end
  return fail(400, "Invalid value: '" .. wish.completion_window .. "'. Supported values are: '24h'.", "invalid_value",
    "completion_window")
end


-- The input file, or the refusal.
local function check_file(id)
  local file = files.find(id)
  local visible = file and clock.now() >= file.created + settings.get().file_visibility_delay
  if not visible then
    if not file and settings.get().missing_file == "fail_later" then
      return { id = id, missing = true }
    end
    return nil, fail(400, "Cannot find file " .. id
      .. ". Please check that the file exists and that it belongs to your "
      .. "organization.", nil, "file_id")
  elseif files.is_pending(file) then
    return nil, fail(400, "The file " .. id .. " is not processed yet: its status is 'pending'.", "invalid_file_state",
      "input_file_id")
  elseif file.purpose ~= "batch" then
    return nil, fail(400, "Invalid file purpose: '" .. file.purpose
      .. "'. The file must be uploaded with purpose 'batch'.",
      "invalid_file_purpose", "input_file_id")
  end
  return file
end


-- Reads and checks a create request: the wish, its file, seconds of the window, seconds the output lives; or nil,
-- refusal.
local function read_wish(request)
  request.body = body.read()
  local wish = body.json(request.body)
  if not wish then
    return nil, fail(400, "We could not parse the JSON body of your request.")
  end
  for _, name in ipairs { "input_file_id", "endpoint", "completion_window" } do
    local value = json.given(wish[name])
    if value == nil then
      return nil, fail(400, "Missing required parameter: '" .. name .. "'.", "missing_required_parameter", name)
    elseif type(value) ~= "string" then
      return nil, fail(400, "Invalid type for '" .. name .. "': expected a string.", "invalid_type", name)
    end
  end
  local metadata, expires = json.given(wish.metadata), json.given(wish.output_expires_after)
  local refusal = check_endpoint(wish) or metadata and check_metadata(metadata)
  local window, life
  if not refusal then
    refusal, window = check_window(wish, request.service)
  end
  if not refusal and expires then
    life, refusal = files.expiry(expires.anchor, expires.seconds, "output_expires_after")
  end
  if refusal then
    return nil, refusal
  end
  local file, why = check_file(wish.input_file_id)
  return file and wish, file or why, window, life
end


-- Counts a creation into the hour; the refusal when there were too many.
local function over_the_hour()
  local now, limit = clock.now(), settings.get().max_batches_per_hour
  local hour = math.floor(now / HOUR)
  if ngx.shared.state:incr("batches:hour:" .. hour, 1, 0) > limit then
    local refusal = fail(429, "Rate limit reached for batch creations: Limit " .. limit .. " per hour.",
      "rate_limit_exceeded", nil, "requests")
    refusal.headers = { ["Retry-After"] = math.ceil((hour + 1) * HOUR - now) }
    return refusal
  end
end


function M.create(request)
  local wish, file, window, life = read_wish(request)
  local refusal = not wish and file or over_the_hour()
  if refusal then
    return refusal
  end
  local now = clock.now()
  local metadata = json.given(wish.metadata)
  local batch = {
    id = store.new_id("batch_", "batch"), object = "batch", endpoint = wish.endpoint,
      input_file_id = wish.input_file_id,
    completion_window = wish.completion_window, status = "validating", created_at = now, expires_at = now + window,
    metadata = metadata or nil, output_life = life, order = results.asked(request),
    wishes = lifecycle.wishes(metadata), file_missing = file.missing,
  }
  store.put("batch", batch)
  totals.count("batches", "all")
  if metadata and metadata.batchapi_part then
    totals.count("parts", metadata.batchapi_part)
  end
  engine.watch("openai", batch.id)
  return { status = 200, json = render(batch) }
end


local function find(request)
  local id = request.params.batch_id
  local batch = store.get("batch", id)
  if not batch then
    return nil, fail(404, "No batch found with id '" .. id .. "'.", nil, "batch_id")
  end
  return lifecycle.advance(batch)
end


function M.retrieve(request)
  local batch, refusal = find(request)
  return batch and { status = 200, json = render(batch) } or refusal
end


function M.cancel(request)
  request.body = body.read()
  local batch, refusal = find(request)
  if not batch then
    return refusal
  end
  if not lifecycle.cancel(batch) then
    return fail(409, "Cannot cancel a batch with status '" .. batch.status .. "'.", "batch_not_cancellable")
  end
  return { status = 200, json = render(batch) }
end


function M.list(_)
  local limit, after = files.page("batch", 100, 20)
  if not limit then
    return after
  end
  local newest = clock.now() - settings.get().batch_visibility_delay
  return files.list_page("batch", limit, after, false, function(batch)
    return batch.created_at <= newest
  end, function(batch)
    return render(lifecycle.advance(batch))
  end)
end


return M
