--- The failed requests of a job that has ended: they are sent again, or written to a file.

local errors = require("batchapi.util.errors")
local handle = require("batchapi.job.handle")
local opening = require("batchapi.job.store.opening")
local options = require("batchapi.check.options")
local outcomes = require("batchapi.job.answer.outcome")
local parts = require("batchapi.job.input.parts")
local results_of = require("batchapi.job.output.results")
local retry = require("batchapi.job.recover.retry")
local tally = require("batchapi.job.store.tally")

local methods = handle.methods

local retry_options = options.list{
  { name = "attempts", kind = "integer", min = 1, help = "how often each is sent at most (1)" },
  { name = "only", kind = "function", callable = true, help = "which: it is given the result" },
}
local write_options = options.list{
  { name = "only", kind = "function", callable = true, help = "which: it is given the result" },
}


--- nil, message, err when another process has taken the job up since this one let go of it.
local function check_untouched(job, name)
  if job.temporary or job:journal_size() == job.left_at then
    return true
  end
  return errors.fail(errors.new{ kind = "job", code = "opened_again", operation = name,
    message = ("another process has gone on with the job in %s: resume it to see what came of it"):format(job.dir) })
end


--- nil, message, err when the failed requests cannot be asked for.
local function check_ended(job, name)
  if job.closed then
    return errors.fail(errors.new{ kind = "closed", operation = name, message = "the job was closed" })
  elseif not job.done then
    return errors.fail(errors.new{ kind = "job", code = "not_ended", operation = name,
      message = "the job has not ended: wait for it first" })
  elseif job.temporary and job.results_given then
    errors.misuse(("job:%s: without dir it comes before job:results(), with which the job is over"):format(name))
  end
  return check_untouched(job, name)
end


-- A failed request that was surely not paid for.
local function is_unpaid(result)
  return not outcomes.may_be_paid(result.error.code)
end


--- The results of the failed requests that are wanted, by their numbers.
---@return table<integer, table>|nil chosen
---@return integer|string count, or the message
---@return table|nil err
local function choose(job, wanted)
  local chosen, count = {}, 0
  local results = results_of.new(job, nil, true)
  while true do
    local result, why, err = results:next()
    if not result then
      return why == nil and chosen or nil, why or count, err
    elseif not result.ok and wanted(result) then
      count = count + 1
      chosen[result.index] = { ok = false, status = result.status, error = { code = result.error.code } }
    end
  end
end


-- ---- sending them again ---------------------------------------------------------------------------

--- A job without a directory: all that is known of it is here.
local function begin_here(job, chosen)
  local store = job.store
  local ok, why, err = retry.check_files(job, chosen)
  if not ok then
    return nil, why, err
  end
  local count
  count, why, err = retry.begin(job, chosen, function(index, mark)
    tally.remove(store.counts, chosen[index])
    job.ledger:set(index, mark)
  end)
  if count and count > 0 then
    store.round, job.done, job.pass, job.kept = job.state.round, false, nil, {}
    store:reopen()
  end
  return count, why, err
end


-- All that is known of a job.
local function remember(job)
  local before = {}
  for name, value in pairs(job) do
    before[name] = value
  end
  return before
end


-- The job could not be taken up: it is what it was, and its directory free. It may have been closed meanwhile.
local function go_back(job, before)
  local closed = job.closed
  job.journal:close()
  job.store:close()
  job:unlock()
  for name in pairs(job) do
    job[name] = before[name]
  end
  for name, value in pairs(before) do
    job[name] = value
  end
  job.closed = closed
end


--- A job in a directory is taken up as another process would: one may have been there meanwhile.
local function begin_anew(job)
  local before = remember(job)
  local files, why, err = opening.hold(job, job.dir, job.how, job.options.lock_timeout)
  if not files then
    return nil, why, err
  end
  local ok
  ok, why, err = check_untouched(job, "retry")
  if not ok then
    job:unlock()
    return nil, why, err
  end
  job:forget()
  ok, why, err = opening.read(job, job.dir, files)
  if ok then
    ok, why, err = job:recover()
  end
  if not ok then
    go_back(job, before)
    return nil, why, err
  end
  return job.sent_again
end


--- Sends failed requests of a job that has ended again. The job then goes on, and each request has one
--- result: its newest. Without `only` these are all that have failed and were surely not paid for; with it
--- those for which it gives true, and `status().maybe_paid_twice` counts the ones that may have been paid.
---@param given { attempts: integer|nil, only: (fun(result: table): boolean)|nil }|nil attempts: how often each is sent at most (1)
---@return integer|nil count how many are sent again; 0: the job stays ended
---@return string|nil message
---@return batchapi.Error|nil err
function methods:retry(given)
  given = given or {}
  options.check(given, retry_options, "job:retry")
  local ok, why, err = check_ended(self, "retry")
  if not ok then
    return nil, why, err
  elseif self.reads_only then
    return errors.fail(errors.new{ kind = "job", code = "no_client", operation = "retry",
      message = "the job was resumed to be read only: resume with { client = … } can send its requests again" })
  end
  local chosen, count
  chosen, count, err = choose(self, given.only or is_unpaid)
  if not chosen then
    return nil, count, err
  elseif count == 0 then
    return 0
  end
  self.wish = { chosen = chosen, attempts = given.attempts or 1, only = given.only ~= nil }
  if self.temporary then
    count, why, err = begin_here(self, chosen)
  else
    count, why, err = begin_anew(self)
  end
  self.wish = nil
  if not count then
    return errors.adopt("retry", err, why)
  end
  self.reading = nil
  if count > 0 then
    self.deadline, self.paths.over = self.clock.now() + self.patience, false
    self:mind_the_end()
    self:changed()
  end
  return count
end


-- ---- writing them to a file -----------------------------------------------------------------------

--- Hands the lines of the chosen requests to `take(line)`, in their order. Their files are what was written.
local function each_line(job, chosen, take)
  local spans = {}
  for number = 1, job.has_parts and job.state.last_part or 0 do
    local part = job.state.parts[number]
    spans[#spans + 1] = part and part.attempt == 1 and retry.holds_any(chosen, part) and part or nil
  end
  if not job.has_parts and next(chosen) ~= nil then
    spans[1] = { first = 1, count = job.state.input.requests }
  end
  for _, part in ipairs(spans) do
    local reader, why, err
    if job.has_parts then
      reader, why, err = parts.lines(job, part)
    else
      reader, why, err = parts.whole_file(job, "requests.jsonl")
    end
    local ok = reader ~= nil
    for index = part.first, reader and part.first + part.count - 1 or 0 do
      local line
      line, why, err = reader.next()
      ok = line ~= nil
      if ok and chosen[index] then
        ok, why, err = take(line)
      end
      if not ok then
        break
      end
      job:breathe()
    end
    if reader then
      reader.close()
    end
    if not ok then
      return nil, why or "the file of requests is shorter than the journal says",
        err or { kind = "job", code = "requests_damaged" }
    end
  end
  return true
end


--- Writes failed requests of a job that has ended to a file that `run` takes, as the job sent them.
---@param path string
---@param given { only: (fun(result: table): boolean)|nil }|nil as for retry
---@return integer|nil count how many they are
---@return string|nil message
---@return batchapi.Error|nil err
function methods:write_failed(path, given)
  given = given or {}
  if type(path) ~= "string" or path == "" then
    errors.misuse("job:write_failed: the path of a file expected")
  end
  options.check(given, write_options, "job:write_failed")
  if self.run.request and self.run.request.send then
    errors.misuse("job:write_failed: the service is sent another form of requests than run takes")
  end
  local ok, why, err = check_ended(self, "write_failed")
  local chosen, count, writer
  if ok then
    chosen, count, err = choose(self, given.only or is_unpaid)
    ok, why = chosen, count
  end
  if ok then
    ok, why, err = retry.check_files(self, chosen)
  end
  if ok then
    writer, why, err = self.outside:writer(path .. ".new")
    ok = writer
  end
  if ok then
    count = 0 -- some may have been taken out
    ok, why, err = each_line(self, chosen, function(line)
      count = count + 1
      return self.outside:write(writer, line .. "\n")
    end)
  end
  if ok then
    ok, why, err = self.outside:sync(writer)
  end
  if writer then
    self.outside:close(writer)
  end
  if ok then
    ok, why, err = self.outside:rename(path .. ".new", path)
  elseif writer then
    self.outside:unlink(path .. ".new")
  end
  if not ok then
    return errors.adopt("write_failed", err, why)
  end
  return count
end


return methods
