--- Simulated services that take one request at a time: FactSet, where each makes a batch, and Robotoff,
--- which answers at once. What became of a lost one cannot be looked up.

local batches = require("simulate.batches")
local core = require("batchapi.core")

local M = {}
M.__index = M


function M.new(world)
  return setmetatable({ world = world, batches = {}, by_id = {}, last = 0 }, M)
end


local function carry_out(self, request, id)
  local record = self.world.record
  local answer = { mark = record:mark(), ok = true, status = 200, readable = true }
  if self.world.tape:event("item.failed") then
    answer.ok, answer.code = false, "failed"
  end
  record:answer(id, answer)
  record.sent[id] = record.sent[id] or {}
  table.insert(record.sent[id], { shadow = request.shadow })
  return answer
end


local function create(self, request)
  local world = self.world
  local draw, clock = world.tape:draw("batch"), world.clock
  self.last = self.last + 1
  local batch = { id = ("job-%d"):format(self.last), found_at = clock.time }
  local late = world.tape:event("batch.late", function(s) return s:real() * world.plan.settle * 0.4 end)
  batch.found_at = clock.time + (late or 0)
  batch.answer = carry_out(self, request, request.ids[1])
  batch.answer.batch, batch.requests = batch.id, { request.ids[1] }
  batch.ends_at = clock.time + draw:wide(1, world.plan.slowest)
  batch.shadow, request.batch, request.answers = request.shadow, batch, { batch.answer }
  self.by_id[batch.id] = batch
  world.record.batches[#world.record.batches + 1] = batch
  return 202, ('{"data":{"batchId":"%s","status":"queued"}}'):format(batch.id)
end


local function ended(self, batch)
  if not batch.known and self.world.clock.time >= batch.ends_at then
    batch.known = true
    batch.results_gone = self.world.tape:event("result.gone")
    local late = self.world.tape:event("result.late", function(draw) return draw:wide(0.5, 2 * self.world.plan.settle) end)
    batch.results_at = self.world.clock.time + (late or 0)
  end
  return batch.known
end


local function look(self, batch, rest)
  if rest == "status" then
    batch.polled = true
    local done = ended(self, batch)
    return done and 201 or 202, ('{"data":{"batchId":"%s","status":"%s"}}'):format(batch.id,
      done and "completed" or "executing")
  elseif not ended(self, batch) or batch.results_gone or batch.results_at > self.world.clock.time then
    return 404, '{"errors":[{"code":"notFound","title":"none"}]}'
  end
  local answer = batch.answer
  return 200, ('{"data":{"mark":"%s","jobs":[{"status":"%s"}]}}'):format(answer.mark, answer.ok and "created" or "failed")
end


function M:handle(request)
  if request.path == "/batch/import" then
    local answer = carry_out(self, request, request.ids[1])
    request.answers = { answer }
    if answer.ok then
      return 200, ('{"status":"scheduled","mark":"%s"}'):format(answer.mark)
    end
    answer.code = "http_400"
    return 400, ('{"description":"no","mark":"%s"}'):format(answer.mark)
  elseif request.path == "/batch" then
    return create(self, request)
  end
  local id, rest = request.path:match("^/batch/([^/]+)/(%a+)$")
  local batch = self.by_id[id]
  if not batch or batch.found_at > self.world.clock.time or batch.gone or batches.is_hidden(self.world, batch) then
    return 404, '{"errors":[{"code":"notFound","title":"none"}]}'
  elseif rest == "status" and not batch.known and self.world.tape:event("batch.gone") then
    batch.gone = true
    return 404, '{"errors":[{"code":"notFound","title":"none"}]}'
  end
  return look(self, batch, rest)
end


function M.purpose(_, request)
  if request.path == "/batch/import" then
    request.ids = { request.query.batch_dir }
    return "send"
  elseif request.path == "/batch" then
    request.ids = { core.decode(request.body).data.documentName }
    return "send"
  end
  return request.path:find("/result$") and "result" or "poll"
end


function M.reachable(_, batch)
  return not batch.results_gone and not batch.gone
end


--- Can something of a batch no longer be had, for good?
function M.lacks(_, batch)
  return batch.results_gone or batch.gone or false
end


return M
