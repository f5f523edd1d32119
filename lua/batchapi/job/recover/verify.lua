--- `batchapi.verify(dir)`: what in a job's directory is damaged. Nothing is changed, and nothing is held:
--- a job that another process drives may be looked at too.

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local files_of = require("batchapi.host.files")
local job_dir = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
local options = require("batchapi.check.options")
local parts = require("batchapi.job.input.parts")
local record_file = require("batchapi.job.store.record_file")
local salvages = require("batchapi.job.recover.salvage")
local states = require("batchapi.job.store.state")
local unclaimed = require("batchapi.job.store.unclaimed")

local M = {}

local OPTIONS = options.list{ { name = "group", kind = "boolean" } }

---@class batchapi.Verification
---@field ok boolean nothing is damaged
---@field dir string
---@field id string|nil of the job
---@field service string|nil
---@field format integer|nil of the directory; only the newest is checked
---@field records integer of the journal, that prove themselves
---@field requests integer|nil
---@field results integer that prove themselves
---@field parts integer whose files were checked
---@field finished boolean
---@field damage batchapi.Damage[]

local mt = {
  __name = "batchapi.verification",
  __tostring = function(self)
    local lines = { ("%s: %s (%d records, %d results, %d parts)"):format(self.dir,
      self.ok and "nothing is damaged" or ("%d damaged"):format(#self.damage), self.records, self.results, self.parts) }
    for _, damage in ipairs(self.damage) do
      lines[#lines + 1] = "  " .. record_file.describe(damage)
    end
    return table.concat(lines, "\n")
  end,
}


local function read_journal(files, found, state)
  local salvage = salvages.new()
  local read, why, err = journal.read(files, job_dir.journal, function(record)
    found.records = found.records + 1
    return salvages.take(salvage, state, record)
  end, salvage.damage)
  found.damage = salvage.damage
  return read, why, err
end


local function read_results(files, found, state)
  local name = files:stat("results.jsonl") and "results.jsonl" or "results.jsonl.part"
  found.finished = name == "results.jsonl"
  if not files:stat(name) then
    return true
  end
  local seen = {}
  return record_file.read(files, name, core.crc32c(state.job.id), function(result, _, reader)
    local known = type(result.index) == "number" and not seen[result.index]
    if known then
      seen[result.index], found.results = true, found.results + 1
    else
      found.damage[#found.damage + 1] = { file = name, line = reader:number(), what = "it is the result of no request, "
        .. "or a second one" }
    end
    return true
  end, found.damage, "fields")
end


-- Lines that belong to no request, and the second copy of what one line of the journal alone says.
local function check_beside(files, found, state)
  local id = state.job.id
  local beside = { [unclaimed.CALLS] = unclaimed.seed_of(id, unclaimed.CALLS), [journal.COPY] = function(line)
    return journal.seed_of(id, line)
  end }
  for number, part in pairs(state.parts) do
    if (part.unclaimed or 0) > 0 then
      beside[unclaimed.name(number)] = unclaimed.seed_of(id, unclaimed.name(number))
    end
  end
  for name, seed in pairs(beside) do
    if files:stat(name) then
      local read, why, err = record_file.read(files, name, seed, function() return true end, found.damage)
      if not read then
        return nil, why, err
      end
    end
  end
  return true
end


local function check_parts(files, found, state)
  local job = { files = files, run = { family = state.job.family or files:stat("part-00001.json") and "inline" or "file" },
    breathe = function() end }
  for number = 1, state.last_part do
    local part = state.parts[number]
    if part and not part.lost and not part.damaged then
      local ok, why, err = parts.check(job, part)
      found.parts = found.parts + 1
      if not ok and err and err.damage then
        found.damage[#found.damage + 1] = err.damage[1]
      elseif not ok then
        return nil, why, err
      end
    end
  end
  local hash = (state.input or {}).hash
  if hash and files:stat("requests.jsonl") and files:sha256("requests.jsonl") ~= hash then
    found.damage[#found.damage + 1] = { file = "requests.jsonl", what = "it is not what was written" }
  end
  return true
end


--- Looks for damage in the directory of a job.
---@param dir string
---@param given { group: boolean|nil }|nil
---@return batchapi.Verification|nil found prints as text
---@return string|nil message
---@return batchapi.Error|nil err
function M.verify(dir, given)
  if type(dir) ~= "string" then
    errors.misuse(("verify: the directory of a job expected, got a %s"):format(type(dir)))
  end
  given = given or {}
  options.check(given, OPTIONS, "verify")
  local files, why, err = job_dir.open(files_of.new(), dir, { group = given.group })
  if not files then
    return errors.adopt("verify", err, why)
  end
  local first, proven, failure = job_dir.first_record(files)
  if failure or proven == nil then
    return errors.adopt("verify", failure or { kind = "job", code = "not_a_job" },
      failure and proven or dir .. " does not hold a job of batchapi")
  end
  local found = { ok = false, dir = dir, records = 0, results = 0, parts = 0, finished = false, damage = {},
    format = type(first) == "table" and type(first.format) == "number" and first.format or nil }
  if found.format and found.format ~= journal.format and not (first.crc and not proven) then
    return errors.adopt("verify", { kind = "job", code = "other_format" },
      ("%s is of format %d, whose lines cannot be checked by this version (%d)"):format(dir, found.format, journal.format))
  end
  local state = states.new()
  local ok
  ok, why, err = read_journal(files, found, state)
  if ok and state.job then
    found.id, found.service, found.requests = state.job.id, state.job.service, (state.input or {}).requests
    ok, why, err = read_results(files, found, state)
    if ok then
      ok, why, err = check_parts(files, found, state)
    end
    if ok then
      ok, why, err = check_beside(files, found, state)
    end
  end
  if not ok then
    return errors.adopt("verify", err, why)
  end
  found.ok = #found.damage == 0
  return setmetatable(found, mt)
end


return M
