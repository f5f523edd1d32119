--- The job as users hold it: what they may call, and its id; nothing behind it can be reached. The engine
--- is job/object.lua.

local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")

---@alias batchapi.JobWait { on_update?: fun(status: batchapi.JobStatus), timeout?: number }

---@class batchapi.Job
---@field id string
---@field submit fun(self: batchapi.Job, given?: batchapi.JobWait): batchapi.JobStatus|nil, string|nil, batchapi.Error|nil until all is at the service
---@field wait fun(self: batchapi.Job, given?: batchapi.JobWait): batchapi.JobStatus|nil, string|nil, batchapi.Error|nil until each request has its result
---@field poll fun(self: batchapi.Job, given?: batchapi.JobWait): batchapi.JobStatus|nil, string|nil, batchapi.Error|nil what is due now, without waiting
---@field status fun(self: batchapi.Job): batchapi.JobStatus
---@field results fun(self: batchapi.Job, given?: { raw?: boolean }): batchapi.Results
---@field unclaimed fun(self: batchapi.Job): batchapi.Unclaimed lines of the service that belong to no request
---@field retry fun(self: batchapi.Job, given?: { attempts?: integer, only?: fun(result: batchapi.Result): boolean }): integer|nil, string|nil, batchapi.Error|nil
---@field write_failed fun(self: batchapi.Job, path: string, given?: { only?: fun(result: batchapi.Result): boolean }): integer|nil, string|nil, batchapi.Error|nil
---@field cancel fun(self: batchapi.Job): batchapi.JobStatus|nil, string|nil, batchapi.Error|nil
---@field close fun(self: batchapi.Job)
---@overload fun(): batchapi.Result|nil, string|nil, batchapi.Error|nil the next result

local M = {}

--- What a job can be asked to do.
M.names = { "submit", "wait", "poll", "status", "results", "unclaimed", "retry", "write_failed", "cancel", "close" }

local engines = setmetatable({}, { __mode = "kv" }) -- by the face, whose metatable holds the engine
local methods = {}


local function engine_of(face, name)
  local engine = face ~= nil and engines[face]
  if not engine then
    errors.misuse("bad self to '%s': call it with a colon, job:%s(…)", name, name)
  end
  return engine
end

for _, name in ipairs(M.names) do
  methods[name] = function(face, ...)
    local engine = engine_of(face, name)
    local first, second, third = engine[name](engine, ...)
    return errors.given(first, second, third)
  end
end


--- What is no method and no field: nil for words that are nobody's, misuse for what was surely meant as one.
local function index(face, name)
  if methods[name] then
    return methods[name]
  elseif name == "id" then
    return engine_of(face, "id").id
  elseif type(name) ~= "string" or name:find("^_") then
    return nil
  end
  errors.misuse("a job has no '%s'%s", name, suggest.hint(name, M.names))
end


local function refuse()
  errors.misuse("a job's fields cannot be set")
end


--- The next result, of one reading of the results that all such calls share.
local function next_result(face)
  local engine = engine_of(face, "()")
  engine.reading = engine.reading or engine:results()
  local result, why, err = engine.reading:next()
  return result, why, err
end


--- What stands for an engine before users.
---@param engine table
---@return batchapi.Job
function M.of(engine)
  local face = setmetatable({}, {
    __name = "batchapi.job", __index = index, __newindex = refuse, __call = next_result, __metatable = "batchapi.job",
    __tostring = function()
      return engine:describe() -- holds the engine as long as the face is held
    end,
  })
  engines[face] = engine
  return face
end


--- The engine behind a job, for who must look inside: the tests.
---@param face batchapi.Job
---@return table|nil
function M.engine(face)
  return engines[face]
end


return M
