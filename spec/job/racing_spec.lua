-- runs on: lua5.4
-- Several processes run the same job in one directory at once: one has it at a time, the others wait and go on where
-- it is. Nothing is submitted twice, and each of them has every result. RACES says in how many directories.

local program = require("support.program")
local sandbox = require("support.sandbox")

local DIRECTORIES = tonumber(os.getenv("RACES")) or 4
local RUNNERS, REQUESTS = 3, 4

local SCRIPT = [[
  local batchapi = require("batchapi")
  local client = assert(batchapi.openai{})
  local requests = {}
  for i = 1, %d do
    requests[i] = { custom_id = "r" .. i, body = { model = "m", messages = { { role = "user", content = "x" } } } }
  end
  local job = assert(client:run(requests, { endpoint = "/v1/chat/completions", dir = %q, interval = 0.05,
    lock_timeout = 60 }))
  local ok, seen = 0, {}
  for result in job:results() do
    ok = ok + (result.ok and not seen[result.custom_id] and 1 or 0)
    seen[result.custom_id] = true
  end
  job:close()
  io.write(ok, "\n")
]]


describe("processes that race for a job's directory", function()
  it("submit it once, and each has all of its results", function()
    sandbox.reset()
    local pipe = assert(io.popen("mktemp -d"))
    local base = pipe:read("*l")
    pipe:close()
    local runners, scripts = {}, {}
    for d = 1, DIRECTORIES do
      local script = program.file(SCRIPT:format(REQUESTS, ("%s/%d"):format(base, d)))
      scripts[d] = script
      for _ = 1, RUNNERS do
        runners[#runners + 1] = assert(io.popen(("%s %s 2>&1"):format(os.getenv("BATCHAPI_LUA") or "lua5.4", script)))
      end
    end
    for _, runner in ipairs(runners) do
      local said = runner:read("*a")
      runner:close()
      assert.equal(REQUESTS .. "\n", said)
    end
    for _, script in ipairs(scripts) do
      os.remove(script)
    end
    os.execute("rm -rf '" .. base .. "'")
    assert.equal(DIRECTORIES, #sandbox.log{ path = "/v1/batches", method = "POST" })
  end)
end)
