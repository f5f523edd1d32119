--- Single operations and what is known of services: call, services, help, sandbox, completion.

local batchapi = require("batchapi")
local json = require("batchapi.json")
local names = require("batchapi.definition.extends").names
local output = require("batchapi.cli.output")
local settings = require("batchapi.cli.settings")
local suggest = require("batchapi.util.suggest")
local terminal = require("batchapi.cli.terminal")

local M = {}


-- JSON where it is some, else the text itself: `--limit 5`, `--metadata '{"a":"b"}'`.
local function value_of(text)
  local value, why = json.decode(text)
  if value == nil and why then
    return text
  end
  return value
end


local function body_from(text)
  if text == "-" then
    text = io.stdin:read("*a")
  elseif text:sub(1, 1) == "@" then
    local file = settings.need(io.open(text:sub(2), "rb"))
    text = file:read("*a")
    file:close()
  end
  local value, why = json.decode(text)
  if value == nil then
    settings.give_up("--json: " .. tostring(why), 2)
  end
  return value
end


-- Words behind the operation: those of the path, then --FIELD VALUE or --json.
local function read_words(words)
  local positional, fields, body, i = {}, nil, nil, 1
  local client = {}
  while i <= #words do
    local word = words[i]
    local name, value = word:match("^%-%-([%w_-]+)=(.*)$")
    name = name or word:match("^%-%-([%w_-]+)$")
    if name then
      if not value then
        i = i + 1
        value = words[i]
      end
      if value == nil then
        settings.give_up(("--%s: a value is missing"):format(name), 2)
      end
      name = name:gsub("-", "_")
      if name == "json" then
        body = body_from(value)
      elseif name == "api_key_file" or name == "base_url" then
        client[name] = value
      else
        fields = fields or {}
        fields[name] = value_of(value)
      end
    elseif fields or body then
      settings.give_up(("'%s' comes after the fields: parameters of the path come first"):format(word), 2)
    else
      positional[#positional + 1] = word
    end
    i = i + 1
  end
  if fields and body and type(body) ~= "table" then
    settings.give_up("--json: fields go with an object only", 2)
  elseif fields and body then
    for name, value in pairs(fields) do
      body[name] = value
    end
  end
  return positional, body or fields, client
end


--- batchapi call SERVICE OPERATION …
function M.call(chosen)
  local positional, fields, of_client = read_words(chosen.words)
  of_client.service = chosen.service
  local client = settings.client(of_client)
  local known = client._definition.by_name
  local operation = known[chosen.operation] and client[chosen.operation]
  if not operation then
    local others = {}
    for name in pairs(known) do
      others[#others + 1] = name
    end
    settings.give_up(("%s has no operation '%s'%s"):format(chosen.service, chosen.operation,
      suggest.hint(chosen.operation, others)), 2)
  end
  positional[#positional + 1] = fields
  local unpack = rawget(table, "unpack") or rawget(_G, "unpack")
  local answer = settings.need(operation(client, unpack(positional)))
  if type(answer) == "string" then
    io.stdout:write(answer)
  else
    output.machine(answer)
  end
  return 0
end


--- batchapi services
function M.services()
  local rows = {}
  for i, name in ipairs(names) do
    rows[i] = { name, (batchapi.help(name):match("^[^\n]*")) }
  end
  terminal.columns(rows, io.stdout)
  return 0
end


--- batchapi help [WORD]
function M.help(chosen)
  io.stdout:write(batchapi.help(chosen.word), "\n")
  return 0
end


-- Where the sandbox is: beside the sources, or where it was installed.
local function sandbox_path()
  local here = debug.getinfo(1, "S").source:match("^@(.*)lua/batchapi/cli/call%.lua$")
  for _, path in ipairs{ os.getenv("BATCHAPI_SANDBOX") or "", (here or "") .. "sandbox/run" } do
    local file = path ~= "" and io.open(path)
    if file then
      file:close()
      return path
    end
  end
  settings.give_up("the sandbox is not here: it lies beside the sources (sandbox/run); BATCHAPI_SANDBOX names it")
end


--- batchapi sandbox [COMMAND]
function M.sandbox(chosen)
  local words = { terminal.quoted(sandbox_path()) }
  for _, word in ipairs(chosen.words) do
    words[#words + 1] = terminal.quoted(word)
  end
  local ok, _, code = os.execute("exec " .. table.concat(words, " "))
  if type(ok) == "number" then -- 5.1: wait's status
    return ok >= 256 and math.floor(ok / 256) or ok
  end
  return ok and 0 or code
end


--- batchapi completion SHELL
function M.completion(chosen)
  local parser = require("batchapi.cli.parser").make()
  io.stdout:write(parser["get_" .. chosen.shell .. "_complete"](parser))
  return 0
end


return M
