-- Every public function, called wrongly: the error stands at the caller's line, and no word of it is of
-- the library's insides.

local batchapi = require("batchapi")
local json = require("batchapi.json")
local jsonl = require("batchapi.jsonl")

local path = os.tmpname()
local client = assert(batchapi.openai{ api_key = "sk-misuse" })
local closed = assert(batchapi.openai{ api_key = "sk-misuse" })
closed:close()

teardown(function()
  client:close()
  os.remove(path)
end)

-- name = calls, each a mistake. A list of false alone: it takes nothing that could be wrong.
local cases = {}

cases.batchapi = {
  openai = { function() batchapi.openai(1) end, function() batchapi.openai{ tiemout = 1 } end,
    function() batchapi.openai{ api_key = "k", timeout = "1" } end,
    function() batchapi.openai{ api_key = "k", timeout = 0 } end,
    function() batchapi.openai{ api_key = "k", max_retries = 1.5 } end, function() batchapi.openai{ api_key = 1 } end,
    function() batchapi.openai{ api_key = "k", headers = { a = {} } } end,
    function() batchapi.openai{ api_key = "k", host = "x" } end,
    function() batchapi.openai{ api_key = "k", base_url = "ftp://x" } end,
    function() batchapi.openai{ api_key = "k", max_retries = 0 / 0 } end,
    function() batchapi.openai{ api_key = "k", json = {} } end,
    function() batchapi.openai{ api_key = "k", token = 1 } end,
    function() batchapi.openai{ api_key = "k", http_version = "3" } end },
  client = { function() batchapi.client() end, function() batchapi.client(1) end,
    function() batchapi.client("opnai") end,
    function() batchapi.client({ name = "x" }, 1) end, function() batchapi.client{ name = "x", operations = 1 } end,
    function() batchapi.client{ name = "x", base_url = "http://x", operations = { { name = "y" } } } end },
  array = { function() batchapi.array(1) end },
  object = { function() batchapi.object(1) end, function() batchapi.object{ a = 1 } end,
    function() batchapi.object() end },
  show = { function() batchapi.show({}, 1) end, function() batchapi.show({}, { dpeth = 1 }) end,
    function() batchapi.show({}, { depth = "1" }) end },
  help = { function() batchapi.help(1) end, function() batchapi.help(client, 1) end },
  resume = { function() batchapi.resume() end, function() batchapi.resume(1) end,
    function() batchapi.resume("x", 1) end,
    function() batchapi.resume("x", { clinet = client }) end, function() batchapi.resume("x", { client = 1 }) end },
  progress = { function() batchapi.progress(1) end, function() batchapi.progress{ steram = 1 } end },
  parallel = { function() batchapi.parallel(1) end, function() batchapi.parallel(print, 2) end,
    function() batchapi.parallel({ outcoms = true }, print) end },
  map = { function() batchapi.map() end, function() batchapi.map(1, print) end, function() batchapi.map({}, 1) end,
    function() batchapi.map({}, print, 1) end, function() batchapi.map({}, print, { concurency = 1 }) end,
    function() batchapi.map({}, print, { concurrency = 0 }) end },
  defer = { function() batchapi.defer() end, function() batchapi.defer(1) end },
  cancel = { function() batchapi.cancel() end, function() batchapi.cancel(1) end, function() batchapi.cancel({}) end },
  fd = { false }, pump = { false }, next_timeout = { false }, version = { false },
}
for _, name in ipairs{ "asana", "factset", "robotoff", "azure", "groq", "anthropic", "mistral", "msgraph" } do
  cases.batchapi[name] = { function() batchapi[name](1) end, function() batchapi[name]{ tiemout = 1 } end }
end

for _, name in ipairs{ "status", "jobs", "verify" } do
  cases.batchapi[name] = { function() batchapi[name]() end, function() batchapi[name](1) end }
end
cases.batchapi.verify[3] = function() batchapi.verify("x", { grup = true }) end

cases.json = {
  encode = { function() json.encode(1, 1) end, function() json.encode(1, { dpeth = 1 }) end,
    function() json.encode(1, { max_depth = 0 }) end, function() json.encode(1, { sort_keys = 1 }) end },
  decode = { function() json.decode() end, function() json.decode(1) end, function() json.decode("1", 1) end,
    function() json.decode("1", { null = 1 }) end, function() json.decode("1", { max_depth = 1e9 }) end,
    function() json.decode("1", { big_integers = 1 }) end },
  array = { function() json.array(1) end },
  object = { function() json.object(1) end },
}

cases.jsonl = {
  read = { function() jsonl.read() end, function() jsonl.read(1) end, function() jsonl.read(path, 1) end,
    function() jsonl.read(path, { max_line = 1 }) end, function() jsonl.read(path, { max_line_bytes = 0 }) end,
    function() jsonl.read(path, { max_depth = 0 }) end, function() jsonl.read(path, { host = "x" }) end },
  write = { function() jsonl.write() end, function() jsonl.write(1) end, function() jsonl.write(path, 1) end,
    function() jsonl.write(path, { apend = true }) end },
}

cases.oauth = {
  authorize_url = { function() batchapi.oauth.authorize_url() end, function() batchapi.oauth.authorize_url(1) end,
    function() batchapi.oauth.authorize_url{ service = "asana", clientid = 1 } end,
    function() batchapi.oauth.authorize_url{} end },
  exchange = { function() batchapi.oauth.exchange() end, function() batchapi.oauth.exchange(1) end,
    function() batchapi.oauth.exchange{ service = "asana", coed = 1 } end, function() batchapi.oauth.exchange{} end },
}

cases.webhook = {
  verify = { function() batchapi.webhook.verify() end, function() batchapi.webhook.verify({}, 1, "whsec_AAAA") end,
    function() batchapi.webhook.verify({}, "", 1) end, function() batchapi.webhook.verify({}, "", "whsec_AAAA", 1) end,
    function() batchapi.webhook.verify({}, "", "whsec_AAAA", { nwo = 1 }) end },
  unwrap = { function() batchapi.webhook.unwrap() end, function() batchapi.webhook.unwrap({}, 1, "whsec_AAAA") end,
    function() batchapi.webhook.unwrap({}, "", 1) end,
    function() batchapi.webhook.unwrap({}, "", "whsec_AAAA", { nwo = 1 }) end },
}

-- Of each method: without a colon, on a closed client, and wrong arguments.
cases.client = {
  request = { function() client.request{ path = "/" } end, function() closed:request{ path = "/" } end,
    function() client:request() end,
    function() client:request(1) end, function() client:request{} end, function() client:request{ path = 1 } end,
    function() client:request{ path = "x" } end, function() client:request{ path = "/", quer = {} } end,
    function() client:request{ path = "/", query = 1 } end, function() client:request{ path = "/", body = 1 } end,
    function() client:request{ path = "/", method = "GRAB" } end,
    function() client:request{ path = "/", repeats = "often" } end,
    function() client:request{ path = "/", query = { a = print } } end,
    function() client:request{ path = "/", headers = { Host = "x" } } end,
    function() client:request{ path = "/", to = 1 } end },
  lines = { function() client.lines("download_file") end, function() closed:lines("download_file", "x") end,
    function() client:lines() end,
    function() client:lines("x") end, function() client:lines("create_batch") end,
    function() client:lines("download_file") end },
  each = { function() client.each("list_batches") end, function() closed:each("list_batches") end,
    function() client:each() end,
    function() client:each("list_batchs") end, function() client:each("create_batch", {}) end,
    function() client:each("list_batches", 1) end },
  pages = { function() client.pages("list_batches") end, function() closed:pages("list_batches") end,
    function() client:pages() end,
    function() client:pages("x") end, function() client:pages("create_batch", {}) end,
    function() client:pages("list_batches", { lmit = 1 }) end },
  wait = { function() client.wait("x") end, function() closed:wait("x") end, function() client:wait() end,
    function() client:wait(1) end,
    function() client:wait("x", 1) end, function() client:wait("x", { intervall = 1 }) end,
    function() client:wait("x", { interval = 0 }) end,
    function() client:wait("x", { on_update = 1 }) end },
  run = { function() client.run({}) end, function() closed:run({}) end, function() client:run() end,
    function() client:run(1) end,
    function() client:run({}, 1) end, function() client:run({}, { endpiont = "x" }) end,
    function() client:run({}, { endpoint = 1 }) end },
  stats = { function() client.stats() end },
  close = { function() client.close() end },
  with = { function() client.with{} end, function() closed:with{} end, function() client:with() end,
    function() client:with(1) end,
    function() client:with{ limits = {} } end, function() client:with{ timeout = -1 } end },
  start = { function() client.start("list_batches", print) end, function() closed:start("list_batches", print) end,
    function() client:start() end, function() client:start("x", print) end,
    function() client:start("list_batches") end },
}
for _, name in ipairs{ "create_batch", "retrieve_batch", "list_batches", "cancel_batch", "create_file", "list_files",
  "retrieve_file",
  "delete_file", "download_file", "create_upload", "add_upload_part", "complete_upload", "cancel_upload",
  "create_chat_completion", "create_response", "create_embedding", "list_models", "retrieve_model" } do
  cases.client[name] = { function() client[name]({}) end, function() closed[name](closed, "x") end,
    function() client[name](client, 1, 2, 3, 4) end }
end


-- Where the function raised: the line of the call in this file, and nothing of our own folder.
local function check(name, f)
  local ok, why = pcall(f)
  why = tostring(why)
  local info, line = debug.getinfo(f, "S"), tonumber(why:match("misuse_spec%.lua:(%d+): "))
  return ok and name .. " raises nothing"
    or not line and name .. " raises elsewhere: " .. why
    or (line < info.linedefined or line > info.lastlinedefined) and name .. " raises at another line: " .. why
    or (why:find("batchapi/%w+%.lua") or why:find("'?'", 1, true)) and name .. " shows its insides: " .. why
    or nil
end

local function each_case(group, f)
  for name, list in pairs(cases[group]) do
    for i, case in ipairs(list) do
      if case then
        f(("%s.%s, mistake %d"):format(group, name, i), case)
      end
    end
  end
end

-- The functions a user can name, methods of the class included.
local function functions_of(object)
  local found = {}
  while type(object) == "table" do
    for name, value in pairs(object) do
      if type(value) == "function" and not name:find("^_") then
        found[name] = true
      end
    end
    local mt = getmetatable(object)
    object = mt and mt.__index
  end
  return found
end


describe("misuse", function()
  local places = { batchapi = batchapi, json = json, jsonl = jsonl, oauth = batchapi.oauth, webhook = batchapi.webhook,
    client = getmetatable(client).__index }

  for group in pairs(cases) do
    it("raises at the caller's line: " .. group, function()
      local failures = {}
      each_case(group, function(name, case)
        failures[#failures + 1] = check(name, case)
      end)
      assert.equal("", table.concat(failures, "\n"))
    end)

    it("is tried of every function: " .. group, function()
      for name in pairs(functions_of(places[group])) do
        assert(cases[group][name], group .. "." .. name .. " has no case here")
      end
    end)
  end
end)
