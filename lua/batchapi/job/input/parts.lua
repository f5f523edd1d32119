--- The files a job's requests are written to, split by the service's limits.
---
--- Family "file": a part is a file of JSON lines, uploaded as it is. Family "inline": the body that
--- makes the batch, with a request on each line between its head and its tail. Either way a request
--- is a line.

local core = require("batchapi.core")
local record_file = require("batchapi.job.store.record_file")
local template = require("batchapi.definition.template")

local M = {}
M.__index = M

local MARK = "batchapi-requests-stand-here"


--- The body of an inline batch before and after its requests.
---@param job table
---@param number integer of the part
---@return string head, string tail
function M.frame(job, number)
  if job.run.family ~= "inline" then
    return "", ""
  end
  local known = job:known(number)
  known.requests = MARK
  local arguments = template.arguments(job.run.create.arguments, known)
  local body = assert(core.encode(arguments[arguments.n], { sort_keys = true }))
  local from, to = body:find('"' .. MARK .. '"', 1, true)
  return body:sub(1, from - 1) .. "[\n", "\n]" .. body:sub(to + 1)
end


---@param job table
function M.new(job)
  local limits, options = job.run.limits or {}, job.options
  return setmetatable({
    job = job, files = job.files,
    max_requests = options.max_requests_per_batch or limits.requests,
    max_bytes = options.max_bytes_per_batch or limits.bytes,
    max_inputs = limits.inputs and limits.inputs.max,
    separator = job.run.family == "inline" and ",\n" or "\n",
    part = nil, -- being written
  }, M)
end


--- The name of a part's file: made of its number, never read from a record.
---@param family string of the job
---@param number integer
---@return string
function M.name(family, number)
  return ("part-%05d.%s"):format(number, family == "inline" and "json" or "jsonl")
end


--- Begins part `number`, whose first request is `first`.
---@param number integer
---@param attempt integer
---@param first integer
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:begin(number, attempt, first)
  local head, tail = M.frame(self.job, number)
  local file = M.name(self.job.run.family, number)
  local part = {
    type = "part", part = number, attempt = attempt, file = file, first = first, count = 0, inputs = 0,
    bytes = #head + #tail, tail = tail, hash = core.sha256(),
    digest = head ~= "" and core.sha256():update(head) or nil, -- of the file, where that is more than its lines
    path = file .. ".new",
  }
  local why, err
  part.writer, why, err = self.files:writer(part.path)
  if not part.writer then
    return nil, why, err
  end
  if head ~= "" then
    local ok
    ok, why, err = self.files:write(part.writer, head)
    if not ok then
      return nil, why, err
    end
  end
  self.part = part
  return true
end


--- Would a request still fit into the part being written?
---@param length integer bytes of its line
---@param inputs integer
---@return boolean
function M:fits(length, inputs)
  local part = self.part
  return not (self.max_requests and part.count >= self.max_requests
    or self.max_bytes and part.bytes + length + #self.separator > self.max_bytes
    or self.max_inputs and part.inputs + inputs > self.max_inputs)
end


--- A request that fits into no part: what is wrong with it, or nil.
---@param number integer
---@param length integer
---@param inputs integer
---@return string|nil message
function M:too_large(number, length, inputs)
  local head, tail = M.frame(self.job, number)
  if self.max_bytes and #head + #tail + length + #self.separator > self.max_bytes then
    return ("the request is %d bytes long; a batch may have %d"):format(length, self.max_bytes)
  elseif self.max_inputs and inputs > self.max_inputs then
    return ("the request has %d inputs; a batch may have %d"):format(inputs, self.max_inputs)
  end
end


--- Adds a line to the part being written.
---@param line string
---@param inputs integer
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M:add(line, inputs)
  local part = self.part
  local between = self.separator
  if self.job.run.family == "inline" and part.count == 0 then
    between = ""
  end
  local bytes = part.digest and between .. line or line .. between
  local ok, why, err = self.files:write(part.writer, bytes)
  if not ok then
    return nil, why, err
  end
  part.hash:update(line)
  part.hash:update("\n")
  if part.digest then
    part.digest:update(bytes)
  end
  part.count, part.inputs = part.count + 1, part.inputs + inputs
  part.bytes = part.bytes + #line + #between
  return true
end


--- Ends the part: its file is complete and durable when this returns its record.
---@return table|nil record
---@return string|nil message
---@return table|nil err
function M:finish()
  local part, files = self.part, self.files
  self.part = nil
  local ok, why, err = true, nil, nil
  if part.tail ~= "" then
    ok, why, err = files:write(part.writer, part.tail)
  end
  if ok and self.job.durable then
    ok, why, err = files:sync(part.writer)
  elseif ok then
    ok, why, err = files:flush(part.writer)
  end
  files:close(part.writer)
  if not ok then
    return nil, why, err
  end
  ok, why, err = files:rename(part.path, part.file)
  if not ok then
    return nil, why, err
  end
  return {
    type = "part", part = part.part, attempt = part.attempt, first = part.first,
    span = part.count, count = part.count, bytes = part.bytes, hash = part.hash:hex(),
    digest = part.digest and part.digest:update(part.tail):hex(),
  }
end


--- Gives up what is being written.
function M:abandon()
  if self.part then
    self.files:close(self.part.writer)
    self.files:unlink(self.part.path)
    self.part = nil
  end
end


--- Is a part's file what was written? Of an inline part of an earlier version only its lines are known.
---@param job table
---@param part table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check(job, part)
  local name = M.name(job.run.family, part.part)
  local found, why, err
  if job.run.family == "file" or part.digest then
    found, why, err = job.files:sha256(name)
  else
    found, why, err = M.hash_of_lines(job, part)
  end
  if not found and err and err.code == "ENOENT" then
    found = "nothing"
  elseif not found then
    return nil, why, err
  end
  if found == (part.digest or part.hash) then
    M.seen(job, part)
    return true
  end
  return record_file.refuse({ { file = name, what = found == "nothing" and "it is not there" or "it is not what was written",
    known = { part = part.part, batch_id = part.batch_id, file_id = part.file_id } } }, "part_damaged")
end


--- This process has the file of a part whole: it has just written it, or has hashed it.
---@param job table
---@param part table
function M.seen(job, part)
  part.file_stat = job.files:stat(M.name(job.run.family, part.part))
end


--- Is a part's file what was written, as far as its size and time tell since this process has had it whole?
---@param job table
---@param part table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check_unchanged(job, part)
  local before, now = part.file_stat, job.files:stat(M.name(job.run.family, part.part))
  if before and now and before.size == now.size and before.mtime == now.mtime then
    return true
  end
  return M.check(job, part)
end


function M.hash_of_lines(job, part)
  local lines, why, err = M.lines(job, part)
  if not lines then
    return nil, why, err
  end
  local hash = core.sha256()
  local line
  repeat
    line, why, err = lines.next()
    if line then
      hash:update(line):update("\n")
    end
    job:breathe()
  until not line
  lines.close()
  if why and (err or {}).kind == "io" then
    return nil, why, err
  end
  return hash:hex()
end


--- The lines of requests of a written part, one at a time: `next() -> line | nil | nil, message,
--- err`.
---@param job table
---@param part table
---@param path string|nil another name of its file
---@return table|nil reader { next, close }
---@return string|nil message
---@return table|nil err
function M.lines(job, part, path)
  local files, name = job.files, M.name(job.run.family, part.part)
  local reader, why, err = files:reader(path or name, record_file.any_length)
  if not reader then
    return nil, why, err
  end
  local inline, left = job.run.family == "inline", part.count
  local head = inline and files:next(reader)
  return {
    head = head and head .. "\n" or "",
    next = function()
      if left == 0 then
        return nil
      end
      left = left - 1
      local line, message, failure = files:next(reader)
      if not line then
        return nil, message or ("%s is shorter than the journal says"):format(name),
          failure or { kind = "job", code = "part_damaged" }
      end
      return inline and line:gsub(",$", "") or line
    end,
    close = function()
      files:close(reader)
    end,
  }
end


--- The same of a file that is nothing but lines.
---@param job table
---@param name string
---@return table|nil reader { next, close }
---@return string|nil message
---@return table|nil err
function M.whole_file(job, name)
  local reader, why, err = job.files:reader(name, record_file.any_length)
  return reader and {
    next = function()
      return job.files:next(reader)
    end,
    close = function()
      job.files:close(reader)
    end,
  }, why, err
end


--- Is requests.jsonl what was written?
---@param job table
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.check_whole(job)
  local hash = job.state.input.hash
  local found, why, err = job.files:sha256("requests.jsonl")
  if not found and not (err and err.code == "ENOENT") then
    return nil, why, err
  elseif found and (hash == nil or found == hash) then -- an earlier version knew no hash
    return true
  end
  return record_file.refuse({ { file = "requests.jsonl",
    what = found and "it is not what was written" or "it is not there" } }, "requests_damaged")
end


--- Hands the id of each request of a part to `take`.
---@param job table
---@param part table
---@param take fun(id: string)
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.each_id(job, part, take)
  local lines, why, err = M.lines(job, part)
  if not lines then
    return nil, why, err
  end
  local ok = true
  while ok do
    local line, message, failure = lines.next()
    if not line then
      ok, why, err = message == nil or nil, message, failure
      break
    end
    local id = job:id_of_line(line)
    if not id then
      ok, why, err = nil, M.name(job.run.family, part.part) .. " holds a line that is no request",
        { kind = "job", code = "part_damaged" }
      break
    end
    take(id)
    job:breathe()
  end
  lines.close()
  return ok, why, err
end


return M
