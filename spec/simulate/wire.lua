--- The service seam: what a client's core client is. Bytes of a request go in; bytes of an answer or
--- a failure come out, after a while, in the simulated time. What the engine does below the seam
--- (repeats, ranges, decompression) has happened when a failure comes out.

local core = require("batchapi.core")

local M = {}

local FIRST_ID = 2 ^ 45 -- no call of the engine's comes so far

local call = {}
call.__index = call


-- ---- a call -------------------------------------------------------------------------------------

function call:id()
  return self.number
end


function call:news()
  return self.done or self.dropped or false
end


local function first(headers, names)
  for _, name in ipairs(names) do
    if headers[name] then
      return headers[name]
    end
  end
end


function call:answer(names)
  local outcome = self.result
  if not outcome.ok then
    return nil
  end
  local headers = outcome.headers
  return outcome.status, headers, outcome.attempts, outcome.elapsed, true, outcome.retry_after,
    first(headers, names[1]), nil, nil, nil, (headers["content-type"] or ""):find("json") ~= nil, outcome.file_bytes
end


function call:outcome()
  return self.result
end


function call:body()
  return self.result.body or ""
end


function call:json(options)
  return core.decode(self.result.body or "", options)
end


function call.next_attempt() end


function call:cancel()
  self.dropped = true
end


function call:release()
  self.dropped = true
end


-- ---- outcomes -----------------------------------------------------------------------------------

local function failure(kind, message, more)
  local outcome = { ok = false, kind = kind, message = message, status = 0, attempts = 1, elapsed = 0, reused = false,
    retryable = true, maybe_sent = true, file_bytes = 0, headers = {} }
  for name, value in pairs(more or {}) do
    outcome[name] = value
  end
  return outcome
end


local passing = { [408] = true, [409] = true, [425] = true, [429] = true }

local function answered(status, body, headers)
  headers = headers or {}
  headers["content-type"] = headers["content-type"] or "application/json"
  if status >= 200 and status < 300 then
    return { ok = true, status = status, attempts = 1, elapsed = 0.1, reused = true, headers = headers, body = body,
      file_bytes = 0, maybe_sent = true, retryable = false, retry_after = headers.retry_after }
  end
  return failure(status == 429 and "rate_limit" or (status == 401 or status == 403) and "auth" or "http",
    ("the service answered %d"):format(status), { status = status, body = body, headers = headers,
    retryable = passing[status] or status >= 500, retry_after = headers.retry_after,
    attempts = (passing[status] or status >= 500) and 3 or 1 })
end


-- ---- what goes wrong on the way -----------------------------------------------------------------

local html = "<html><body><h1>We will be back soon</h1></body></html>"

local statuses = { 500, 502, 503, 504, 520, 524 }
local locked = { 408, 409, 423, 425 }


--- Answers given in the place of the service, before the request has any effect.
local function intercepted(wire, request)
  local tape, world = wire.world.tape, wire.world
  local outage = tape:event("net.outage", function(draw) return draw:wide(20, 6 * 3600) end)
  if outage then
    world.outage = world.clock.time + outage
  end
  if (world.outage or 0) > world.clock.time then
    if tape:draw("outage"):chance(0.5) then
      return failure("connect", "no connection", { maybe_sent = false, attempts = 3 })
    end
    return answered(503, html, { ["content-type"] = "text/html" })
  elseif tape:event("net.refused") then
    return failure("connect", "no connection", { maybe_sent = false, attempts = 3 })
  elseif tape:event("net.unsent") then
    return failure("timeout", "no answer in time", { maybe_sent = false })
  end
  local status = tape:event("http.unavailable", function(draw) return draw:pick(statuses) end)
  if status then
    return answered(status, html, { ["content-type"] = "text/html" })
  end
  local wait = tape:event("http.rate_limit", function(draw) return draw:pick{ 0, 1, 20, 90 } end)
  if wait then
    return answered(429, '{"error":{"message":"slow down"}}', { retry_after = wait > 0 and wait or nil })
  end
  status = request.purpose ~= "create" and tape:event("http.passing", function(draw) return draw:pick(locked) end)
  if status then
    return answered(status, '{"error":{"message":"in a moment"}}')
  elseif request.purpose ~= "create" and request.purpose ~= "send" and tape:event("http.page") then
    return answered(200, html, { ["content-type"] = "text/html" })
  end
end


local function lost(tape)
  if tape:draw("lost"):chance(0.5) then
    return failure("timeout", "no answer in time")
  end
  return failure("connect", "the connection ended before an answer")
end


--- What the service makes of a request; with `to` the bytes of the answer go into a file.
local function served(wire, request, process)
  local status, body, headers = wire.service:handle(request)
  local outcome = answered(status, body, headers)
  if outcome.ok and request.purpose == "download" and wire.world.tape:event("net.truncated") then
    return failure("truncated", "the answer was cut off", { status = 200, attempts = 3 })
  elseif outcome.ok and request.to and not process.dead then
    process.disk:receive(request.to, body)
    outcome.file_bytes, outcome.body = #body, ""
  end
  return outcome
end


-- ---- the core client ----------------------------------------------------------------------------

local wire = {}
wire.__index = wire


---@param process table
---@param service table
---@param base string the base URL
function M.new(process, service, base)
  return setmetatable({ process = process, world = process.world, service = service, base = base, in_flight = 0 }, wire)
end


function wire:prepare(common)
  return { common = common }
end


function wire.closed()
  return false
end


function wire.stats()
  return {}
end


function wire.close() end


local function unescape(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end


local function parse(self, common, url, body)
  local path, query = url:sub(#self.base + 1):match("^([^?]*)%??(.*)$")
  local request = { method = common.method, path = unescape(path), query = {}, to = common.to,
    body = body or common.body, timeout = common.timeout, parts = {} }
  for name, value in query:gmatch("([^&=]+)=([^&]*)") do
    request.query[unescape(name)] = unescape(value)
  end
  if common.body_file then
    request.body = self.process.disk:send(common.body_file)
  end
  for i, part in ipairs(common.parts or {}) do
    request.parts[i] = { name = part.name, bytes = part.content or self.process.disk:send(part.file) }
  end
  request.purpose = self.service:purpose(request)
  return request
end


local function end_call(self, made, outcome, after)
  self.world.clock:after(after, function()
    if not made.dropped and not self.process.dead then
      made.result, made.done = outcome, true
      outcome.elapsed = after
      self.process:report(made.number)
    end
  end)
end


--- What was answered does not reach the process: its answers cannot be asked of it.
local function miss(self, request)
  self.world.missed = self.world.missed + 1
  for _, answer in ipairs(request.answers or {}) do
    answer.lost = true
  end
  if not self.world.shape.lookup then
    if request.batch then
      request.batch.lost = true
    end
    for _, id in ipairs(request.ids or {}) do
      self.world.record:allow(id, "unknown_outcome")
    end
  end
end


--- A process has died: of what it had not written nobody can say what it came to.
function M.died(process, count)
  for i = 1, not process.world.shape.lookup and count or 0 do
    if not process.world.shape.reads(i) then -- its intent may have been the last that was written
      process.world.record:allow("r-" .. i, "unknown_outcome")
    end
  end
  for _, request in ipairs(process.sent) do
    if not (request.batch and request.batch.polled) then
      miss(process.wire, request)
    end
  end
end


--- May the request have been carried out, as far as a client can tell?
local function is_ambiguous(outcome)
  local status = outcome.status
  return outcome.maybe_sent and (status == 0 or status >= 500 or status == 408 or status == 409)
end


local function travel(self, made, request)
  local tape, clock, process = self.world.tape, self.world.clock, self.process
  local latency = tape:draw("latency"):wide(0.02, 2)
  local most = request.timeout and request.timeout > 0 and request.timeout or 600
  local stopped = intercepted(self, request)
  if stopped then
    if is_ambiguous(stopped) then
      miss(self, request)
    end
    return end_call(self, made, stopped, latency)
  elseif tape:event("net.lost_request") or request.purpose == "create" and tape:event("create.lost") then
    miss(self, request)
    return end_call(self, made, lost(tape), math.min(most, latency * 10))
  end
  local late = tape:event("net.late", function(draw) return draw:wide(1, 4 * 3600) end)
    or request.purpose == "create" and tape:event("create.late", function(draw)
      return self.world.plan.settle * (0.6 + 4 * draw:real())
    end) or nil
  clock:after(latency / 2 + (late or 0), function()
    local outcome = served(self, request, process)
    local again = request.purpose ~= "upload" and tape:event("net.doubled", function(draw) return draw:wide(0.1, 900) end)
    if again then
      clock:after(again, function()
        local copy = setmetatable({ shadow = true }, { __index = request })
        self.service:handle(copy)
        for _, answer in ipairs(rawget(copy, "answers") or {}) do
          answer.lost = true
        end
      end)
    end
    if late or process.dead then
      return miss(self, request)
    elseif tape:event("net.lost_answer") or request.purpose == "create" and tape:event("create.unanswered") then
      miss(self, request)
      end_call(self, made, lost(tape), math.min(most, latency * 10))
    else
      end_call(self, made, outcome, latency / 2)
    end
  end)
  if late then
    miss(self, request)
    end_call(self, made, lost(tape), math.min(most, latency * 10))
  end
end


--- Begins a call: see batchapi.exchange.
function wire:start(_, given, url, body)
  local process = self.process
  process:seam("start")
  local common = given.common or given
  local request = parse(self, common, url or common.url, body)
  self.world.calls = self.world.calls + 1
  if request.ids then
    process.sent[#process.sent + 1] = request
  end
  local made = setmetatable({ number = FIRST_ID + self.world.calls, done = false, dropped = false, result = nil }, call)
  process:trace("%s %s %s", request.purpose, request.method, request.path)
  travel(self, made, request)
  process:seam("started")
  return made, made.number
end


return M
