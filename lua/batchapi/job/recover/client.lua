--- The client of a job that is resumed: one that was given, one of the environment, or, to read a job that
--- has ended, a stand-in that has no service behind it.

local definition = require("batchapi.definition")
local errors = require("batchapi.util.errors")
local job_dir = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
local merge = require("batchapi.definition.extends")
local states = require("batchapi.job.store.state")
local store = require("batchapi.job.store.results")

local M = {}


--- The first record of a journal, read without holding the directory.
local function first_record(files, dir, salvage)
  local record, proven, err, copy = job_dir.first_record(files)
  if err then
    return errors.adopt("resume", err, proven)
  elseif copy and salvage then
    return copy
  elseif proven == nil or record and record.type ~= "job" then
    return errors.fail(errors.new{ kind = "job", code = "not_a_job", operation = "resume",
      message = dir .. " does not hold a job of batchapi" })
  elseif record and type(record.format) == "number" and record.format > journal.format then
    return errors.fail(errors.new{ kind = "job", code = "newer_format", operation = "resume",
      message = dir .. " was made by a newer version of batchapi; use that version to go on" })
  elseif not proven and not (record and record.format == 1 and record.crc == nil) then
    return errors.fail(errors.new{ kind = "job", code = "journal_damaged", operation = "resume", line = 1,
      message = ("%s/%s, line 1: the line is damaged, and with it what the job is; %s"):format(dir, job_dir.journal,
        copy and "nothing was cut, sent or handed out: resume with salvage = true takes the line's second copy"
        or "batchapi.verify tells what is left") })
  end
  return record
end


-- ---- one that only reads ------------------------------------------------------------------------


--- Has the job ended, and are its results whole? As its files say it now, whoever holds them.
local function has_ended(files)
  local state = states.new()
  local found = journal.read(files, job_dir.journal, function(record)
    return state:apply(record)
  end, {})
  return found ~= nil and state.finished and store.is_whole(files)
end


local function is_shipped(service)
  for _, name in ipairs(merge.names) do
    if name == service then
      return true
    end
  end
  return false
end


--- What reading results takes of a definition's `run`. Journals of old do not tell it.
local function run_of(record)
  if record.family then
    return { family = record.family, result = { body = record.body } }
  end
  return is_shipped(record.service) and definition.load(record.service).run or nil
end


--- A client without a service: enough to read the results of a job that has ended.
local function stand_in(record)
  local run = run_of(record)
  return run and {
    _definition = { name = record.service, run = run }, _base_url = record.origin, _context = { host = "auto" },
    _settings = {}, _reads_only = true,
  }
end


-- ---- which it is --------------------------------------------------------------------------------


local function from_environment(record, make)
  if type(record.service) ~= "string" or not is_shipped(record.service) then
    return errors.fail(errors.new{ kind = "job", code = "other_service", operation = "resume",
      message = ("the job is one of '%s', a service of your own: give { client = … }"):format(tostring(record.service)) })
  end
  return make(record.service)
end


--- The client for the job in a directory, and the journal's first record.
---@param outside batchapi.Files of the file system at large
---@param dir string
---@param given batchapi.ResumeOptions
---@param make fun(service: string): batchapi.Client|nil, string|nil, batchapi.Error|nil with what the environment has
---@return table|nil client
---@return table|string record, or the message
---@return table|nil err
function M.of(outside, dir, given, make)
  local files, why, err = job_dir.open(outside, dir, { group = given.group })
  if not files then
    return errors.adopt("resume", err, why)
  end
  local record
  record, why, err = first_record(files, dir, given.salvage)
  if not record then
    return nil, why, err
  elseif given.client then
    return given.client, record
  end
  local client
  client, why, err = from_environment(record, make)
  local fits = client and job_dir.origin(client._base_url) == record.origin
  if not (fits or given.attempts or given.cleanup or given.salvage) and has_ended(files) then
    client = stand_in(record) or client
  end
  return client, client and record or why, err
end


return M
