--- The lines of a simulated batch: what it answers to each request, and what goes wrong with them.

local M = {}


local function text_of(draw)
  return draw:pick{ "plain", 'a "quoted" word', "caf\195\169", "9007199254740993", "tab\\tand\\u00e9", "" }
end


-- How a service writes an answer.
local forms = {}

local function escaped(text)
  return (text:gsub('"', '\\"'))
end


function forms.openai(id, answer)
  if answer.code == "batch_expired" then
    return ('{"id":"%s","custom_id":"%s","response":null,"error":{"code":"batch_expired","message":"too late"}}')
      :format(answer.mark, id)
  end
  local body = answer.ok and ('{"mark":"%s","n":9007199254740993,"text":"%s"}'):format(answer.mark, escaped(answer.text))
    or ('{"mark":"%s","error":{"code":"%s","message":"no"}}'):format(answer.mark, answer.code)
  return ('{"id":"%s","custom_id":"%s","response":{"status_code":%d,"request_id":"q","body":%s},"error":null}')
    :format(answer.mark, id, answer.status, body)
end


function forms.anthropic(id, answer)
  local result = answer.ok
    and ('{"type":"succeeded","message":{"mark":"%s","text":"%s"}}'):format(answer.mark, escaped(answer.text))
    or answer.code == "expired" and '{"type":"expired"}'
    or answer.code == "canceled" and '{"type":"canceled"}'
    or ('{"type":"errored","error":{"type":"error","error":{"type":"%s","message":"%s"}}}'):format(answer.code, answer.mark)
  return ('{"custom_id":"%s","result":%s}'):format(id, result)
end


--- Mistral's are OpenAI's but for the bodies of failures.
function forms.mistral(id, answer)
  local line = forms.openai(id, answer)
  return answer.ok and line or (line:gsub('"error":(%b{})}},"error":null', function(reason)
    return reason:sub(2, -2) .. '}},"error":null'
  end))
end


--- Are the answers in two files, those of failures in the second?
function M.has_two_files(form)
  return form ~= "anthropic"
end


local failures = {
  openai = {
    { 400, "invalid_request", false }, { 429, "rate_limit_exceeded", true }, { 500, "server_error", true },
  },
  mistral = {
    { 400, "invalid_request", false }, { 429, "rate_limited", true }, { 500, "internal", true },
  },
  anthropic = {
    { nil, "invalid_request_error", false }, { nil, "overloaded_error", true }, { nil, "api_error", true },
  },
}


--- The service answers a request; the answer stands in the record.
---@param world table
---@param form string
---@param id string
---@param batch table
function M.answer(world, form, id, batch)
  local tape, record = world.tape, world.record
  local answer = { mark = record:mark(), ok = true, status = 200, batch = batch.id, text = text_of(tape:draw("text")) }
  local failure = tape:event("line.failed", function(draw)
    return draw:between(1, 3)
  end)
  if failure then
    local entry = failures[form][failure]
    answer.ok, answer.status, answer.code, answer.retryable = false, entry[1], entry[2], entry[3]
  end
  answer.line = forms[form](id, answer)
  answer.readable = true
  return record:answer(id, answer)
end


--- The service says of a request that it did not come to it.
function M.unanswered(world, form, id, batch, code)
  local answer = { mark = world.record:mark(), ok = false, batch = batch.id, code = code, retryable = true, unrun = true }
  answer.line = forms[form](id, answer)
  answer.readable = true
  return world.record:answer(id, answer)
end


-- What a strict reader refuses and a lenient one reads.
local odd = {
  function(line) return (line:gsub('"text":"', '"text":"\\ud800', 1)) end,
  function(line) return (line:gsub('"text":"', '"text":"\1', 1)) end,
  function(line) return (line:gsub('"text":"', '"text":"\255', 1)) end,
  function(line) return (line:gsub('"mark":', '"x":NaN,"mark":', 1)) end,
}


--- What a file says for an answer: none, one or more lines; the record is told what can be read.
---@param world table
---@param list string[] lines so far
---@param id string
---@param answer table
function M.put(world, list, id, answer, batch, word)
  local tape, record = world.tape, world.record
  local function absent()
    answer.readable = false
    answer.retryable = answer.retryable or word == "expired" -- as if it had not been come to
    record:allow(id, word == "completed" and "missing" or word)
    record:allow(id, "missing")
    record:allow(id, "uncollected") -- where no file is left that the batch could name
  end
  if tape:event("line.dropped") then
    batch.bad = batch.bad or word == "completed" -- else it looks as if it had not been come to
    return absent()
  end
  local how = tape:event("line.odd", function(draw)
    return draw:between(1, #odd)
  end)
  if how then
    answer.line, answer.odd = odd[how](answer.line), true
  end
  if tape:event("line.unreadable") then
    answer.line, answer.readable, answer.broken = answer.line:sub(1, -10), false, true
    batch.bad = true
    record:allow(id, "unreadable")
  elseif tape:event("line.garbage") then
    answer.line, batch.bad = "<html>" .. answer.mark, true
    absent()
    record.unclaimed[#record.unclaimed + 1] = { line = answer.line, batch = batch, errors = answer.in_errors }
  end
  list[#list + 1] = answer.line
  if answer.readable and tape:event("line.doubled") then
    list[#list + 1] = answer.line
  end
  if tape:event("line.foreign") then
    list[#list + 1] = answer.line:gsub(id:gsub("%-", "%%-"), "stranger-" .. answer.mark, 1)
    record.unclaimed[#record.unclaimed + 1] = { line = list[#list], batch = batch, errors = answer.in_errors }
    batch.bad = true
  end
end


--- Does nothing in a file look like an answer, and its head like a page? Then it is not taken for one of
--- results: it is asked for again, and stays where it is.
function M.is_page(content)
  return content:gsub("^\239\187\191", ""):find("^%s*<") ~= nil and not content:find("{", 1, true)
end


--- The bytes of a file of lines.
function M.file(world, list, ordered)
  local tape = world.tape
  if not ordered or tape:event("line.reordered") then
    local draw = tape:draw("order")
    for i = #list, 2, -1 do
      local other = draw:between(1, i)
      list[i], list[other] = list[other], list[i]
    end
  end
  local ending = tape:event("file.crlf") and "\r\n" or "\n"
  local text = table.concat(list, ending)
  if #list > 0 and not tape:event("file.no_last_newline") then
    text = text .. ending
  end
  if tape:event("file.mark") then
    text = "\239\187\191" .. text
  end
  return text
end


return M
