--- The command, killed at any moment and started again, until it says that all is well.

local json = require("batchapi.json")
local jobs = require("support.job")
local sandbox = require("support.sandbox")

local CHAT, COUNT, PER_BATCH = "/v1/chat/completions", 60, 20


describe("the command, killed again and again,", function()
  local folder

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 1 }
    folder = jobs.dir()
    os.execute("mkdir -p " .. folder)
  end)

  after_each(function()
    jobs.clear()
  end)

  --- Runs it, and kills it after so many seconds; its exit code (137: it was killed).
  local function run(seconds)
    local pipe = assert(io.popen(("timeout -s KILL %.3f %s bin/batchapi run %s/requests.jsonl -e %s --interval 0.05 "
      .. "--max-requests-per-batch %d -o %s/results.jsonl >%s/log 2>&1 </dev/null; echo $?"):format(seconds,
      os.getenv("BATCHAPI_LUA") or "lua5.4", folder, CHAT, PER_BATCH, folder, folder)))
    local code = tonumber((pipe:read("*a"):match("(%d+)%s*$")))
    pipe:close()
    return code
  end

  it("gives every result once, and submits every request once", function()
    local file = assert(io.open(folder .. "/requests.jsonl", "w"))
    for i = 1, COUNT do
      file:write(json.encode{ custom_id = "r" .. i, body = { model = "gpt-4o-mini",
        messages = { { role = "user", content = "text " .. i } } } }, "\n")
    end
    file:close()
    local code, killed = nil, 0
    for _, seconds in ipairs{ 0.03, 0.31, 0.14, 0.22, 0.07, 0.38, 0.18, 0.26, 0.11, 0.34 } do
      code = run(seconds)
      if code ~= 137 then
        break
      end
      killed = killed + 1
    end
    if code == 137 then
      code = run(60)
    end
    assert.are.equal(0, code, jobs.read(folder .. "/log"))
    assert.is_true(killed > 0)
    local seen, lines = {}, 0
    for line in io.lines(folder .. "/results.jsonl") do
      local result = assert(json.decode(line))
      assert.is_true(result.ok)
      assert.is_nil(seen[result.custom_id])
      seen[result.custom_id], lines = true, lines + 1
    end
    assert.are.equal(COUNT, lines)
    assert.are.equal(COUNT / PER_BATCH, sandbox.count("requests", "openai.create_batch"))
  end)
end)
