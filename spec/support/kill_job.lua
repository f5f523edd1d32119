--- The program that tools/test-kill kills: a job of REQUESTS requests in PARTS parts, in DIR, from
--- wherever an earlier process left it to its end, and every result looked at.
---
---     lua5.4 spec/support/kill_job.lua DIR SEED [REQUESTS [PARTS]]
---
--- Exits 0 when each request had exactly one result and it was the right one; 3 when the job met a
--- failure that a later process may not meet; 1 when a promise is broken.

local batchapi = require("batchapi")

local dir, seed = arg[1], arg[2]
local count, parts = tonumber(arg[3] or 5000), tonumber(arg[4] or 5)


local function text_of(index)
  return ("seed %s request %d %s"):format(seed, index, ("x"):rep(index * 7919 % 120))
end


local function requests()
  local index = 0
  return function()
    index = index + 1
    if index > count then
      return nil
    end
    return {
      custom_id = index % 3 == 0 and ("own-%d"):format(index) or nil,
      body = { model = "gpt-4o-mini", messages = { { role = "user", content = text_of(index) } } },
    }
  end
end


local function broken(format, ...)
  io.stderr:write("seed ", seed, ": ", format:format(...), "\n")
  os.exit(1)
end


local function later(why)
  io.stderr:write("seed ", seed, ": ", tostring(why), "\n")
  os.exit(3)
end


-- Lines that the sandbox has cut are kept as they came.
local MOST_UNREADABLE = 2 * 5
local unreadable = 0

local function check_unreadable(result, id)
  unreadable = unreadable + 1
  if unreadable > MOST_UNREADABLE then
    broken("%d requests are unreadable", unreadable)
  elseif not result.raw:find('"custom_id":"' .. id .. '"', 1, true) then
    broken("request %d has another one's line: %s", result.index, result.raw)
  end
end


-- What the sandbox has put at the beginning of an answer's text when it spoiled its line.
local spoilt = { ["\239\191\189"] = true, ["\v"] = true, ["\233"] = true, [""] = true }

local function is_own(result, index)
  local content, text = result.body.choices[1].message.content, "echo: " .. text_of(index)
  if not result.repaired then
    return content == text
  end
  return content:sub(-#text) == text and spoilt[content:sub(1, -#text - 1)] == true
end


local function check(result, seen)
  local index = result.index
  if seen[index] then
    broken("request %d has two results", index)
  end
  seen[index] = true
  local id = index % 3 == 0 and ("own-%d"):format(index) or ("request-%d"):format(index)
  if result.custom_id ~= id then
    broken("request %d is called %s", index, tostring(result.custom_id))
  elseif not result.ok and result.error.code == "unreadable" then
    check_unreadable(result, id)
  elseif not result.ok or result.status ~= 200 then
    broken("request %d: %s", index, batchapi.show(result))
  elseif not is_own(result, index) then
    broken("request %d has another one's answer", index)
  end
end


local openai = assert(batchapi.openai{ timeout = 20, max_retries = 1 })
local job, why, err = openai:run(requests(), {
  endpoint = "/v1/chat/completions", dir = dir, max_requests_per_batch = count / parts, interval = 0.1, settle = 0.6,
})
if not job then
  if err.kind == "job" or err.kind == "invalid" or err.kind == "io" then
    broken("%s (%s)", why, tostring(err.code))
  end
  later(why)
end
local results, seen, total = job:results(), {}, 0
while true do
  local result, message, failure = results:next()
  if failure then
    if failure.kind == "job" or failure.kind == "io" then
      broken("%s (%s)", message, tostring(failure.code))
    end
    later(message)
  elseif result == nil then
    break
  end
  check(result, seen)
  total = total + 1
end
if total ~= count then
  broken("%d results for %d requests", total, count)
end
