--- The results of a job as an iterator: waits as long as it must, then streams from disk.

local errors = require("batchapi.util.errors")
local in_order = require("batchapi.job.store.order")
local iterator = require("batchapi.host.iterator")
local record_file = require("batchapi.job.store.record_file")

local M = {}

---@class batchapi.Results
---@overload fun(): table the next result, in a `for`; a failure raises
local methods = {}


local function damaged(self)
  return errors.fail(errors.new{ kind = "job", code = "results_damaged", operation = "results",
    message = ("%s holds a line that is no result"):format(self._job.store.path) })
end


local function checked(self, from, result, message, err)
  if result == nil and message then
    if err and err.code == "checksum" then
      return damaged(self)
    end
    return errors.adopt("results", err, message)
  elseif type(result) ~= "table" then
    return damaged(self)
  end
  self._count = self._count + 1
  return self._job.store:result_of(result, self._raw and from:raw() or nil)
end


--- The next line of the file as far as it is visible; nil when more must come.
local function read_on(self)
  local job = self._job
  local files, results = job.files, job.store
  if self._place >= results.visible then
    return nil
  end
  if not self._reader then
    local why, err
    self._reader, why, err = files:reader(results.path, { offset = self._place,
      max_line_bytes = record_file.any_length.max_line_bytes })
    if not self._reader then
      return errors.adopt("results", err, why)
    end
    self._until = results.visible
  end
  local record, message, err = files:proven(self._reader, results.seed)
  self._place = self._reader:offset()
  local result, why, failure = checked(self, self._reader, record, message, err)
  if self._place >= self._until then
    files:close(self._reader)
    self._reader = nil
  end
  return result, why, failure
end


--- The result of the next request in order, if it is settled.
local function read_in_order(self)
  local record, message, err = self._ordered:take("proven")
  if record == nil and not message then
    return nil
  end
  return checked(self, self._ordered, record, message, err)
end


local function close(self)
  self._ended = true
  if self._reader then
    self._job.files:close(self._reader)
    self._reader = nil
  end
  if self._ordered then
    self._ordered:close()
  end
  if not self._stays then
    self._job:results_ended()
  end
end


--- The next result; nil alone when every request had its own; nil, why, err on a failure, after
--- which it may be called again.
---@return table|nil result
---@return string|nil message
---@return batchapi.Error|nil err
function methods:next()
  if self._ended then
    return nil
  end
  local job = self._job
  while true do
    local result, message, err
    if self._store ~= job.store or self._round ~= job.state.round then
      return errors.fail(errors.new{ kind = "job", code = "opened_again", operation = "results",
        message = "requests were sent again meanwhile: job:results() begins anew" })
    elseif (job.closed or job.machine:is_inherited()) and (job.temporary or not job.done) then
      return errors.fail(errors.new{ kind = "closed", operation = "results", message = "the job was closed" })
    end
    if self._ordered then
      result, message, err = read_in_order(self)
    else
      result, message, err = read_on(self)
    end
    if result ~= nil or message then
      job:breathe()
      return result, message, err
    elseif job.done and self._count < job.state.input.requests then
      return errors.fail(errors.new{ kind = "job", code = "results_damaged", operation = "results",
        message = ("%s holds %d results for %d requests"):format(job.store.path, self._count,
          job.state.input.requests) })
    elseif job.done then
      close(self)
      return nil
    end
    local ok
    ok, message, err = job:advance()
    if not ok then
      return nil, message, err
    end
  end
end


local mt = iterator.metatable(methods, "batchapi.results")


---@param job table
---@param raw boolean|nil each result has `raw`, the bytes that the service sent for it
---@param stays boolean|nil what is read may be read again
---@return batchapi.Results
function M.new(job, raw, stays)
  return setmetatable({
    _raw = raw, _stays = stays, _store = job.store, _round = job.state.round,
    _job = job, _what = "results", _host = job.client._context.host,
    _ordered = (job.options.ordered or job.store.reopened) and not job.store.finished
      and in_order.new(job.store) or nil,
    _place = 0, _until = 0, _count = 0, _reader = nil, _ended = false,
  }, mt)
end


return M
