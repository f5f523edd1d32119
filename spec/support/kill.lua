--- Runs jobs that are killed at random moments, against the sandbox with random faults, and looks at
--- what is left: see tools/test-kill. Runs under sandbox/run.
---
---     lua5.4 spec/support/kill.lua FIRST_SEED LAST_SEED

local core = require("batchapi.core")
local sandbox = require("support.sandbox")

local M = {}

local MOST_RUNS = 60   -- of one seed
local LONGEST_RUN = 60 -- seconds


local function generator(seed)
  local state = seed * 2654435761 % 2 ^ 31
  return function(low, high)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return low + (high - low) * state / 2 ^ 31
  end
end


local function faults(seed)
  return {
    { match = { operation = "openai.create_batch", probability = 0.25, seed = seed },
      faults = { { type = "lost" }, { type = "late", seconds = 0.2 }, { type = "late", seconds = 1.5 }, { type = "reset" },
        { type = "status", status = 500, after = true },
        { type = "status", status = 429, retry_after = 1 }, { type = "truncate" },
        { type = "lines", duplicate = 7, stranger = 5, reorder = true } } },
    { match = { operation = "openai.create_batch", probability = 0.5, seed = seed + 3 },
      faults = { { type = "lines", surrogate = 3, control = 2, utf8 = 2, nan = 2, stray = 4, bom = true, crlf = true },
        { type = "lines", cut = 2, garbage = 1, utf8 = 1, no_newline = true } } },
    { match = { operation = "openai.download_file", probability = 0.2, seed = seed + 2 },
      faults = { { type = "gzip" }, { type = "gzip", silent = true }, { type = "gzip", cut = true },
        { type = "gzip", silent = true, cut = true }, { type = "utf16" }, { type = "html", status = 200 },
        { type = "empty", status = 200 }, { type = "encoded", name = "br" } } },
    { match = { service = "openai", probability = 0.06, seed = seed + 1 },
      faults = { { type = "lost" }, { type = "reset" }, { type = "status", status = 503 }, { type = "truncate" },
        { type = "reset_body", at = 1000 }, { type = "status", status = 429, retry_after_ms = 200 },
        { type = "html", status = 502 } } },
  }
end


--- Runs the job's program, killed after `seconds`; gives its exit status, 137 when it was killed.
local function run(dir, seed, seconds)
  local command = ("timeout -s KILL %.3f %s spec/support/kill_job.lua '%s' %d 2>'%s.log'; exit $?"):format(
    seconds, os.getenv("BATCHAPI_LUA") or "lua5.4", dir, seed, dir)
  local _, _, status = os.execute(command)
  return status
end


local function read(path)
  local file = io.open(path)
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end


--- What may lie in the directory of a job that has ended. Answers of a part stay where not all of them
--- could be handed out.
local function check_files(dir, fail)
  local listing = io.popen(("ls -A '%s'"):format(dir))
  for name in listing:lines() do
    if not (name == "journal.jsonl" or name == "journal-copy.jsonl" or name == "lock" or name == "results.jsonl"
      or name:match("^part%-%d+%.jsonl$") or name:match("^part%-%d+%.answer%-%d%.jsonl$")
      or name:match("^part%-%d+%.unclaimed%.jsonl$")) then
      fail("%s is left behind", name)
    end
  end
  listing:close()
  local count = 0
  for line in io.lines(dir .. "/results.jsonl") do
    count = count + 1
    if type(core.decode(line)) ~= "table" then
      fail("results.jsonl, line %d is broken", count)
    end
  end
  if count ~= 5000 then
    fail("results.jsonl has %d lines", count)
  end
end


local function check_batches(dir, fail)
  local id = core.decode(read(dir .. "/journal.jsonl"):match("^[^\n]*")).id
  local seen = sandbox.totals().parts or {}
  for part = 1, 5 do
    local created = seen[("%s/%d"):format(id, part)]
    if created ~= 1 then
      fail("part %d was created %s times", part, tostring(created))
    end
  end
end


--- One seed: true, or false and what broke.
---@param seed integer
---@param base string directory for it
---@return boolean ok
---@return string|nil why
---@return integer kills
function M.seed(seed, base)
  local random = generator(seed)
  local dir = ("%s/seed-%d"):format(base, seed)
  sandbox.reset()
  sandbox.faults(faults(seed))
  sandbox.set{ empty_pages = seed % 3, batch_visibility_delay = seed % 2 / 5 }
  local why, kills, runs, status = nil, 0, 0
  local function fail(format, ...)
    why = why or format:format(...)
  end
  local wanted = math.floor(random(1, 5))
  repeat
    runs = runs + 1
    status = run(dir, seed, kills < wanted and random(0.05, 2.2) or LONGEST_RUN)
    kills = kills + (status == 137 and 1 or 0)
    if status == 137 and kills > wanted then
      fail("did not end within %d s", LONGEST_RUN)
    elseif status ~= 0 and status ~= 3 and status ~= 137 then
      fail("exit status %s: %s", tostring(status), read(dir .. ".log"))
    elseif runs > MOST_RUNS then
      fail("did not end in %d runs: %s", runs, read(dir .. ".log"))
    end
  until status == 0 or why
  if not why then
    check_files(dir, fail)
    check_batches(dir, fail)
  end
  if not why then
    os.execute(("rm -rf '%s' '%s.log'"):format(dir, dir))
  end
  return why == nil, why, kills
end


--- The seeds from `first` to `last`; gives how many passed and failed.
function M.seeds(first, last, base)
  local passed, failed, kills = 0, 0, 0
  for seed = first, last do
    local ok, why, killed = M.seed(seed, base)
    kills = kills + killed
    if ok then
      passed = passed + 1
    else
      failed = failed + 1
      print(("seed %d: %s"):format(seed, why))
    end
  end
  return passed, failed, kills
end

if arg and arg[0] and arg[0]:match("kill%.lua$") then
  local first, last = tonumber(arg[1]), tonumber(arg[2])
  local base = os.getenv("KILL_DIR") or "."
  local passed, failed, kills = M.seeds(first, last, base)
  print(("%d seeds from %d to %d, %d kills: %d passed, %d failed"):format(last - first + 1, first, last, kills, passed,
    failed))
  os.exit(failed == 0 and 0 or 1)
end

return M
