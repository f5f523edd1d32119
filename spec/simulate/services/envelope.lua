--- Simulated services that answer many requests at once: Asana, whose answers are matched by position,
--- and Microsoft Graph, whose answers have ids.

local core = require("batchapi.core")

local M = {}
M.__index = M


function M.new(world)
  return setmetatable({ world = world, by_place = world.plan.shape == "envelope" }, M)
end


local function status_of(tape)
  return tape:event("item.failed", function(draw)
    return draw:pick{ 400, 404, 429, 429, 500, 503 }
  end) or 200
end


--- Carries out one action; the record has what came of it.
local function carry_out(self, request, action)
  local record, status = self.world.record, status_of(self.world.tape)
  local answer = { mark = record:mark(), ok = status == 200, status = status, readable = true, safe = action.safe,
    retryable = status == 429 or status >= 500 and action.safe, code = status ~= 200 and ("http_%d"):format(status) or nil,
    unrun = status == 429 }
  record:answer(action.id, answer)
  request.answers[#request.answers + 1] = answer
  if status ~= 429 and not action.safe then
    record.sent[action.id] = record.sent[action.id] or {}
    table.insert(record.sent[action.id], { shadow = request.shadow })
  end
  return answer
end


local function written(self, action, answer)
  if self.by_place then
    return ('{"status_code":%d,"headers":{},"body":{"mark":"%s","data":{"name":"%s"}}}'):format(answer.status, answer.mark,
      action.id)
  end
  local wait = answer.status == 429 and '"headers":{"Retry-After":"3"},' or ""
  return ('{"id":"%s","status":%d,%s"body":{"mark":"%s"}}'):format(action.name, answer.status, wait, answer.mark)
end


--- What goes wrong with the answers of one call.
local function spoil(self, request, list, actions)
  local tape, record = self.world.tape, self.world.record
  local lost = tape:event("item.dropped", function(draw) return draw:between(1, #list) end)
  if lost and lost <= #list then
    table.remove(list, lost)
    request.answers[lost].readable = false
    for i, action in ipairs(actions) do
      if self.by_place or i == lost then
        request.answers[i].readable = false
        record:allow(action.id, "missing")
        record:allow(action.id, "unknown_outcome")
      end
    end
  end
  if not self.by_place and tape:event("line.reordered") then
    for i = #list, 2, -1 do
      local other = tape:draw("order"):between(1, i)
      list[i], list[other] = list[other], list[i]
    end
  end
  if not self.by_place and #list > 0 and tape:event("line.doubled") then
    list[#list + 1] = list[1]
  end
  if not self.by_place and tape:event("line.foreign") then
    list[#list + 1] = '{"id":"stranger","status":200,"body":{"mark":"none"}}'
  end
end


local function actions_of(self, request)
  local body, list = core.decode(request.body), {}
  for i, one in ipairs(self.by_place and body.data.actions or body.requests) do
    local path = one.relative_path or one.url
    list[i] = { id = path:match("r%-%d+$"), name = one.id, safe = one.method:lower() == "get" }
  end
  return list
end


function M:handle(request)
  local list = {}
  request.answers = {}
  for i, action in ipairs(request.actions) do
    list[i] = written(self, action, carry_out(self, request, action))
  end
  spoil(self, request, list, request.actions)
  return 200, (self.by_place and '{"data":[%s]}' or '{"responses":[%s]}'):format(table.concat(list, ","))
end


function M:purpose(request)
  request.actions = actions_of(self, request)
  request.ids = {}
  for _, action in ipairs(request.actions) do
    request.ids[#request.ids + 1] = not action.safe and action.id or nil
  end
  return "send"
end


function M.reachable()
  return true
end


function M.lacks()
  return false
end


return M
