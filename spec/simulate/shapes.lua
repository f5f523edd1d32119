--- The services that are simulated: how a client of each is made, and what its requests are.

local batchapi = require("batchapi")
local core = require("batchapi.core")

local M = {}


local function never()
  return false
end


local made = {}


--- A client whose requests go to the simulated service. One serves all processes, for at any time
--- only one of them lives.
local function connect(process, name, options)
  local client = made[name] or assert(batchapi[name](options))
  made[name] = client
  client._core, client._context = process.wire, { core = process.wire, host = process.host }
  return client
end


M.file = {
  base = "http://127.0.0.1:1/v1", parts = true, deletes = true, lookup = true, service = require("simulate.services.file"),
  client = function(process)
    return connect(process, "openai", { base_url = M.file.base, api_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { custom_id = "r-" .. i, method = "POST", url = "/v1/chat/completions",
        body = { model = "m", messages = setmetatable({ { role = "user", content = "number " .. i } }, core.array_mt) } }
    end
    return list
  end,
}


M.azure = {
  base = "http://127.0.0.1:1/openai", parts = true, deletes = true, lookup = true, dialect = "azure",
  service = M.file.service,
  client = function(process)
    return connect(process, "azure", { endpoint = "http://127.0.0.1:1", base_url = M.azure.base, api_key = "k" })
  end,
  requests = M.file.requests,
}


M.mistral = {
  base = "http://127.0.0.1:1", parts = true, deletes = true, lookup = true, dialect = "mistral",
  service = M.file.service,
  options = { endpoint = "/v1/chat/completions", model = "m" },
  client = function(process)
    return connect(process, "mistral", { base_url = M.mistral.base, api_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i, request in ipairs(M.file.requests(plan)) do
      list[i] = { custom_id = request.custom_id, body = request.body }
    end
    return list
  end,
}


M.inline = {
  base = "http://127.0.0.1:1", parts = true, reads = never, service = require("simulate.services.inline"),
  client = function(process)
    return connect(process, "anthropic", { base_url = M.inline.base, api_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { custom_id = "r-" .. i, params = { model = "m", max_tokens = 5,
        messages = setmetatable({ { role = "user", content = "number " .. i } }, core.array_mt) } }
    end
    return list
  end,
}


-- Every third request writes.
local function reads(i)
  return i % 3 ~= 2
end


M.envelope = {
  base = "http://127.0.0.1:1/api", reads = reads, service = require("simulate.services.envelope"),
  client = function(process)
    return connect(process, "asana", { base_url = M.envelope.base, access_token = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { method = reads(i) and "get" or "post", relative_path = "/tasks/r-" .. i }
    end
    return list
  end,
}


M.graph = {
  base = "http://127.0.0.1:1/v1.0", reads = reads, service = require("simulate.services.envelope"),
  client = function(process)
    return connect(process, "msgraph", { base_url = M.graph.base, access_token = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { method = reads(i) and "GET" or "DELETE", url = "/tasks/r-" .. i }
    end
    return list
  end,
}


M.batch = {
  base = "http://127.0.0.1:1/acfp", reads = never, service = require("simulate.services.single"),
  client = function(process)
    return connect(process, "factset", { base_url = M.batch.base, username = "u", api_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = "r-" .. i
    end
    return list
  end,
}


M.single = {
  base = "http://127.0.0.1:1/robotoff", reads = never, service = require("simulate.services.single"),
  client = function(process)
    return connect(process, "robotoff", { base_url = M.single.base, batch_job_key = "k" })
  end,
  requests = function(plan)
    local list = {}
    for i = 1, plan.count do
      list[i] = { job_type = "import", batch_dir = "r-" .. i }
    end
    return list
  end,
}


return M
