--- Reading a job's requests to their end: each is completed, checked, counted, and written to disk;
--- or, when the job has been submitted already, compared with what was written then.

local answers = require("batchapi.job.call.answers")
local core = require("batchapi.core")
local drawing = require("batchapi.job.call.draw")
local errors = require("batchapi.util.errors")
local groups = require("batchapi.job.call.groups")
local input = require("batchapi.job.input.source")
local options_of = require("batchapi.job.options")
local parts = require("batchapi.job.input.parts")
local record_file = require("batchapi.job.store.record_file")
local requests_of = require("batchapi.job.input.request")

local M = {}


-- `nil, message, err` for a request that cannot be sent: the one of this number in the source, if a
-- number is given.
local function fault(source, number, message, code)
  if number then
    message = ("%s %d: %s"):format(source.unit, number, message)
  end
  return errors.fail(errors.new{
    kind = "invalid", operation = "run", line = number, code = code, message = message .. "; nothing was submitted",
  })
end


--- Enters a request into the ledger. A hash that is there already is looked up on disk.
---@return true|nil ok
---@return string|nil message
local function enter(job, id, index, id_of)
  local number, other, err = job.ledger:add(id)
  if number then
    return true
  elseif err then
    return nil, other
  end
  local known, why = nil, nil
  if job.collided[id] then
    other = job.collided[id]
  else
    known, why = id_of(other)
  end
  if known == id or known == nil and not why then
    return nil, ("'%s' %q stands twice: it is also that of request %d"):format(job.run.request.id, id, other)
  elseif known == nil then
    return nil, why
  end
  job.ledger:add(id, true)
  job.collided[id] = index
  return true
end


--- Reads requests one by one and hands each to `take(line, id, inputs, index, number, request)`.
---@return integer|nil count
---@return string|nil message
---@return table|nil err
local function each_request(job, source, maker, take)
  local index = 0
  while true do
    local value, raw, line = source.next()
    if value == nil and raw then
      local err = line or {}
      if err.broken then
        return fault(source, err.line, raw:gsub("^line %d+:? ?", ""), "broken_line")
      end
      return errors.adopt("run", err, raw)
    elseif value == nil then
      return index
    end
    index = index + 1
    local text, id, inputs = maker:prepare(value, raw, index)
    if not text then
      return fault(source, line, id)
    end
    local ok, why, err = take(text, id, inputs, index, line, value)
    if not ok then
      return nil, why, err
    end
    job:breathe()
    if job.machine.failure or job.machine.raised then
      return job.machine:take_failure()
    end
  end
end


-- ---- families with parts ------------------------------------------------------------------------

--- The id of an earlier request, read back from the part it is in.
local function id_reader(job, writer)
  return function(index)
    local place, path = nil, nil
    for _, part in pairs(job.state.parts) do
      if part.attempt == 1 and not part.unconfirmed and index >= part.first and index < part.first + part.count then
        place = part
      end
    end
    if not place and writer and writer.part and index >= writer.part.first then
      place, path = writer.part, writer.part.path
      job.files:flush(place.writer)
    end
    if not place then
      return nil
    end
    local lines, why = parts.lines(job, place, path)
    if not lines then
      return nil, why
    end
    local line
    for _ = place.first, index do
      line, why = lines.next()
    end
    lines.close()
    return line and job:id_of_line(line), why
  end
end


--- Ends a part. One that an earlier process wrote and perhaps uploaded is kept if it is the same.
local function finish_part(job, writer)
  local record, why, err = writer:finish()
  if not record then
    return nil, why, err
  end
  local known = job.state.parts[record.part]
  if known and known.hash == record.hash and known.count == record.count and known.first == record.first then
    known.unconfirmed = nil
  else
    local ok
    ok, why, err = job:record(record)
    if not ok then
      return nil, why, err
    end
    parts.seen(job, job.state.parts[record.part])
  end
  job:changed()
  job:schedule()
  return true
end


--- Parts that an earlier process wrote count only once the same requests were seen again.
local function doubt_parts(job)
  for _, part in pairs(job.state.parts) do
    part.unconfirmed = true
  end
  job.state.input = nil
end


local function drop_doubted(job)
  for number, part in pairs(job.state.parts) do
    if part.unconfirmed then
      local ok, why, err = job:record{ type = "dropped", part = number }
      if not ok then
        return nil, why, err
      end
      job.files:unlink(parts.name(job.run.family, number))
    end
  end
  return true
end


local function write_parts(job, source, maker)
  local writer = parts.new(job)
  local number = 0
  local id_of = id_reader(job, writer)
  doubt_parts(job)
  local count, why, err = each_request(job, source, maker, function(line, id, inputs, index, at)
    local ok, message = enter(job, id, index, id_of)
    if not ok then
      return fault(source, at, message, "duplicate_id")
    end
    if writer.part and not writer:fits(#line, inputs) then
      local failure
      ok, message, failure = finish_part(job, writer)
      if not ok then
        return nil, message, failure
      end
    end
    if not writer.part then
      number = number + 1
      message = writer:too_large(number, #line, inputs)
      if message then
        return fault(source, at, message, "too_large")
      end
      local failure
      ok, message, failure = writer:begin(number, 1, index)
      if not ok then
        return nil, message, failure
      end
    end
    return writer:add(line, inputs)
  end)
  local ok = count ~= nil
  if ok and writer.part then
    ok, why, err = finish_part(job, writer)
  end
  writer:abandon()
  if ok then
    ok, why, err = drop_doubted(job)
  end
  if not ok then
    return nil, why, err
  end
  job.part_count = number
  return count
end


-- ---- families without parts ---------------------------------------------------------------------

--- The id of an earlier request, read back from the file.
local function id_of_line(job, path, writer, index)
  local files = job.files
  files:flush(writer)
  local reader, why = files:reader(path, record_file.any_length)
  if not reader then
    return nil, why
  end
  local request
  for _ = 1, index do
    request, why = files:json(reader)
  end
  files:close(reader)
  return request and answers.custom_id(job, request, index), why
end


local function write_requests(job, source, maker)
  local files, path = job.files, "requests.jsonl"
  local writer, why, err = files:writer(path .. ".new")
  if not writer then
    return errors.adopt("run", err, why)
  end
  local hash = core.sha256()
  local most_requests, most = drawing.limits(job)
  local together = groups.checker(job, most_requests, most)
  local count
  count, why, err = each_request(job, source, maker, function(line, id, _, index, at, request)
    local ok, message = enter(job, id, index, function(other)
      return id_of_line(job, path .. ".new", writer, other)
    end)
    if not ok then
      return fault(source, at, message, "duplicate_id")
    elseif most and #line > most then
      return fault(source, at, ("the request is %d bytes long; a call may have %d"):format(#line, most), "too_large")
    end
    ok, message = together:add(index, id, request, #line)
    if not ok then
      return fault(source, at, message, "split_group")
    end
    hash:update(line)
    hash:update("\n")
    return files:write(writer, line .. "\n")
  end)
  if count then
    local ok
    ok, why, err = (job.durable and files.sync or files.flush)(files, writer)
    count = ok and count
  end
  files:close(writer)
  if not count then
    files:unlink(path .. ".new")
    return nil, why, err
  end
  local ok
  ok, why, err = files:rename(path .. ".new", path)
  return ok and count, why or hash:hex(), err
end


-- ---- comparing ----------------------------------------------------------------------------------

local function changed_input(job)
  return errors.fail(errors.new{ kind = "job", code = "input_changed", operation = "run",
    message = ("%s holds a job of other requests, and it has been submitted: give the same requests, "
      .. "or another dir"):format(job.dir) })
end


--- Compares the requests with what was written, by the hash of each part.
local function compare(job, source, maker)
  local spans = {}
  for number = 1, job.state.last_part do
    local part = job.state.parts[number]
    if part and part.attempt == 1 then
      spans[#spans + 1] = { count = part.count, hash = part.hash }
    end
  end
  if #spans == 0 then
    spans[1] = { count = job.state.input.requests, hash = job.state.input.hash }
  end
  local at, seen, hash = 1, 0, core.sha256()
  local count, why, err = each_request(job, source, maker, function(line)
    local span = spans[at]
    if not span then
      return changed_input(job)
    end
    hash:update(line)
    hash:update("\n")
    seen = seen + 1
    if seen == span.count then
      if hash:hex() ~= span.hash then
        return changed_input(job)
      end
      at, seen, hash = at + 1, 0, core.sha256()
    end
    return true
  end)
  if not count then
    return nil, why, err
  elseif seen > 0 or at <= #spans then
    return changed_input(job)
  end
  return count
end


local function give_up(job, why, err)
  job:discard()
  return nil, why, err
end


--- Reads the requests to their end.
---@param job table
---@param requests any as given to run
---@return true|nil ok
---@return string|nil message
---@return table|nil err
function M.read(job, requests)
  local source, why, err = input.open(job.outside, requests, job.client._settings.max_line_bytes)
  if not source then
    return errors.adopt("run", err, why)
  end
  local maker = requests_of.new(job.run, job.options, job.checker)
  local count, hash
  if job.state.any_create then
    count, why, err = compare(job, source, maker)
  elseif job.has_parts then
    count, why, err = write_parts(job, source, maker)
  else
    count, hash, err = write_requests(job, source, maker)
    why = hash
  end
  if source.close then
    source.close()
  end
  if count == 0 and not job.state.any_create then
    count, why, err = fault(source, nil, "there are no requests", "empty")
  end
  if not count then
    if err and err.kind == "invalid" and not job.state.any_create then
      return give_up(job, why, err)
    end
    return nil, why, err
  elseif job.state.any_create then
    return true
  end
  -- With the options that the first request told: whoever resumes the job does not see it.
  return job:record{ type = "input", requests = count, hash = hash, options = options_of.recorded(job.options) }
end


return M
