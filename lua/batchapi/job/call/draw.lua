--- Which requests go into the next call (families "envelope" and "each").

local answers = require("batchapi.job.call.answers")
local groups = require("batchapi.job.call.groups")
local paths = require("batchapi.util.path")
local record_file = require("batchapi.job.store.record_file")
local marks = require("batchapi.job.store.marks")

local M = {}

local keep_null = { null = "keep" }


--- Does repeating a request harm nothing?
---@param job table
---@param request any
---@return boolean
function M.is_safe(job, request)
  local rule = (job.run.request or {}).safe
  if not rule then
    return false
  end
  local value = paths.get(request, rule.path or "")
  for _, word in ipairs(rule.one_of) do
    if type(value) == "string" and value:lower() == word then
      return true
    end
  end
  return false
end


--- A request as it was read goes out with the bytes it has in the file: keys in the user's order, numbers
--- with all their digits. What is changed on the way is encoded.
local function as_written(request, text)
  if type(request) ~= "table" or getmetatable(request) ~= nil then
    return request
  end
  return setmetatable(request, { __batchapi_text = text, __batchapi_text_of = request })
end


--- The next request of this pass that waits for its turn: { index, request, bytes, safe, custom_id,
--- needs, places }, the last the numbers of what it needs, by id.
---@param job table
---@return table|nil item nil alone: there is none
---@return string|nil message
---@return table|nil err
function M.next_item(job)
  local pass = job.pass
  if not pass.reader then
    local why, err
    pass.reader, why, err = job.files:reader("requests.jsonl", record_file.any_length)
    if not pass.reader then
      return nil, why, err
    end
    pass.window = (job.run.request or {}).depends and groups.window((M.limits(job)))
  end
  while pass.index < job.ledger:count() do
    local from = pass.reader:offset()
    local request, why, err = job.files:json(pass.reader, keep_null)
    if request == nil then
      return nil, why or "requests.jsonl is shorter than the journal says",
        err or { kind = "job", code = "requests_damaged" }
    end
    pass.index = pass.index + 1
    local id = answers.custom_id(job, request, pass.index)
    if pass.window then
      groups.remember(pass.window, pass.index, id)
    end
    if job.ledger:state(pass.index) == pass.mark then
      local needs = groups.needs(job.run, request)
      return { index = pass.index, request = as_written(request, pass.reader:raw()), bytes = pass.reader:offset() - from,
        safe = M.is_safe(job, request), custom_id = id, needs = needs, places = groups.places(pass.window, needs) }
    end
    job:breathe()
  end
  return nil
end


--- The most requests and bytes of a call.
---@param job table
---@return integer requests
---@return integer|nil bytes
function M.limits(job)
  local limits = job.run.limits or {}
  return job.run.family == "each" and 1 or job.options.max_requests_per_batch or limits.requests or 1,
    job.options.max_bytes_per_batch or limits.bytes
end


--- Reads requests until there are so many, or no more.
local function look_ahead(job, wanted)
  local kept = job.kept
  while #kept < wanted do
    local item, why, err = M.next_item(job)
    if not item then
      return why == nil or nil, why, err
    end
    kept[#kept + 1] = item
  end
  return true
end


--- The next requests that go together. One worker draws at a time: the file is read in order.
local function draw_together(job)
  while job.drawing do
    local ok, why, err = job:sleep(0.001)
    if not ok then
      return nil, why, err
    end
  end
  local most, most_bytes = M.limits(job)
  job.drawing = true
  local ok, why, err = look_ahead(job, groups.ahead(job.run, most))
  job.drawing = false
  if not ok then
    return nil, why, err
  elseif #job.kept == 0 or job.state.cancelled then
    return false
  end
  local call, rest, count = { items = {} }, {}, groups.cut(job.kept, most, most_bytes)
  for i, item in ipairs(job.kept) do
    local into = i <= count and call.items or rest
    into[#into + 1] = item
  end
  for _, item in ipairs(call.items) do
    job.ledger:set(item.index, marks.TAKEN)
  end
  job.kept = rest
  return call
end


--- A call could not be made, or not be brought to its end: those of its requests that are in no call which
--- the journal knows wait for their turn again; such a call is taken up where it stands.
---@param job table
---@param call table
function M.give_back(job, call)
  local held = {}
  for _, open in pairs(job.state.calls) do
    for _, index in ipairs(open.requests) do
      held[index] = open
    end
  end
  for _, item in ipairs(call.items) do
    local open = held[item.index]
    if open then
      open.found = true
    elseif job.ledger:state(item.index) == marks.TAKEN then
      job.ledger:set(item.index, job.pass.mark)
      job.kept[#job.kept + 1] = item
    end
  end
  table.sort(job.kept, function(a, b)
    return a.index < b.index
  end)
  job.pass.exhausted = job.pass.exhausted and #job.kept == 0
end


--- Leaves out of a call what must not run now. That it depends on something that is not in the call
--- and has not succeeded is found where a job goes on from results of which some were lost.
local function hold_back(job, call)
  local present, left = {}, {}
  for _, item in ipairs(call.items) do
    local standing, id = groups.standing(job, item, present)
    local ok, why, err = true, nil, nil
    if standing == "done" then
      left[#left + 1], present[item.custom_id] = item, true
    elseif standing == "waits" then
      job.ledger:set(item.index, marks.waiting(job.pass.attempt + 1))
    else
      ok, why, err = answers.settle_all(job, { items = { item } }, "failed_dependency",
        ("it was not sent: it depends on %q, which did not succeed"):format(id))
    end
    if not ok then
      return nil, why, err
    end
  end
  call.items = left
  return true
end


--- Draws the next call's requests.
---@param job table
---@return table|false|nil call { items }; false: there are no more
---@return string|nil message
---@return table|nil err
function M.draw(job)
  local call, why, err
  repeat
    call, why, err = draw_together(job)
    if not call then
      return call, why, err
    end
    local ok
    ok, why, err = hold_back(job, call)
    if not ok then
      return nil, why, err
    end
  until #call.items > 0
  return call
end


return M
