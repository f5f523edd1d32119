--- A simulated OpenAI: files, batches made of files, results in files.

local batches = require("simulate.batches")
local core = require("batchapi.core")

local M = {}
M.__index = M


function M.new(world)
  return setmetatable({ world = world, files = {}, batches = {}, by_id = {}, last = 0, last_file = 0 }, M)
end


local function quoted(text)
  return text and ('"%s"'):format(text) or "null"
end


local function error_body(code, message)
  return ('{"error":{"message":"%s","type":"invalid_request_error","code":"%s"}}'):format(message, code)
end


local function not_found(what)
  return 404, error_body("not_found", "No such " .. what)
end


-- ---- files --------------------------------------------------------------------------------------

function M:add_file(purpose, content)
  self.last_file = self.last_file + 1
  local file = { id = ("file-%d"):format(self.last_file), content = content, purpose = purpose,
    at = self.world.clock.time, seen_at = self.world.clock.time }
  self.files[file.id] = file
  return file
end


local function describe_file(file)
  return ('{"id":"%s","object":"file","bytes":%d,"purpose":"%s","status":"processed","created_at":%d}'):format(
    file.id, #file.content, file.purpose, math.floor(file.at))
end


local function upload(self, request)
  local content
  for _, part in ipairs(request.parts) do
    content = part.name == "file" and part.bytes or content
  end
  local uploads = self.world.record.uploads
  uploads[content] = (uploads[content] or 0) + 1
  local file = self:add_file("batch", content)
  local late = self.world.tape:event("file.late", function(draw)
    return draw:real() * self.world.plan.settle * 1.7
  end)
  file.seen_at = self.world.clock.time + (late or 0)
  return 200, describe_file(file)
end


local function visible(self, id)
  local file = self.files[id]
  return file and not file.deleted and file.seen_at <= self.world.clock.time and file or nil
end


--- What a batch leaves behind: two files, named in it once they are there.
function M:leave(batch, out, errors, any)
  local draw = self.world.tape:draw("leave")
  if any or not errors and batch.state == "completed" or draw:chance(0.3) then
    batch.output = self:add_file("batch_output", out).id
  end
  if errors then
    batch.errors = self:add_file("batch_output", errors).id
  end
  for _, id in ipairs{ batch.output or false, batch.errors or false } do
    local file = id and self.files[id]
    if file then
      file.batch = batch
      file.gone = self.world.tape:event("result.gone")
      local late = self.world.tape:event("result.late", function(s) return s:wide(0.5, 2 * self.world.plan.settle) end)
      file.seen_at = self.world.clock.time + (late or 0)
    end
  end
end


local function content(self, id)
  local file = visible(self, id)
  if not file or file.gone then
    return not_found("file")
  end
  file.read = true
  return 200, file.content, { ["content-type"] = "application/octet-stream" }
end


local function delete(self, id)
  local file = visible(self, id)
  if not file then
    return not_found("file")
  end
  self.world.record.deletes[#self.world.record.deletes + 1] = { file = file, at = self.world.clock.time }
  local late = self.world.tape:event("delete.late", function(draw)
    return draw:real() * self.world.plan.settle * 0.4
  end)
  if late then
    self.world.clock:after(late, function()
      file.deleted = true
    end)
  else
    file.deleted = true
  end
  return 200, ('{"id":"%s","object":"file","deleted":true}'):format(id)
end


-- ---- batches ------------------------------------------------------------------------------------

local function describe(self, batch)
  local now = self.world.clock.time
  local named = batch.ended and batch.named_at <= now
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


local function ids_of(text)
  local ids = {}
  for line in text:gmatch("[^\r\n]+") do
    ids[#ids + 1] = line:match('"custom_id":"([^"]*)"')
  end
  return ids
end


local function create(self, request)
  local given = core.decode(request.body)
  local file = visible(self, given.input_file_id)
  local known = self.files[given.input_file_id]
  local doomed = not file and known and known.deleted and self.world.tape:event("create.doomed")
  if not file and not doomed then
    return 400, error_body("invalid_request", "Cannot find file " .. given.input_file_id)
  end
  local batch = batches.accept(self.world, self, {
    file = given.input_file_id, token = (given.metadata or {}).batchapi_part,
    metadata = core.encode(given.metadata or {}), requests = ids_of(known.content), form = "openai",
    doomed = doomed and true or nil, shadow = request.shadow,
  })
  return 200, describe(self, batch)
end


local function found(self, id)
  local batch = self.by_id[id]
  if not batch or batch.gone or batch.found_at > self.world.clock.time then
    return nil
  elseif batch.state ~= "validating" and not batch.ended and self.world.tape:event("batch.gone") then
    batch.gone = true
    return nil
  elseif batches.is_hidden(self.world, batch) then
    return nil
  end
  return batch
end


local function list(self, query)
  local now, size, from = self.world.clock.time, tonumber(query.limit) or 20, #self.batches
  size = math.min(size, self.world.plan.page_size)
  if query.after then
    local last = self.by_id[query.after]
    if not last then
      return 400, error_body("invalid_after", "no such batch")
    end
    from = last.number - 1
  end
  local items, last_number = {}, from + 1
  while from >= 1 and #items < size do
    local batch = self.batches[from]
    last_number = from
    if batch.listed_at <= now and not batch.gone then
      items[#items + 1] = describe(self, batch)
    end
    from = from - 1
  end
  local spell = self.world.tape:event("list.empty_page", function(draw) return draw:wide(0.1, 200) end)
  self.empty_until = spell and now + spell or self.empty_until
  if (self.empty_until or 0) > now and not self.world.tape.calm then
    return 200, '{"object":"list","data":[],"has_more":true,"first_id":null,"last_id":null}'
  end
  local more = from >= 1
  return 200, ('{"object":"list","data":[%s],"has_more":%s,"last_id":%s}'):format(table.concat(items, ","),
    tostring(more), more and quoted(("batch_%d"):format(last_number)) or "null")
end


--- Answers a request: status, body, headers.
function M:handle(request)
  local method, path = request.method, request.path
  if path == "/files" and method == "POST" then
    return upload(self, request)
  elseif path == "/batches" and method == "POST" then
    return create(self, request)
  elseif path == "/batches" then
    return list(self, request.query)
  end
  local kind, id, rest = path:match("^/(%a+)/([^/]+)/?(%a*)$")
  if kind == "files" and rest == "content" then
    return content(self, id)
  elseif kind == "files" and method == "DELETE" then
    return delete(self, id)
  elseif kind == "files" then
    local file = visible(self, id)
    if file then
      return 200, describe_file(file)
    end
    return not_found("file")
  elseif kind == "batches" then
    local batch = found(self, id)
    if not batch then
      return not_found("batch")
    elseif rest == "cancel" then
      batches.cancel(self.world, self, batch)
    else
      batch.polled = true
    end
    return 200, describe(self, batch)
  end
  return not_found("path")
end


--- What a request is for: the name of its faults.
function M.purpose(_, request)
  local method, path = request.method, request.path
  return method == "DELETE" and "delete" or method == "POST" and (path == "/files" and "upload"
    or path == "/batches" and "create" or "cancel")
    or path == "/batches" and "list" or path:find("^/batches") and "poll"
    or path:find("/content$") and "download" or "look"
end


--- Which answers can still be had at the end: those in files that are there.
function M:reachable(batch, answer)
  local file = self.files[answer.in_errors and batch.errors or batch.output]
  return file ~= nil and not file.gone and not batch.gone
end


--- Can something of a batch no longer be had, for good?
function M:lacks(batch)
  local out, errors = self.files[batch.output], self.files[batch.errors]
  return batch.gone or out and out.gone or errors and errors.gone or false
end


return M
