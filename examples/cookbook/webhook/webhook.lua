-- run by: spec/hosts/examples_spec.lua
-- A webhook in the place of polling, for OpenResty.
--
--   POST /jobs     JSONL, one request per line: submits it and forgets it
--   POST /openai   the webhook's address, as registered at OpenAI: collects what has ended
--
-- Results lie in the job's directory, results.jsonl.

local batchapi = require("batchapi")
local cjson = require("cjson")

local M = {}
local root = os.getenv("WEBHOOK_JOBS") or "jobs"
local secret = assert(os.getenv("OPENAI_WEBHOOK_SECRET"), "OPENAI_WEBHOOK_SECRET is not set")
local openai = assert(batchapi.openai())


function M.submit()
  ngx.req.read_body()
  local next_line = (ngx.req.get_body_data() or ""):gmatch("[^\n]+")
  local function requests()
    local line = next_line()
    return line and cjson.decode(line)
  end
  local dir = root .. "/" .. ngx.var.request_id
  local job, why = openai:run(requests, { endpoint = "/v1/embeddings", dir = dir })
  if job then
    local submitted
    submitted, why = job:submit{ timeout = 60 } -- every part has its batch: nothing has to run until the webhook
    job:close()
    if submitted then
      return ngx.say(dir)
    end
  end
  ngx.status = 502
  ngx.say(why)
end


-- Does what is due in every job that has not ended.
local function collect(premature)
  if premature then
    return
  end
  for _, known in ipairs(batchapi.jobs(root) or {}) do
    if known.state ~= "done" then
      local job, why = batchapi.resume(known.dir, { client = openai, lock_timeout = 60 })
      local status = job and job:poll{ timeout = 60 }
      ngx.log(ngx.NOTICE, known.dir, ": ", status and status.state or why)
      if job then
        job:close()
      end
    end
  end
end


function M.receive()
  ngx.req.read_body()
  local genuine, why = batchapi.webhook.verify(ngx.req.get_headers(), ngx.req.get_body_data() or "", secret)
  if not genuine then
    ngx.log(ngx.WARN, why)
    return ngx.exit(400)
  end
  assert(ngx.timer.at(0, collect)) -- the answer goes out at once; OpenAI would send the message again
  return ngx.exit(204)
end


function M.every(seconds)
  assert(ngx.timer.every(seconds, collect))
end


return M
