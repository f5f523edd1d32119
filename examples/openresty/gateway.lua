-- run by: spec/openresty_gateway_spec.lua
--- A batch gateway: takes requests over HTTP, runs them as jobs, serves status and results.
---
---   POST /jobs?endpoint=/v1/embeddings   body: JSONL, one request per line ({"body":{…}} or whole
---                                        lines of the service's own form)
---                                        202 {"id":"…"}
---   GET  /jobs/ID                        {"id":…,"state":"queued"|"running"|"done"|"failed",…}
---   GET  /jobs/ID/results                JSONL, one result per request; 409 until it is done
---
--- A job runs in a timer, not in the request that brought it. It lives in a directory of its own:
--- a reload or a crash loses nothing, the next worker takes it up. While it waits for the service,
--- the worker serves other requests.

local batchapi = require("batchapi")
local cjson = require("cjson.safe")

local M = {}

local jobs = ngx.shared.gateway
local root = os.getenv("GATEWAY_JOBS") or "jobs"
local interval = tonumber(os.getenv("GATEWAY_INTERVAL") or 5) -- seconds between looks at the service

local openai = assert(batchapi.openai())


local function answer(status, value)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode(value))
  return ngx.exit(status)
end


local function directory(id)
  return root .. "/" .. id
end


local function write(path, text)
  local file, why = io.open(path, "wb")
  if not file then
    return nil, why
  end
  file:write(text)
  return file:close()
end


local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end


-- ---- running ------------------------------------------------------------------------------------


local function tell(id, fields)
  fields.id = id
  jobs:set(id, cjson.encode(fields))
end


local function progress(id)
  return function(status)
    tell(id, { state = "running", requests = status.requests, parts = #status.parts })
  end
end


-- Begins the job, or goes on with it: the same call for both.
local function run(id)
  local dir = directory(id)
  local job, why, err = openai:run(dir .. "/input.jsonl", {
    endpoint = read(dir .. "/endpoint"),
    dir = dir .. "/job",
    interval = interval,
    attempts = 3,
    lock_timeout = 60, -- a worker that was told to exit lets go of it within moments
  })
  if not job then
    return nil, why, err
  end
  local status
  status, why, err = job:wait{ on_update = progress(id) }
  job:close() -- its directory is free for whoever reads the results
  if not status then
    return nil, why, err
  end
  tell(id, { state = "done", requests = status.requests, parts = #status.parts })
  return true
end


local function on_timer(premature, id)
  if premature then
    return -- the worker exits; the next one takes the job up
  end
  local ok, why, err = run(id)
  if ok then
    ngx.log(ngx.NOTICE, "job ", id, " is done")
  elseif err.kind == "locked" then
    ngx.log(ngx.NOTICE, "job ", id, " is run by process ", tostring(err.pid))
  elseif err.kind == "closed" then
    ngx.log(ngx.NOTICE, "job ", id, " goes on in another worker")
  else
    ngx.log(ngx.ERR, "job ", id, ": ", why)
    tell(id, { state = "failed", reason = why, kind = err.kind })
    write(directory(id) .. "/failed", why)
  end
end


--- Called when a worker starts: the first one takes up what was left.
function M.take_up()
  if ngx.worker.id() ~= 0 then
    return
  end
  local list = io.popen("ls '" .. root .. "' 2>/dev/null")
  for id in list:lines() do
    if read(directory(id) .. "/failed") then
      tell(id, { state = "failed", reason = read(directory(id) .. "/failed") })
    elseif read(directory(id) .. "/endpoint") then -- written last: the job was accepted
      if not jobs:get(id) then
        tell(id, { state = "queued" })
      end
      ngx.timer.at(0, on_timer, id)
    end
  end
  list:close()
end


-- ---- serving ------------------------------------------------------------------------------------


local function submit()
  ngx.req.read_body()
  local body = ngx.req.get_body_data()
  local spooled = ngx.req.get_body_file()
  if not body and not spooled then
    return answer(400, { error = "the body must be JSONL, one request per line" })
  end
  local endpoint = ngx.var.arg_endpoint or "/v1/chat/completions"
  local id = ("%d-%s"):format(ngx.time(), ngx.var.request_id)
  local dir = directory(id)
  local ok, why = os.execute("mkdir -p '" .. dir .. "'")
  if ok == true or ok == 0 then
    ok, why = write(dir .. "/input.jsonl", body or read(spooled))
  end
  if ok then
    ok, why = write(dir .. "/endpoint", endpoint)
  end
  if not ok then
    return answer(500, { error = "the job cannot be kept: " .. tostring(why) })
  end
  tell(id, { state = "queued" })
  assert(ngx.timer.at(0, on_timer, id))
  return answer(202, { id = id })
end


local function serve_results(id, state)
  if state.state ~= "done" then
    return answer(409, state)
  end
  local job, why = batchapi.resume(directory(id) .. "/job", { client = openai })
  if not job then
    return answer(500, { error = why })
  end
  ngx.header["Content-Type"] = "application/jsonl"
  for result in job:results() do
    ngx.say(cjson.encode{
      custom_id = result.custom_id, index = result.index, ok = result.ok, status = result.status,
      body = result.body, error = result.error,
    })
  end
end


--- The content handler of /jobs.
function M.handle()
  local method, path = ngx.req.get_method(), ngx.var.uri
  if path == "/jobs" then
    if method ~= "POST" then
      return answer(405, { error = "POST a job" })
    end
    return submit()
  end
  local id, rest = path:match("^/jobs/([%w-]+)(.*)$")
  local state = id and jobs:get(id)
  if not state then
    return answer(404, { error = "no such job" })
  elseif rest == "" then
    return answer(200, cjson.decode(state))
  elseif rest == "/results" then
    return serve_results(id, cjson.decode(state))
  end
  return answer(404, { error = "no such resource" })
end


return M
