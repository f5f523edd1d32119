-- Writes result lines: in blocks whose lines are shuffled, as the service promises no order, and with the faults that
-- a test asked for: lines dropped, doubled, put in from elsewhere, or broken.
local format = string.format
local quote = require("cjson").encode
local settings = require("settings")
local spoil = require("spoil")

local M = {}
local BLOCK = 2000
local BLOCK_BYTES = 4 * 1024 * 1024


-- A small generator of its own (Park and Miller), so that a seed gives the same run everywhere.
local function generator(seed)
  local value = seed % 2147483646 + 1
  local function draw(n)
    value = value * 16807 % 2147483647
    return math.floor(value / 2147483647 * n) + 1
  end
  for _ = 1, 5 do -- small seeds begin with small values
    draw(1)
  end
  return draw
end

M.generator = generator


-- The fault of type "lines" that the creation of a batch met, if any.
function M.asked(request)
  return request.fault and request.fault.type == "lines" and request.fault or nil
end


-- How the lines of a batch go out: from its metadata.sandbox words, and from a fault of type "lines" on its creation.
function M.plan(batch)
  local from = {}
  for name, value in pairs(batch.wishes) do
    from[name] = value
  end
  for name, value in pairs(type(batch.order) == "table" and batch.order or {}) do
    from[name] = value
  end
  local shuffle = settings.get().shuffle and not from.ordered
  local plan = { shuffle = shuffle or from.reorder, no_newline = from.no_newline, bom = from.bom, crlf = from.crlf }
  for _, name in ipairs{ "drop", "duplicate", "stranger", "garbage", "stray", unpack(spoil.order) } do
    plan[name] = tonumber(from[name]) or 0
  end
  return plan
end


local Writer = {}
Writer.__index = Writer


-- A writer of one result file; the faults of `plan` are used up by the first lines of the first file that has lines.
-- `lines` and `bytes` say what has been written.
function M.writer(path, batch, plan)
  local handle = assert(io.open(path, "wb"))
  handle:setvbuf("full", 65536)
  return setmetatable({
    path = path, lines = 0, bytes = 0, handle = handle, plan = plan, batch = batch, block = {}, held = 0,
    random = generator(settings.get().seed + batch.serial),
  }, Writer)
end


-- Writes out the block that is held, in another order.
function Writer:flush(last)
  local block, plan = self.block, self.plan
  if plan.shuffle then
    for i = #block, 2, -1 do
      local j = self.random(i)
      block[i], block[j] = block[j], block[i]
    end
  end
  if last and plan.no_newline and #block > 0 then
    self.held = self.held - #block[#block]
    block[#block] = block[#block]:gsub("\r?\n$", "")
    self.held = self.held + #block[#block]
  end
  if plan.bom and self.bytes == 0 and #block > 0 then
    block[1] = "\239\187\191" .. block[1]
    self.held = self.held + 3
  end
  for _, line in ipairs(block) do
    assert(self.handle:write(line))
  end
  self.bytes = self.bytes + self.held
  self.block, self.held = {}, 0
end


function Writer:put(line)
  line = self.plan.crlf and line:gsub("\n$", "\r\n") or line
  self.block[#self.block + 1] = line
  self.held = self.held + #line
  self.lines = self.lines + 1
  if #self.block >= BLOCK or self.held >= BLOCK_BYTES then
    self:flush()
  end
end


-- Whether one more fault of a kind is due.
function Writer:take(name)
  local left = self.plan[name]
  self.plan[name] = math.max(0, left - 1)
  return left > 0
end


-- Adds a whole line, with the faults that are due.
function Writer:add(line)
  if self:take("drop") then
    return
  end
  local whole = line
  for _, kind in ipairs(spoil.order) do
    if line == whole and self:take(kind) then
      line = spoil.kinds[kind](line)
    end
  end
  self:put(line)
  if self:take("duplicate") then
    self:put(line)
  end
  if self.plan.stray > 0 then
    self:put(spoil.stray(self.plan.stray))
    self:take("stray")
  end
  if self:take("stranger") then
    self:put((line:gsub('"custom_id":"', '"custom_id":"stranger-', 1)))
  end
  if self:take("garbage") then
    self:put('{"id":"batch_req_broken","custom_id":\n')
  end
end


-- A line that ran: status and body (JSON text).
function Writer:answer(custom_id, status, text)
  local digest = ngx.md5(self.batch.id .. custom_id)
  self:add(format('{"id":"batch_req_%s","custom_id":%s,"response":{"status_code":%d,"request_id":"%s","body":%s},'
    .. '"error":null}\n', digest:sub(1, 24), quote(custom_id), status, digest, text))
end


-- A line that never ran.
function Writer:never_ran(custom_id, code, message)
  self:add(format('{"id":"batch_req_%s","custom_id":%s,"response":null,"error":{"code":"%s","message":%s}}\n',
    ngx.md5(self.batch.id .. custom_id):sub(1, 24), quote(custom_id), code, quote(message)))
end


function Writer:close()
  self:flush(true)
  assert(self.handle:close())
end


return M
