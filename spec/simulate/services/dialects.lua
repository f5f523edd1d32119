--- How the services that make batches of files differ: what their answers look like, and a little of what
--- they do. Paths are OpenAI's; a dialect may have others, which become these.

local M = {}


local function quoted(text)
  return text and ('"%s"'):format(text) or "null"
end


local function openai_error(code, message)
  return ('{"error":{"message":"%s","type":"invalid_request_error","code":"%s"}}'):format(message, code)
end


local function openai_file(file, status)
  return ('{"id":"%s","object":"file","bytes":%d,"purpose":"%s","status":"%s","created_at":%d}'):format(
    file.id, #file.content, file.purpose, status, math.floor(file.at))
end


local function openai_batch(batch, named)
  local reasons = {}
  for i, reason in ipairs(batch.reasons or {}) do
    reasons[i] = ('{"code":"%s","message":"%s","line":%s}'):format(reason.code, reason.message, reason.line or "null")
  end
  return ('{"id":"%s","object":"batch","status":"%s","input_file_id":"%s","output_file_id":%s,"error_file_id":%s,'
    .. '"created_at":%d,"errors":%s,"request_counts":{"total":%d,"completed":%d,"failed":%d},"metadata":%s}'):format(
    batch.id, batch.state, batch.file, quoted(named and batch.output), quoted(named and batch.errors), batch.created,
    batch.reasons and '{"object":"list","data":[' .. table.concat(reasons, ",") .. "]}" or "null",
    batch.runs and #batch.requests or 0, batch.completed, batch.failed, batch.metadata)
end


--- A page by cursor, the newest first: its items, whether there are more, the last one's id.
local function openai_page(service, query)
  local now, size, from = service.world.clock.time, tonumber(query.limit) or 20, #service.batches
  size = math.min(size, service.world.plan.page_size)
  if query.after then
    local last = service.by_id[query.after]
    if not last then
      return nil
    end
    from = last.number - 1
  end
  local items, last_number = {}, from + 1
  while from >= 1 and #items < size do
    local batch = service.batches[from]
    last_number = from
    if batch.listed_at <= now and not batch.gone then
      items[#items + 1] = service:describe(batch)
    end
    from = from - 1
  end
  return ('{"object":"list","data":[%s],"has_more":%s,"last_id":%s}'):format(table.concat(items, ","),
    tostring(from >= 1), from >= 1 and quoted(("batch_%d"):format(last_number)) or "null")
end


M.openai = {
  form = "openai", error = openai_error, file = openai_file, batch = openai_batch, page = openai_page,
  empty = '{"object":"list","data":[],"has_more":true,"first_id":null,"last_id":null}',
  input = function(given) return given.input_file_id end,
}


--- Azure: a file is looked through before a batch is made of it.
M.azure = setmetatable({ checks_files = true }, { __index = M.openai })


local mistral_states = {
  validating = "QUEUED", in_progress = "RUNNING", completed = "SUCCESS", expired = "TIMEOUT_EXCEEDED",
  cancelled = "CANCELLED", failed = "FAILED",
}


local function mistral_batch(batch, named)
  local reasons = {}
  for i, reason in ipairs(batch.reasons or {}) do
    reasons[i] = ('{"message":"%s","count":1}'):format(reason.message)
  end
  return ('{"id":"%s","object":"batch","status":"%s","input_files":["%s"],"output_file":%s,"error_file":%s,'
    .. '"created_at":%d,"errors":[%s],"total_requests":%d,"completed_requests":%d,"succeeded_requests":%d,'
    .. '"failed_requests":%d,"metadata":%s}'):format(
    batch.id, batch.cancelling and not batch.ended and "CANCELLATION_REQUESTED" or mistral_states[batch.state], batch.file,
    quoted(named and batch.output), quoted(named and batch.errors), batch.created, table.concat(reasons, ","),
    #batch.requests, batch.completed + batch.failed, batch.completed, batch.failed, batch.metadata)
end


--- A page by its number, the newest first; what is gone stays in the list.
local function mistral_page(service, query)
  local since = query.created_after
  local number, size = tonumber(query.page) or 0, tonumber(query.page_size) or 100
  local items, total = {}, 0
  for i = #service.batches, 1, -1 do
    local batch = service.batches[i]
    local fits = batch.listed_at <= service.world.clock.time
      and not (since and os.date("!%Y-%m-%dT%H:%M:%SZ", batch.created) < since)
    if fits then
      total = total + 1
      if total > number * size and #items < size then
        items[#items + 1] = service:describe(batch)
      end
    end
  end
  return ('{"object":"list","data":[%s],"total":%d}'):format(table.concat(items, ","), total)
end


M.mistral = {
  form = "mistral", takes_new_files = true, batch = mistral_batch, page = mistral_page,
  empty = '{"object":"list","data":[],"total":1000}',
  error = function(code, message)
    return ('{"object":"error","message":"%s","type":"invalid_request_error","param":null,"code":"%s"}'):format(message,
      code)
  end,
  file = function(file)
    return ('{"id":"%s","object":"file","size_bytes":%d,"purpose":"batch","source":"upload","created_at":%d}'):format(
      file.id, #file.content, math.floor(file.at))
  end,
  input = function(given) return given.input_files[1] end,
  path = function(path) return (path:gsub("^/v1", ""):gsub("^/batch/jobs", "/batches")) end,
}


return M
