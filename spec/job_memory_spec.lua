-- runs on: lua5.4
local program = require("support.program")
local sandbox = require("support.sandbox")

-- Each job runs in a process of its own, whose peak memory the kernel tells.
local script = [[
  local batchapi = require("batchapi")
  local count, size, options = %d, %d, { endpoint = "/v1/chat/completions", interval = 0.1 }
  local dir, path = "%s", "%s"
  if dir ~= "" then options.dir = dir end
  local pad, index = ("x"):rep(size), 0
  local requests = path ~= "" and path or function()
    index = index + 1
    return index <= count and { body = { model = "gpt-4o-mini", messages = { { role = "user", content = pad .. index } } } }
      or nil
  end
  local job = assert(assert(batchapi.openai{}):run(requests, options))
  local sum, ok, results = 0, 0, job:results()
  while true do
    local result, why, err = results:next()
    if err then error(why) end
    if not result then break end
    sum, ok = sum + result.index, ok + (result.ok and 1 or 0)
  end
  local peak
  for line in io.lines("/proc/self/status") do
    peak = peak or tonumber(line:match("^VmHWM:%%s+(%%d+)"))
  end
  print(ok, sum == count * (count + 1) / 2, #job:status().parts, peak)
]]


local function measure(count, size, dir, path)
  local text = program.said(script:format(count, size, dir or "", path or ""))
  local ok, whole, parts, peak = text:match("^(%d+)%s+(%a+)%s+(%d+)%s+(%d+)")
  assert(ok, text)
  return tonumber(ok), whole == "true", tonumber(parts), tonumber(peak) / 1024
end


describe("a job's memory", function()
  local slow = os.getenv("BATCHAPI_SLOW") ~= nil

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 10 }
  end)

  it("stays below 40 MB for 200,000 requests in four parts", function()
    if slow then
      return
    end
    local ok, whole, parts, peak = measure(200000, 10)
    assert.are.equal(200000, ok)
    assert.is_true(whole)
    assert.are.equal(4, parts)
    assert.is_true(peak < 40, ("peak %.1f MB"):format(peak))
  end)

  it("stays below 40 MB for more bytes than one batch may have, from a file, with dir", function()
    if slow then
      return
    end
    local dir, path = os.tmpname(), os.tmpname()
    os.remove(dir)
    local file = assert(io.open(path, "w"))
    local pad = ("y"):rep(20000)
    for i = 1, 10500 do
      file:write('{"custom_id":"c', i, '","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":',
        '[{"role":"user","content":"', pad, '"}],"metadata":{"sandbox":"size-10"}}}\n')
    end
    file:close()
    local ok, whole, parts, peak = measure(10500, 0, dir, path)
    os.remove(path)
    os.execute(("rm -rf '%s'"):format(dir))
    assert.are.equal(10500, ok)
    assert.is_true(whole)
    assert.are.equal(2, parts)
    assert.is_true(peak < 40, ("peak %.1f MB"):format(peak))
  end)
end)
