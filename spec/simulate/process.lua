--- One process that works on the job: until its program ends, or it dies at some call of a seam.
---
--- A process that died is abandoned where it stands. Its calls raise from then on, its disk is dead;
--- nothing that it still does has an effect.

local clocks = require("simulate.clock")
local core = require("batchapi.core")
local files_of = require("batchapi.host.files")
local loop = require("batchapi.host")
local wire = require("simulate.wire")

local M = {}
M.__index = M

local DEAD = setmetatable({}, { __tostring = function() return "simulate: the process is dead" end })

M.DIR = "/simulated/job"


-- ---- its disk -----------------------------------------------------------------------------------

local disk = {}
disk.__index = disk


local function name_of(path)
  return path:match("[^/]*$")
end


--- The bytes of a file that a request takes from the disk.
function disk:send(path)
  return assert(core.fs.read(self.mount, name_of(path)))
end


--- The bytes of an answer that go to a file: whole under its name, as the engine does it.
function disk:receive(path, bytes)
  local name = name_of(path)
  local writer = core.writer(self.mount, name .. ".part")
  local ok = writer and writer:write(bytes) and writer:close()
  return ok and core.fs.rename(self.mount, name .. ".part", name)
end


-- ---- the process --------------------------------------------------------------------------------

---@param world table
---@param number integer which process of the run it is
---@param dies table|nil { seam = n } or { disk = n }: at which call
function M.new(world, number, dies)
  local self = setmetatable({
    world = world, number = number, dead = false, open_before = world.disk:open_files(),
    seams = 0, reports = {}, sent = {}, dies_at = dies and dies.seam,
  }, M)
  local mount = world.disk:mount(M.DIR)
  if dies and dies.disk then
    world.disk:die_after(dies.disk)
  end
  self.disk = setmetatable({ mount = mount }, disk)
  self.clock = clocks.given(self)
  self.host = clocks.host(self, world.plan.yields)
  self.wire = wire.new(self, world.service, world.shape.base)
  local files = files_of.new("block", mount)
  self.given = {
    clock = self.clock,
    random = function(bytes)
      return world:random(bytes)
    end,
    files = setmetatable({
      directory = function(_, _, options)
        if not (options or {}).create and next(world.disk:names()) == nil then
          return nil, M.DIR .. ": no such directory", { kind = "io", code = "ENOENT" }
        end
        return files
      end,
      rmdir = function() return true end,
      temporary = function() return "/simulated" end,
      goes_at_exit = function() return true end,
    }, { __index = files_of.direct }),
  }
  self.given.files.direct = self.given.files
  return self
end


function M:trace(...)
  if self.world.trace then
    self.world:say(("%d  "):format(self.number) .. (...):format(select(2, ...)))
  end
end


--- A call has news: whoever waits for it is woken when the process next waits, as by a mailbox.
function M:report(id)
  self.reports[#self.reports + 1] = id
end


function M:take_reports()
  local reports = self.reports
  if #reports > 0 then
    self.reports = {}
    for _, id in ipairs(reports) do
      loop.wake(id)
    end
  end
end


--- A call of a seam: the process may die here, or be stopped for a while.
function M:seam(what)
  if self.dead or self.world.disk:is_dead() then
    self.dead = true
    error(DEAD, 0)
  end
  self.seams = self.seams + 1
  if self.seams == self.dies_at then
    self:trace("dies at %s", what)
    self.dead = true
    error(DEAD, 0)
  end
  if what ~= "wait" then
    local pause = self.world.tape:event("process.paused", function(draw) return draw:wide(1, 3600) end)
    if pause then
      self:trace("is stopped for %d s", pause)
      self.world.clock:pass(pause)
      self.world.paused = self.world.paused + pause
    end
  end
end


--- How much there is of the time for its job.
function M:time_left()
  return math.max(0, self.began + (self.world.plan.timeout or 90000) - self.world.clock.time)
end


--- Is the time of its job over?
function M:is_late()
  return self:time_left() == 0
end


--- Runs a program to its end or the process's. True and what it gave; false when it died; nil and
--- what it raised.
function M:run(program)
  local co = coroutine.create(program)
  loop.adopt(co, self.host)
  local ok, value, why = coroutine.resume(co, self)
  local died = self.dead or self.world.disk:is_dead()
  if ok and coroutine.status(co) ~= "dead" then
    return nil, "the program yielded"
  elseif not ok and value ~= DEAD and not died then
    return nil, debug.traceback(co, tostring(value))
  end
  self.dead = true
  if died then
    return false
  end
  return true, value, why
end


return M
