--- The job: what the parts of its machinery share. What users call stands in job/handle.lua.

local batches = require("batchapi.job.batch")
local calls = require("batchapi.job.call")
local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local job_dir = require("batchapi.job.store.directory")
local journal = require("batchapi.job.store.journal")
local machine = require("batchapi.job.tasks")
local outcomes = require("batchapi.job.answer.outcome")
local parts = require("batchapi.job.input.parts")
local restore = require("batchapi.job.recover.restore")
local states = require("batchapi.job.store.state")
local store = require("batchapi.job.store.results")
local template = require("batchapi.definition.template")
local trouble = require("batchapi.watch.patience")
local windows = require("batchapi.watch.window")
local wire = require("batchapi.call.request")

local handle = require("batchapi.job.handle")
require("batchapi.job.waiting") -- they add their methods
require("batchapi.job.failed")

local methods = handle.methods

local M = {}

local FIRST_PAUSE = 1 -- seconds between two looks at a batch, unless the service or the user says
local DISCARD_PATIENCE = 10
local NOTICE_EVERY = 0.1 -- seconds between two updates while requests are read


-- ---- what the parts of the machinery use -----------------------------------------------------------

--- The path of a file in the job's directory, for who sends it or fetches it.
function methods:path(name)
  return self.dir .. "/" .. name
end


--- Writes a record into the journal and applies it.
---@param record table
---@param lazy boolean|nil see job/store/journal.lua
function methods:record(record, lazy)
  if self.closed or self.machine:is_inherited() then
    return nil, "the job was closed", { kind = "closed" }
  end
  local ok, why, err = self.journal:append(record, lazy)
  if not ok then
    return nil, why, err
  end
  return self.state:apply(record)
end


--- What is written into a batch's metadata, so that it can be found again.
function methods:token(number)
  return ("%s/%d"):format(self.id, number)
end


function methods:new_part()
  self.part_count = math.max(self.part_count, self.state.last_part) + 1
  return self.part_count
end


--- The directory is known.
---@param dir string
---@param files batchapi.Files those of the directory
---@param temporary boolean|nil nothing in it is to survive the job
function methods:settle_in(dir, files, temporary)
  self.dir, self.files, self.temporary = dir, files, temporary or false
  self.paths.dir, self.paths.files = dir, files.direct
  self.store = store.new(self, dir)
  if temporary then
    local paths = self.paths
    handle.at_end(self, function()
      handle.remove_files(paths)
    end)
  end
end


--- The values that templates may name, for a part (nil: none in particular).
function methods:known(number)
  local known = {}
  for name, value in pairs(self.options) do
    known[name] = value
  end
  if number and self.run.lookup then
    known.metadata = { batchapi_part = self:token(number) }
    for key, value in pairs(self.options.metadata or {}) do
      known.metadata[key] = value
    end
  end
  local part = number and self.state.parts[number]
  if part then
    known.file_id, known.batch_id = part.file_id, part.batch_id
  end
  return known
end


--- Calls an operation named by a definition's words.
---@param words table { operation, arguments }
---@param known table
---@param overrides table|nil
function methods:call(words, known, overrides)
  local arguments = template.arguments(words.arguments, known)
  if overrides and overrides.body_file then
    arguments.n, arguments[arguments.n] = arguments.n - 1, nil
  end
  return self.client:_call(words.operation, arguments, overrides)
end


--- An inline batch is sent from its file.
function methods:create_overrides(part)
  if self.run.family ~= "inline" then
    return nil
  end
  local path = self:path(parts.name("inline", part.part))
  return { content_type = "application/json", body_file = path, disk = self.files.disk }
end


--- The number of the request with an id, or nil.
function methods:find(id)
  return self.collided[id] or self.ledger:find(id)
end


--- The id in a line that was written for a request.
function methods:id_of_line(line)
  local request = core.decode(line)
  local id = type(request) == "table" and request[self.run.request.id]
  return type(id) == "string" and id or nil
end


function methods:sleep(seconds)
  return self.machine:sleep(seconds)
end


function methods:breathe()
  self.machine:breathe()
  if not self.state.input and self.version ~= self.told and self.clock.now() >= self.next_notice then
    self.next_notice = self.clock.now() + NOTICE_EVERY
    self:tell()
  end
end


--- Something is to be told to `on_update`.
function methods:changed()
  self.version = self.version + 1
end


--- Begins whatever can begin now; ends the job when nothing is left.
function methods:schedule()
  if self.done or self.ending or not self.machine.tasks then
    return
  end
  if self.family.schedule(self) or self.machine.running > 0 then
    return
  end
  self.ending = true
  self.machine:spawn(function()
    local ok, why, err = self:finish()
    self.ending = false
    return ok, why, err
  end)
end


function methods:finish()
  local ok, why, err
  if self.temporary then
    ok, why, err = self.store:flush()
  else
    ok, why, err = self.store:finish(self.options.ordered, function()
      self:breathe()
    end)
    if ok and not self.state.finished then
      ok, why, err = self:record{ type = "finished" }
    end
  end
  if not ok then
    return nil, why, err
  end
  self.done = true
  self:changed()
  self:release()
  return true
end


--- Lets go of the directory.
function methods:release()
  self.paths.over = true
  self.journal:close()
  self.store:close()
  if self.pass and self.pass.reader then
    self.files:close(self.pass.reader)
    self.pass.reader = nil
  end
  if not self.temporary then -- that one's goes with its files
    self.left_at = self:journal_size()
    self:unlock()
  end
end


--- How long the journal is: another process that takes the job up makes it longer.
---@return integer
function methods:journal_size()
  return (self.files.direct:stat(job_dir.journal) or { size = 0 }).size
end


function methods:unlock()
  if self.lock then
    self.lock:release()
    self.lock = nil
  end
end


--- Checks what makes a batch before anything is written; metadata too long is found here.
function methods:check_create()
  if self.run.family ~= "file" then
    return true
  end
  local known = self:known(1)
  known.file_id = "file-0"
  for name, rule in pairs(self.run.options or {}) do
    known[name] = known[name] or rule.infer and "/" or nil
  end
  local one = self.definition.by_name[self.run.create.operation]
  local made, why, err = wire.for_operation(self.client, one, template.arguments(self.run.create.arguments, known), {})
  if not made and why:find("metadata", 1, true) then
    return errors.invalid("run", why:gsub("^[%w_]+: ", "") .. "; batchapi_part among them is the job's own")
  elseif not made then
    return nil, why, err
  end
  return true
end


--- Checks a request as the operation that carries it would, before anything is sent.
local function checker_of(self)
  if self.has_parts or self.reads_only then
    return nil
  end
  local one = self.definition.by_name[self.run.create.operation]
  local known = self:known(nil)
  return function(sent)
    known.request, known.requests = sent, setmetatable({ sent }, core.array_mt)
    local arguments = template.arguments(self.run.create.arguments, known)
    local made, why = wire.for_operation(self.client, one, arguments, {})
    if not made then
      return nil, (why:gsub("^" .. one.name .. ": ", ""))
    end
    return true
  end
end


--- A job begun by an earlier process: its account is made again.
---@param damage batchapi.Damage[]|nil takes what is damaged; without it damage is a failure
function methods:recover(damage)
  self.part_count = self.state.last_part
  self.machine:enter()
  local ok, why, err = restore.account(self, damage)
  if not ok then
    return errors.adopt("run", err, why)
  end
  self.processed_before = self.store.counts.ok + self.store.counts.failed
  calls.restart(self)
  self.confirmed = self.confirmed or self.store.finished
  if self.store.finished and not (self.has_parts and batches.leaves_files(self)) then
    self.done = true
    self:release()
  end
  return true
end


--- The tasks of a stopped machine are gone: their marks too.
function methods:forget_tasks()
  self.active, self.uploading, self.releasing, self.ending = 0, 0, false, false
  self.store.opening = false
  for holder in pairs(self.troubled) do
    trouble.note(self, holder, nil)
  end
  for _, part in pairs(self.state.parts) do
    part.busy, part.held = false, false
    part.resumed = part.status == "created"
    part.recovered = part.status == "ended"
  end
  if self.ledger:count() > 0 then
    calls.restart(self)
  end
end


local function new_ledger(clock)
  return core.ledger(math.floor(clock.wall() * 1000) % 2 ^ 40)
end


--- The job is to be taken up anew from its directory: what is known of it goes.
function methods:forget()
  self.ledger, self.collided, self.pass, self.kept = new_ledger(self.clock), {}, nil, {}
  self.done, self.troubled, self.knows_batches, self.sent_again = false, {}, false, 0
end


--- Nothing was submitted and nothing will be: takes back what was uploaded and written.
function methods:discard()
  self.discarding = true
  local patience = self.clock.now() + DISCARD_PATIENCE -- for uploads under way, which else would stay there
  while self.uploading > 0 and self.clock.now() < patience and self.machine:drive(patience) do end
  self.machine:stop()
  for _, part in pairs(self.state.parts) do
    if part.file_id and self.run.delete and part.status == "uploaded" then
      self:call(self.run.delete, { file_id = part.file_id })
    end
  end
  self.journal:close()
  self.store:close()
  handle.remove_files(self.paths, self.files, self.outside)
  self:unlock()
  self:release()
end


--- An iterator has read all results of a job without a directory: its files go, unless they hold
--- lines that were not handed out.
function methods:results_ended()
  if self.temporary and self.done and self.state.unclaimed == 0 then
    self:close()
  end
end


local job_mt = { __name = "batchapi.job", __index = methods, __tostring = methods.describe }


--- A job that is in no directory yet.
---@param client batchapi.Client the service
---@param options table
---@param world batchapi.job.World the clock, randomness and disk
---@return batchapi.Job
function M.new(client, options, world)
  local definition = client._definition
  local run = definition.run
  options.interval = options.interval or (definition.wait or {}).interval or FIRST_PAUSE
  local has_parts = run.family == "file" or run.family == "inline"
  local host, clock, outside = client._context.host, world.clock, world.files
  local paths = { outside = outside.direct }
  local self = setmetatable({
    id = "job_" .. world.random(12), client = client, definition = definition, run = run, options = options,
    family = has_parts and batches or calls, has_parts = has_parts, outcome = outcomes.new(run),
    dir = options.dir, durable = options.dir ~= nil, temporary = false, lock = nil,
    reads_only = client._reads_only or false, -- it has ended, and no service is behind its client
    clock = clock, random = world.random,
    outside = outside, -- files at large: what the user names, and the directory's own
    files = outside,   -- those of the directory, once it is known
    journal = journal.none(), state = states.new(), ledger = new_ledger(clock),
    collided = {},       -- ids whose hash another one has
    part_count = 0, active = 0, uploading = 0, workers = 0, concurrency = options.concurrency or run.concurrency or 4,
    discarding = false,
    confirmed = false,   -- the service has accepted something
    closed = false, done = false, ending = false, releasing = false, results_given = false,
    pass = nil, kept = {}, drawing = false, paced = {}, warnings = {},
    version = 0, told = 0, -- what has changed, and what of it on_update knows
    warn = world.warn, next_notice = 0, began = clock.now(), processed_before = 0, paths = paths,
    answered = 0,        -- calls so far
    troubled = {},       -- what is being waited out, by whose it is (batchapi/watch/patience.lua)
    wish = nil, sent_again = 0, -- what job:retry chose, and how many of them are sent
    knows_batches = false, -- the service has told of one of them
  }, job_mt)
  self.machine = machine.new(host, clock, function()
    self:schedule()
  end, function()
    self:forget_tasks()
  end)
  self.patience = options.timeout or windows.timeout(run, options)
  self.deadline = clock.now() + self.patience
  self.checker = checker_of(self)
  self.store = store.new(self, options.dir or "")
  return self
end


return M
