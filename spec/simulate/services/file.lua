--- A simulated OpenAI, and those that resemble it (dialects.lua): files, batches made of files, results in
--- files.

local batches = require("simulate.batches")
local core = require("batchapi.core")
local dialects = require("simulate.services.dialects")

local M = {}
M.__index = M


function M.new(world)
  return setmetatable({ world = world, dialect = dialects[world.shape.dialect or "openai"], files = {}, batches = {},
    by_id = {}, last = 0, last_file = 0 }, M)
end


local function not_found(self, what)
  return 404, self.dialect.error("not_found", "No such " .. what)
end


-- ---- files --------------------------------------------------------------------------------------

function M:add_file(purpose, content)
  self.last_file = self.last_file + 1
  local file = { id = ("file-%d"):format(self.last_file), content = content, purpose = purpose,
    at = self.world.clock.time, seen_at = self.world.clock.time, ready_at = 0 }
  self.files[file.id] = file
  return file
end


local function describe_file(self, file)
  return self.dialect.file(file, file.ready_at > self.world.clock.time and "pending" or "processed")
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
  late = self.dialect.checks_files and self.world.tape:event("file.pending", function(draw)
    return draw:wide(0.5, 1500)
  end)
  file.ready_at = late and self.world.clock.time + late or 0
  return 200, describe_file(self, file)
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
    return not_found(self, "file")
  end
  file.read = true
  return 200, file.content, { ["content-type"] = "application/octet-stream" }
end


local function delete(self, id)
  local file = visible(self, id)
  if not file then
    return not_found(self, "file")
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

function M:describe(batch)
  return self.dialect.batch(batch, batch.ended and batch.named_at <= self.world.clock.time)
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
  local id = self.dialect.input(given)
  local file, known = visible(self, id), self.files[id]
  if not file and self.dialect.takes_new_files and known and not known.deleted then
    file = known
  end
  local doomed = not file and known and known.deleted and self.world.tape:event("create.doomed")
  if not file and not doomed then
    return self.dialect.form == "mistral" and 404 or 400, self.dialect.error("invalid_request", "Cannot find file " .. id)
  elseif known.ready_at > self.world.clock.time then
    return 400, self.dialect.error("invalid_request", "The file is still being processed")
  end
  local batch = batches.accept(self.world, self, {
    file = id, token = (given.metadata or {}).batchapi_part,
    metadata = core.encode(given.metadata or {}), requests = ids_of(known.content), form = self.dialect.form,
    doomed = doomed and true or nil, shadow = request.shadow,
  })
  return 200, self:describe(batch)
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
  local now = self.world.clock.time
  local page = self.dialect.page(self, query)
  if not page then
    return 400, self.dialect.error("invalid_after", "no such batch")
  end
  local spell = self.world.tape:event("list.empty_page", function(draw) return draw:wide(0.1, 200) end)
  self.empty_until = spell and now + spell or self.empty_until
  if (self.empty_until or 0) > now and not self.world.tape.calm then
    return 200, self.dialect.empty
  end
  return 200, page
end


--- The path as OpenAI has it.
local function path_of(self, request)
  return self.dialect.path and self.dialect.path(request.path) or request.path
end


--- Answers a request: status, body, headers.
function M:handle(request)
  local method, path = request.method, path_of(self, request)
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
      return 200, describe_file(self, file)
    end
    return not_found(self, "file")
  elseif kind == "batches" then
    local batch = found(self, id)
    if not batch then
      return not_found(self, "batch")
    elseif rest == "cancel" then
      batches.cancel(self.world, self, batch)
    else
      batch.polled = true
    end
    return 200, self:describe(batch)
  end
  return not_found(self, "path")
end


--- What a request is for: the name of its faults.
function M:purpose(request)
  local method, path = request.method, path_of(self, request)
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
