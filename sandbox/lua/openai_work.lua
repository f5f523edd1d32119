-- The long work of a batch: checking its request file line by line, and writing the output and error files.
local answers = require("openai_answers")
local boot = require("boot")
local disk = require("disk")
local files = require("openai_files")
local json = require("json")
local magic = require("magic")
local pacer = require("pacer")
local results = require("openai_results")
local settings = require("settings")
local store = require("store")

local M = {}
local MAX_ERRORS = 100
local MAX_LINE = 64 * 1024 * 1024


local function problem(code, message, line, param)
  return { code = code, message = message, line = line or json.null, param = param or json.null }
end


local REQUIRED = { { "custom_id", "string" }, { "method", "string" }, { "url", "string" }, { "body", "table" } }


local function check_fields(request, number)
  for _, rule in ipairs(REQUIRED) do
    local name, kind = rule[1], rule[2]
    local value = json.given(request[name])
    if value == nil or value == "" then
      return problem("missing_required_parameter", "Missing required parameter: '" .. name .. "'.", number, name)
    elseif type(value) ~= kind then
      return problem("invalid_type", "Invalid type for '" .. name .. "'.", number, name)
    end
  end
end


-- What is wrong with one decoded line, given what the lines before it had.
local function check_request(request, number, seen, batch)
  local fault = check_fields(request, number)
  if fault then
    return fault
  elseif seen.ids[request.custom_id] then
    return problem("duplicate_custom_id", "The custom_id '" .. request.custom_id
      .. "' for this request is a duplicate of "
      .. "another request. The custom_id parameter must be unique for each request in a batch.", number, "custom_id")
  end
  seen.ids[request.custom_id] = true
  if request.method ~= "POST" then
    return problem("invalid_method", "The method '" .. request.method .. "' is not supported. It must be 'POST'.",
      number,
      "method")
  elseif request.url ~= batch.endpoint then
    return problem("url_mismatch", "The URL provided for this request does not match the batch endpoint '"
      .. batch.endpoint
      .. "'.", number, "url")
  elseif request.body.stream == true then
    return problem("invalid_request", "Streaming is not supported in batch requests.", number, "body.stream")
  end
  local model = request.body.model
  if type(model) == "string" and not magic.is_model(model) then
    if model:find("^no%-such%-") then
      return problem("model_not_found", "The provided model '" .. model .. "' is not supported by the Batch API.",
        number,
        "body.model")
    end
    seen.model = seen.model or model
    if model ~= seen.model then
      return problem("model_mismatch", "The model '" .. model .. "' does not match the model '" .. seen.model
        .. "' of the requests before it. All requests of a batch must use the same model.", number, "body.model")
    end
  end
end


local function count_request(request, batch, seen)
  local wish = magic.of(request.body)
  seen.failing = seen.failing + (wish.status and 1 or 0)
  seen.unending = seen.unending or wish.never
  local input = request.body.input
  if batch.endpoint == "/v1/embeddings" and type(input) == "table" and type(input[1]) ~= "number" then
    seen.inputs = seen.inputs + #input
  else
    seen.inputs = seen.inputs + 1
  end
end


-- Faults of the file as a whole, once its lines are read.
local function check_whole(seen, file, limits)
  if seen.lines == 0 then
    return problem("empty_file", "The input file is empty. Please ensure that the batch contains at least one request.")
  elseif file.bytes > limits.max_batch_bytes then
    return problem("file_too_large", "The input file has " .. file.bytes .. " bytes; the maximum is "
      .. limits.max_batch_bytes .. ".")
  elseif seen.lines > limits.max_batch_lines or seen.inputs > limits.max_batch_lines then
    return problem("too_many_tasks", "The batch has " .. math.max(seen.lines, seen.inputs)
      .. " requests; the maximum is "
      .. limits.max_batch_lines .. ".")
  end
end


-- Prompt tokens of the batches that are still running, this one included.
local function enqueued(batch, tokens)
  local sum = tokens
  for other in store.each("batch") do
    local active = other.status == "in_progress" or other.status == "finalizing"
    if active and other.id ~= batch.id then
      sum = sum + (other.enqueued_tokens or 0)
    end
  end
  return sum
end


local function check_tokens(batch, tokens)
  local limit = tonumber(batch.wishes.token_limit) or settings.get().enqueued_token_limit
  if batch.wishes.token_limit == true or limit > 0 and enqueued(batch, tokens) > limit then
    return problem("token_limit_exceeded", "Enqueued token limit reached for the model in this organization. Limit: "
      .. limit
      .. " enqueued tokens. Please try again once some in_progress batches have been completed.")
  end
end


local function read_lines(batch, file, seen, faults)
  local pace = pacer()
  for line, number in disk.lines(file.range) do
    local request, why
    if #line > MAX_LINE then
      why = "the line is too long"
    else
      request, why = json.decode(line)
    end
    local fault
    if type(request) ~= "table" then
      fault = problem("invalid_json_line", "This line is not parseable as valid JSON. " .. tostring(why or ""), number)
    else
      fault = check_request(request, number, seen, batch)
    end
    seen.lines = number
    if fault then
      faults[#faults + 1] = fault
      if #faults >= MAX_ERRORS then
        return
      end
    else
      count_request(request, batch, seen)
    end
    pace()
  end
end


-- Checks a request file. Gives the batch's new fields: total, failing, unending, model, and errors when it is refused.
function M.check(batch, file)
  local seen = { ids = {}, lines = 0, failing = 0, inputs = 0 }
  local faults = json.array()
  if not file then
    faults[1] = problem("invalid_request", "The input file '" .. batch.input_file_id .. "' was not found.")
  elseif batch.wishes.fail then
    faults[1] = problem(tostring(batch.wishes.fail), "The batch asked to fail with this code.")
  else
    read_lines(batch, file, seen, faults)
    local whole = check_whole(seen, file, settings.get())
    if whole then
      faults = json.array { whole }
    end
    faults[1] = faults[1] or check_tokens(batch, math.ceil(file.bytes / 4))
  end
  local found = { total = seen.lines, failing = seen.failing, unending = seen.unending, model = seen.model,
    enqueued_tokens = file and math.ceil(file.bytes / 4) or 0 }
  if #faults > 0 then
    found.errors = { object = "list", data = faults }
  end
  return found
end


local NEVER_RAN = {
  expired = { "batch_expired", "This request could not be executed before the completion window expired." },
  cancelled = { "batch_cancelled", "This request was not executed because the batch was cancelled." },
}


local function add_file(batch, writer, kind)
  if writer.lines == 0 then
    return nil
  end
  return files.add { purpose = "batch_output", filename = batch.id .. "_" .. kind .. ".jsonl",
    expires_after = batch.output_life, range = { path = writer.path, offset = 0, length = writer.bytes } }.id
end


-- An error file id where no line failed: the services differ.
local function no_errors(batch, path)
  local way = batch.wishes.empty_error_file or settings.get().empty_error_file
  if way == "empty_string" then
    return ""
  elseif way == "empty_file" then
    return files.add { purpose = "batch_output", filename = batch.id .. "_error.jsonl",
      range = { path = path, offset = 0, length = 0 } }.id
  end
end


-- Runs one line: its answer goes to the output or the error file.
local function run_line(batch, request, line, outcome, reason)
  local endpoint = answers.endpoints[batch.endpoint] and batch.endpoint or "/v1" .. batch.endpoint
  if reason then
    if reason == "expired" or settings.get().cancelled_lines == "report" then
      outcome.error:never_ran(request.custom_id, NEVER_RAN[reason][1], NEVER_RAN[reason][2])
    end
    return
  end
  local status, text, usage = answers.reply(endpoint, request.body, line, batch.id .. request.custom_id)
  if status == 200 then
    outcome.completed = outcome.completed + 1
    outcome.input_tokens = outcome.input_tokens + usage[1]
    outcome.output_tokens = outcome.output_tokens + usage[2]
    outcome.output:answer(request.custom_id, status, text)
  else
    outcome.failed = outcome.failed + 1
    outcome.error:answer(request.custom_id, status, text)
  end
end


-- The service's own copy of the input: what runs goes on when the file is deleted.
function M.keep_input(batch, file)
  local path = boot.directory .. "/files/" .. batch.id .. "-input"
  disk.link(file.range.path, path)
  return { path = path, offset = file.range.offset, length = file.range.length }
end


-- Writes the result files for the first `count` lines; the others ended for `reason`, or (nil) there are none.
-- Gives the batch's new fields.
function M.results(batch, count, reason)
  local prefix = boot.directory .. "/files/" .. batch.id
  local how = results.plan(batch)
  local outcome = { completed = 0, failed = 0, input_tokens = 0, output_tokens = 0,
    output = results.writer(prefix .. "-output", batch, how), error = results.writer(prefix .. "-error", batch, how) }
  local pace = pacer()
  if batch.input then
    for line, number in disk.lines(batch.input) do
      local request = json.decode(line)
      local unfinished = number > count or magic.of(request.body).never
      run_line(batch, request, line, outcome, unfinished and (reason or "expired") or nil)
      pace()
    end
  end
  outcome.output:close()
  outcome.error:close()
  local input_tokens, output_tokens = outcome.input_tokens, outcome.output_tokens
  return {
    output_file_id = add_file(batch, outcome.output, "output"),
    error_file_id = add_file(batch, outcome.error, "error") or no_errors(batch, outcome.error.path),
    counts = { total = batch.total, completed = outcome.completed, failed = outcome.failed },
    usage = { input_tokens = input_tokens, input_tokens_details = { cached_tokens = 0 }, output_tokens = output_tokens,
      output_tokens_details = { reasoning_tokens = 0 }, total_tokens = input_tokens + output_tokens },
  }
end


return M
