--- A simulated Anthropic: batches whose requests come with their creation, results at the batch.
--- What became of a lost creation cannot be looked up.

local batches = require("simulate.batches")

local M = {}
M.__index = M


function M.new(world)
  return setmetatable({ world = world, files = {}, batches = {}, by_id = {}, last = 0 }, M)
end


local function not_found()
  return 404, '{"type":"error","error":{"type":"not_found_error","message":"no such batch"}}'
end


function M:leave(batch, out)
  batch.results = out
  batch.results_gone = self.world.tape:event("result.gone")
  local late = self.world.tape:event("result.late", function(draw) return draw:wide(0.5, 2 * self.world.plan.settle) end)
  batch.results_at = self.world.clock.time + (late or 0)
end


local function describe(self, batch)
  local ended = batch.ended and batch.named_at <= self.world.clock.time
  local url = ended and '"http://127.0.0.1:1/v1/messages/batches/' .. batch.id .. '/results"' or "null"
  return ('{"id":"%s","type":"message_batch","processing_status":"%s","results_url":%s,'
    .. '"request_counts":{"processing":0,"succeeded":%d,"errored":%d}}'):format(batch.id,
    batch.ended and "ended" or "in_progress", url, batch.completed, batch.failed)
end


local function create(self, request)
  local batch = batches.accept(self.world, self, { requests = request.ids, form = "anthropic", shadow = request.shadow })
  request.batch = batch
  return 200, describe(self, batch)
end


function M:handle(request)
  local path = request.path
  if path == "/v1/messages/batches" and request.method == "POST" then
    return create(self, request)
  end
  local id, rest = path:match("^/v1/messages/batches/([^/]+)/?(%a*)$")
  local batch = self.by_id[id]
  if not batch or batch.gone or batch.found_at > self.world.clock.time or batches.is_hidden(self.world, batch) then
    return not_found()
  elseif batch.runs and not batch.ended and rest == "" and self.world.tape:event("batch.gone") then
    batch.gone = true
    return not_found()
  elseif rest == "cancel" then
    batches.cancel(self.world, self, batch)
  elseif rest == "results" then
    if not batch.ended or batch.results_gone or batch.results_at > self.world.clock.time then
      return not_found()
    end
    return 200, batch.results, { ["content-type"] = "application/x-jsonl" }
  end
  batch.polled = true
  return 200, describe(self, batch)
end


function M.purpose(_, request)
  local path = request.path
  if path == "/v1/messages/batches" and request.method == "POST" then
    request.ids = {}
    for id in request.body:gmatch('"custom_id":"([^"]*)"') do
      request.ids[#request.ids + 1] = id
    end
    return "create"
  end
  return path:find("/results$") and "download" or path:find("/cancel$") and "cancel" or "poll"
end


function M.reachable(_, batch)
  return not batch.results_gone and not batch.gone
end


--- Can something of a batch no longer be had, for good?
function M.lacks(_, batch)
  return batch.results_gone or batch.gone or false
end


return M
