-- Writes result lines: in blocks whose lines are shuffled, as the service promises no order, and with the faults that
-- a test asked for: lines dropped, doubled, put in from elsewhere, or broken.
local format = string.format
local quote = require("cjson").encode
local settings = require("settings")

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
  return {
    shuffle = shuffle or from.reorder, drop = tonumber(from.drop) or 0, duplicate = tonumber(from.duplicate) or 0,
    stranger = tonumber(from.stranger) or 0, garbage = tonumber(from.garbage) or 0, no_newline = from.no_newline,
  }
end


-- A writer of one result file; the faults of `plan` are used up by the first lines of the first file that has lines.
function M.writer(path, batch, plan)
  local writer = { path = path, lines = 0, bytes = 0 }
  local handle = assert(io.open(path, "wb"))
  handle:setvbuf("full", 65536)
  local block, held = {}, 0
  local random = generator(settings.get().seed + batch.serial)

  local function flush(last)
    if plan.shuffle then
      for i = #block, 2, -1 do
        local j = random(i)
        block[i], block[j] = block[j], block[i]
      end
    end
    if last and plan.no_newline and #block > 0 then
      block[#block] = block[#block]:gsub("\n$", "")
      held = held - 1
    end
    for _, line in ipairs(block) do
      assert(handle:write(line))
    end
    writer.bytes = writer.bytes + held
    block, held = {}, 0
  end

  local function put(line)
    block[#block + 1] = line
    held = held + #line
    writer.lines = writer.lines + 1
    if #block >= BLOCK or held >= BLOCK_BYTES then
      flush()
    end
  end

  local function take(name)
    if plan[name] > 0 then
      plan[name] = plan[name] - 1
      return true
    end
  end

  local function add(line)
    if take("drop") then
      return
    end
    put(line)
    if take("duplicate") then
      put(line)
    end
    if take("stranger") then
      put((line:gsub('"custom_id":"', '"custom_id":"stranger-', 1)))
    end
    if take("garbage") then
      put('{"id":"batch_req_broken","custom_id":\n')
    end
  end

  writer.add = add

  local function ids(custom_id)
    local digest = ngx.md5(batch.id .. custom_id)
    return digest:sub(1, 24), digest
  end

  -- A line that ran: status and body (JSON text).
  function writer.answer(custom_id, status, text)
    local id, request_id = ids(custom_id)
    add(format('{"id":"batch_req_%s","custom_id":%s,"response":{"status_code":%d,"request_id":"%s","body":%s},'
      .. '"error":null}\n', id, quote(custom_id), status, request_id, text))
  end

  -- A line that never ran.
  function writer.never_ran(custom_id, code, message)
    add(format('{"id":"batch_req_%s","custom_id":%s,"response":null,"error":{"code":"%s","message":%s}}\n',
      ids(custom_id), quote(custom_id), code, quote(message)))
  end

  function writer.close()
    flush(true)
    assert(handle:close())
  end

  return writer
end


return M
