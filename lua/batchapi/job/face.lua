--- The job as users hold it: what they may call, and its id; nothing behind it can be reached. The engine
--- is job/object.lua.

local errors = require("batchapi.util.errors")
local suggest = require("batchapi.util.suggest")

---@class batchapi.Job
---@field id string

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
