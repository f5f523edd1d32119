--- What jobs on disk say of themselves: read without their key and without their lock, also while
--- another process drives them.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local files_of = require("batchapi.host.files")
local job_dir = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
local record_file = require("batchapi.job.store.record_file")
local states = require("batchapi.job.store.state")
local status_of = require("batchapi.job.output.status")
local tally = require("batchapi.job.store.tally")

local M = {}

local RESULTS = { "results.jsonl", "results.jsonl.part" }


local function check_dir(name, dir)
  if type(dir) ~= "string" then
    errors.misuse(("%s: a directory expected, got a %s"):format(name, type(dir)))
  end
end


local function not_a_job(name, dir)
  return errors.fail(errors.new{ kind = "job", code = "not_a_job", operation = name,
    message = dir .. " does not hold a job of batchapi" })
end


--- What a journal tells. A line that is being written, or is damaged, is passed over.
local function read_journal(name, dir)
  local files, why, err = job_dir.open(files_of.new(nil), dir, {})
  if not files then
    return errors.adopt(name, err, why)
  end
  local state, stat = states.new(), files:stat(job_dir.journal)
  if not stat or stat.size == 0 then
    return not_a_job(name, dir)
  end
  local found
  found, why, err = journal.read(files, job_dir.journal, function(record)
    return state:apply(record)
  end, {})
  if not found then
    return errors.adopt(name, err, why)
  elseif not state.job then
    return not_a_job(name, dir)
  end
  return state, files
end


--- How the results that are there came out, the newest of each request.
local function count_results(state, files)
  local counts, seen = tally.new(), {}
  for _, name in ipairs(RESULTS) do
    local stat = files:stat(name)
    if stat and stat.size > 0 then
      local found, why, err = record_file.read(files, name, core.crc32c(state.job.id), function(result)
        local former = seen[result.index]
        if former then
          tally.remove(counts, former)
        end
        local reason = type(result.error) == "table" and result.error or {}
        seen[result.index] = result.ok and { ok = true } or { ok = false, error = { code = reason.code } }
        tally.add(counts, result)
        return true
      end, {}, "fields")
      if not found then
        return nil, why, err
      end
      break
    end
  end
  return counts
end


--- How far a job in a directory is, whoever drives it. What is not on disk yet is not told.
---@param dir string
---@return batchapi.JobStatus|nil status
---@return string|nil message
---@return batchapi.Error|nil err
function M.status(dir)
  check_dir("status", dir)
  local state, files, err = read_journal("status", dir)
  if not state then
    return nil, files, err
  end
  local counts, why
  counts, why, err = count_results(state, files)
  if not counts then
    return errors.adopt("status", err, why)
  end
  local now, wall = core.now, core.wall
  return status_of.of{
    id = state.job.id, options = { dir = dir }, state = state, store = { counts = counts }, done = state.finished,
    clock = { now = now, wall = wall }, began = now() - math.max(wall() - state.job.at, 0),
    ledger = { count = function()
      return counts.ok + counts.failed
    end },
    processed_before = math.huge, warnings = {}, troubled = {}, -- how fast it goes its own process knows
  }
end


---@class batchapi.JobSummary
---@field dir string
---@field id string
---@field service string
---@field state "writing"|"running"|"cancelling"|"cancelled"|"done"
---@field requests integer|nil how many there are, once they are written
---@field parts integer how many parts
---@field at number when it was begun, seconds since 1970

local function summary(dir)
  local state = read_journal("jobs", dir)
  if not state then
    return nil
  end
  local parts = 0
  for _ in pairs(state.parts) do
    parts = parts + 1
  end
  return {
    dir = dir, id = state.job.id, service = state.job.service, at = state.job.at, parts = parts,
    requests = state.input and state.input.requests, state = status_of.state({ done = state.finished, state = state }),
  }
end


--- The jobs in the directories below one, the oldest first.
---@param dir string
---@return batchapi.JobSummary[]|nil jobs
---@return string|nil message
---@return batchapi.Error|nil err
function M.list(dir)
  check_dir("jobs", dir)
  local files, why, err = job_dir.open(files_of.new(nil), dir, {})
  local names
  if files then
    names, why, err = files:list()
  end
  if not names then
    return errors.adopt("jobs", err, why)
  end
  local list = {}
  for _, name in ipairs(names) do
    local stat = files:stat(name)
    list[#list + 1] = stat and stat.type == "directory" and summary(dir .. "/" .. name) or nil
  end
  table.sort(list, function(a, b)
    return a.at < b.at or a.at == b.at and a.dir < b.dir
  end)
  return list
end


return M
