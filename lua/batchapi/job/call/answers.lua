--- Answers of calls (families "envelope" and "each") become results.

local core = require("batchapi.core")
local groups = require("batchapi.job.call.groups")
local paths = require("batchapi.util.path")
local persist = require("batchapi.watch.retry")
local record_file = require("batchapi.job.store.record_file")
local requests_of = require("batchapi.job.input.request")
local template = require("batchapi.definition.template")
local unclaimed = require("batchapi.job.store.unclaimed")
local trouble = require("batchapi.watch.patience")
local watch = require("batchapi.job.batch.watch")
local marks = require("batchapi.job.store.marks")

local M = {}

local REPEAT_PAUSE = 1 -- seconds before single requests are repeated, unless the service says how many
local MOST_PAGES = 10000


--- The id of a request: its own, or one made of its number.
function M.custom_id(job, request, index)
  local field = (job.run.request or {}).id
  local id = field and type(request) == "table" and request[field]
  return type(id) == "string" and id or requests_of.made_id(index)
end


--- Gives the items of a call that was read from the journal their requests' ids.
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.name_items(job, call)
  if not (job.run.request or {}).id then
    for _, item in ipairs(call.items) do
      item.custom_id = requests_of.made_id(item.index)
    end
    return true
  end
  local by_index, last = {}, 0
  for _, item in ipairs(call.items) do
    by_index[item.index], last = item, math.max(last, item.index)
  end
  local reader, why, err = job.files:reader("requests.jsonl", record_file.any_length)
  if not reader then
    return nil, why, err
  end
  for index = 1, last do
    local request = job.files:json(reader)
    if by_index[index] then
      by_index[index].custom_id = M.custom_id(job, request, index)
    end
    job:breathe()
  end
  job.files:close(reader)
  return true
end


--- Gives every request of a call the same failed result.
---@param status integer|nil
---@param body any
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.settle_all(job, call, code, message, status, body)
  for _, item in ipairs(call.items) do
    if not job.store:has(item.index) then -- else it was taken before a failure
      local ok, why, err = job.store:append{
        custom_id = item.custom_id, index = item.index, ok = false, status = status, body = body,
        error = { code = code, message = message },
      }
      if not ok then
        return nil, why, err
      end
    end
  end
  return true
end


--- Closes the call's intent. Its results, if all its requests have one, say as much.
function M.close(job, call, repeated)
  local ok, why, err = job.store:sync()
  if not ok then
    return nil, why, err
  elseif not call.number then
    return true
  end
  local owed = call.uncollected
  return job:record({ type = "answered", call = call.number, uncollected = owed }, repeated == 0 and not owed)
end


-- ---- answers ------------------------------------------------------------------------------------

--- In how many passes calls are made: requests that are sent again (job/retry.lua) begin with the second.
local function most_passes(job)
  local retried = job.state.retried
  return retried and retried.attempts + 1 or job.options.attempts
end


--- May this request be repeated after this answer? A write that may have run only where the user
--- says so; one that did not run because what it depends on failed, with that, unless some of that
--- failed for good.
local function may_repeat(job, item, result)
  if not job.pass or job.pass.attempt >= most_passes(job) or job.state.cancelled then
    return false
  end
  local standing = groups.standing(job, item, {})
  if standing == "failed" then
    return false
  end
  return standing == "waits" and groups.held_back(job.run, result)
    or job.outcome:retryable(result) and (item.safe or job.options.repeat_writes or result.status == 429)
end


--- Takes a result; `pause` is how long the service asks to wait before a repeat.
local function take(job, item, result, pause, answer)
  if may_repeat(job, item, result) then
    job.pass.pause = math.max(job.pass.pause or 0, pause or REPEAT_PAUSE)
    job.ledger:set(item.index, marks.waiting(job.pass.attempt + 1))
    return 1
  end
  result.custom_id, result.index = item.custom_id, item.index
  local ok, why, err = job.store:append(result, answer)
  if not ok then
    return nil, why, err
  end
  return 0
end


--- The further pages of one answer, put together with it.
local function follow(job, item, answer)
  local words = job.run.pages
  local cursor, pages = paths.get(answer, words.next), 1
  if cursor == nil or cursor == core.null then
    return answer
  end
  local items = paths.get(answer, words.items)
  while cursor ~= nil and cursor ~= core.null do
    if pages >= MOST_PAGES or type(items) ~= "table" then
      return nil, "the pages of one request do not end", { kind = "decode", sent = true }
    end
    local request = template.put(item.request, words.put, cursor)
    local known = job:known(nil)
    known.requests = setmetatable({ request }, core.array_mt)
    known.request = request
    local page, why, err = job:call(job.run.create, known)
    local inner = page and (job.run.items and (paths.get(page, job.run.items) or {})[1] or page)
    if not inner then
      return nil, why, err
    end
    local result = job.outcome:read(inner)
    if not result.ok then
      return inner -- says itself why the rest is not here
    end
    for _, element in ipairs(paths.get(inner, words.items) or {}) do
      items[#items + 1] = element
    end
    local following = paths.get(inner, words.next)
    if following == cursor then
      return nil, "the service repeats a page's cursor", { kind = "decode", sent = true }
    end
    cursor, pages = following, pages + 1
    job:breathe()
  end
  return words.remove and template.put(answer, words.remove, nil) or answer
end


local function take_answer(job, item, answer, status)
  local result = job.outcome:read(answer, status)
  if result.ok and job.options.follow_pages then
    local whole, why, err = follow(job, item, answer)
    if not whole then
      result = { ok = false, status = result.status, error = { code = err.code or err.kind, message = why } }
    else
      answer = whole
      result = job.outcome:read(whole, status)
    end
  end
  return take(job, item, result, job.outcome:pause(answer, job.clock.wall()), answer)
end


--- The answers in a call's answer.
local function list_of(job, answer)
  local list = not job.run.items and { answer } or paths.get(answer, job.run.items)
  return type(list) == "table" and list or {}
end


--- Answers that are nobody's are kept, once.
---@param call table
---@param list any[]
---@return true|nil ok
---@return string|nil message
---@return table|nil err
local function keep_unclaimed(job, call, list)
  local lines = {}
  if call.kept == call.answer then
    return true
  end
  for _, answer in ipairs(list) do
    lines[#lines + 1] = core.encode(answer, { sort_keys = true })
  end
  if #lines == 0 then
    return true
  end
  local ok, why, err = unclaimed.keep(job, lines)
  call.kept = ok and call.answer
  return ok, why, err
end


--- Which answer is whose, by id or by position; and those that are nobody's.
local function by_item(job, call, list)
  if not (job.run.result or {}).id then
    return list, {}
  end
  local strangers = {}
  local place, found = {}, {}
  for i, item in ipairs(call.items) do
    place[item.custom_id] = i
  end
  for _, answer in ipairs(list) do
    local id = job.outcome:id(answer)
    local i = id and place[id]
    if not i then
      job.state.strangers = job.state.strangers + 1
      strangers[#strangers + 1] = answer
    elseif found[i] then
      job.state.duplicates = job.state.duplicates + 1
    else
      found[i] = answer
    end
  end
  return found, strangers
end


--- The answer of a synchronous call: one for each of its requests. Gives how many are to be
--- repeated.
---@return integer|nil repeated
---@return string|nil message
---@return table|nil err
function M.of_call(job, call, answer, response)
  local found, strangers = by_item(job, call, list_of(job, answer))
  local kept, message, failure = keep_unclaimed(job, call, strangers)
  if not kept then
    return nil, message, failure
  end
  local repeated = 0
  for i, item in ipairs(call.items) do
    local more, why, err
    if job.ledger:state(item.index) ~= marks.TAKEN then -- taken before a failure
      more = job.store:has(item.index) and 0 or 1
    elseif found[i] == nil or found[i] == core.null then
      more, why, err = take(job, item, { ok = false,
        error = { code = "missing", message = "the service's answer holds none for this request" } })
    else
      more, why, err = take_answer(job, item, found[i], not job.run.items and response.status or nil)
    end
    if not more then
      return nil, why, err
    end
    repeated = repeated + more
  end
  return repeated
end


M.list_of, M.keep_unclaimed = list_of, keep_unclaimed


--- Do answers match by position, and is there another number of them than of requests? Then nobody
--- knows whose each is.
function M.is_mismatched(job, call, answer)
  return not (job.run.result or {}).id and #list_of(job, answer) ~= #call.items
end


-- ---- batches of one request ---------------------------------------------------------------------

local function collect_one(job, call, ended)
  local source = job.run.collect[1]
  local known = job:known(nil)
  known.batch_id, known.result_id = call.batch_id, ended.sources[1]
  local response
  local answer, why, err = persist.run(job, function()
    local got, message
    got, message, response = job:call(source, known)
    return got, message, response
  end, trouble.of_result(job), nil, call)
  return answer, why, err or response
end


--- Watches the batch of a call to its end and takes its result.
---@return integer|nil repeated
---@return string|nil message
---@return table|nil err
function M.watch(job, call)
  local item = call.items[1]
  local ended, why, err = watch.until_ended(job, { batch_id = call.batch_id, resumed = call.resumed })
  if not ended then
    return nil, why, err
  end
  if ended.outcome == "failed" or not ended.sources[1] then
    local first = (ended.reasons or {})[1] or {}
    call.uncollected = ended.uncollected and true or nil
    return take(job, item, { ok = false, error = { code = first.code or ended.outcome,
      message = first.message or ended.uncollected or ("the batch ended as %s"):format(ended.outcome) } })
  end
  local answer, message, response = collect_one(job, call, ended)
  if answer ~= nil then
    return take_answer(job, item, answer, response and response.status)
  elseif response.status and response.kind ~= "auth" then
    local code = ended.outcome ~= "completed" and ended.outcome or "uncollected"
    call.uncollected = code == "uncollected" or nil
    return take(job, item, { ok = false, status = response.status, body = response.body,
      error = { code = code, message = message } })
  end
  return nil, message, response
end


--- The id of the batch that an answer says was made, or nil.
function M.batch_id(job, answer)
  local id = paths.get(answer, job.run.create.id)
  return id ~= core.null and id ~= "" and id or nil
end


--- A batch was made.
---@return integer|nil repeated
---@return string|nil message
---@return table|nil err
function M.of_batch(job, call, id)
  call.batch_id = id
  local ok, why, err = job:record{ type = "created", call = call.number, batch_id = id }
  if not ok then
    return nil, why, err
  end
  job.confirmed = true
  job:schedule() -- the others have waited for this
  return M.watch(job, call)
end


return M
