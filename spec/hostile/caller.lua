--- Calls servers that mean harm, each call with an innocent one beside it, and tells how each ended.
---
---     lua5.4 spec/hostile/caller.lua TOLD PROTOCOL SELECTION DIRECTORY
---
--- TOLD is the file with the line that server.py prints; SELECTION is "together" (the cases that
--- may run at once), "alone" (those that try to keep the I/O thread to themselves) or "short" (a
--- few of those). Prints a line of JSON for each case, and one with the memory that was used.

local batchapi = require("batchapi")
local core = require("batchapi.core")

local told_path, protocol_name, selection, directory = arg[1], arg[2], arg[3], arg[4]

local TIMEOUT = 1.5
local SECRET = "sk-hostile-0123456789abcdef"
local SHORT = 4 -- how many of those that are run alone a short form takes


local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local told = assert(core.decode(read(told_path)))


--- A client of one server.
local function client_of(scheme, port, options)
  options.api_key, options.timeout = SECRET, options.timeout or TIMEOUT
  options.ca_file = scheme == "https" and told.ca or nil
  options.max_body_bytes, options.max_json_values = 4 * 1024 * 1024, 1000000
  return assert(batchapi.client({
    name = "hostile", base_url = ("%s://127.0.0.1:%d"):format(scheme, port),
    auth = { { kind = "bearer", option = "api_key" } },
    operations = { { name = "ask", method = "GET", path = "/{number}" },
      { name = "read", method = "GET", path = "/{number}", answer = "jsonl" } },
  }, options))
end

local innocent = client_of("http", told.innocent, { timeout = 20, max_retries = 0 })


-- The wildest value is told as a text of its own.
local function shown(value, depth)
  if type(value) ~= "table" then
    return tostring(value)
  elseif depth == 0 then
    return "…"
  end
  local parts = {}
  for key, one in pairs(value) do
    if #parts < 30 then
      parts[#parts + 1] = tostring(key) .. "=" .. shown(one, depth - 1)
    end
  end
  return table.concat(parts, " ")
end


-- Several calls at once; the best of their outcomes counts.
local function several(client, number, count)
  local paths, best = {}, nil
  for i = 1, count do
    paths[i] = tostring(number)
  end
  assert(batchapi.map(paths, function(path)
    local answer = { client:ask(path) }
    best = (best and best[1] ~= nil) and best or answer
    return true
  end, { concurrency = count }))
  return best[1], best[2], best[3]
end


-- A second call over the connection of a stream that nobody reads, which must not end as if it were
-- whole either.
local function beside_a_paused(client, number)
  local lines = client:lines("read", tostring(number))
  assert(lines:next())
  local value, why, err = client:ask(tostring(number))
  local line, problem
  repeat
    line, problem = lines:next()
  until line == nil
  if not problem then
    return true, "the stream ended as if it were whole"
  end
  return value, why, err
end


local function answer_of(client, case, number)
  local options = case.options
  if options.to == "file" then
    return client:request{ path = "/" .. number, to = ("%s/%s-%d"):format(directory, protocol_name, number) }
  elseif options.rows then
    return client:read(tostring(number))
  elseif options.paused then
    return beside_a_paused(client, number)
  elseif options.calls then
    return several(client, number, options.calls)
  end
  return client:ask(tostring(number))
end


local function hostile_call(case, number)
  local scheme = protocol_name == "tls" and "https" or "http"
  local attempts = {}
  local client = client_of(scheme, case.port, {
    max_retries = case.options.retries or 0,
    http_version = protocol_name == "http2" and "2" or nil,
    on_request = function(attempt)
      attempts[#attempts + 1] = shown(attempt, 3)
    end,
  })
  local began = core.now()
  local value, why, err = answer_of(client, case, number)
  local result = { name = case.name, elapsed = core.now() - began, ok = value ~= nil, why = why,
    kind = value == nil and err.kind or "ok", code = value == nil and err.code or nil }
  local answer = value == nil and err.response or value ~= nil and err or nil
  result.spoken = table.concat({ tostring(why), tostring(err), tostring(value == nil and err.request_id),
    tostring(value == nil and err.code), tostring(client) }, "\n")
  result.shown = table.concat({ result.spoken, shown(err, 5), shown(answer, 5), shown(value, 5),
    table.concat(attempts, "\n") }, "\n"):sub(1, 20000)
  result.body_bytes = value == nil and type(err.body) == "string" and #err.body or 0
  result.request_id = value == nil and err.request_id or nil
  if case.options.again then
    local again = client:ask(tostring(number))
    result.again = again and again.evil or false
  end
  client:close()
  return result
end


local function innocent_call()
  local began = core.now()
  local value, why = innocent:ask("1")
  return { ok = value ~= nil and value.a == 1, why = why, elapsed = core.now() - began }
end


local function memory()
  local text = read("/proc/self/status")
  return tonumber(text:match("VmHWM:%s*(%d+)")) / 1024
end


-- Bytes that are no text are told by their numbers.
local function plain(text)
  return text and (text:gsub("[^\10\32-\126]", function(c) return ("\\x%02x"):format(c:byte()) end))
end


local function tell(value)
  value.controls = value.spoken and value.spoken:find("[%z\1-\9\11-\31\127-\159]") ~= nil
  for name, text in pairs(value) do
    value[name] = type(text) == "string" and plain(text) or text
  end
  io.stdout:write(assert(core.encode(value)), "\n")
  io.stdout:flush()
end


--- Calls that each ask for a number of their own, some of which are answered in words of HTTP/2:
--- none may get another's answer.
local function mix(scheme)
  local client = client_of(scheme, told.mixed[scheme], { timeout = 20, max_retries = 0 })
  local numbers, wrong, answered = {}, 0, 0
  for i = 1, 300 do
    numbers[i] = i % 12 == 0 and 0 or i
  end
  assert(batchapi.map(numbers, function(number)
    local value = client:ask(tostring(number))
    answered = answered + (value and 1 or 0)
    wrong = wrong + (value and value.number ~= number and 1 or 0)
    return true
  end, { concurrency = 12 }))
  client:close()
  tell{ name = scheme, wrong = wrong, answered = answered }
end

if selection == "mixed" then
  mix("http")
  mix("https")
  return
end


local cases = {}
for _, protocol in ipairs(told.protocols) do
  if protocol.name == protocol_name then
    local alone = 0
    for i, case in ipairs(protocol.cases) do
      local captures = case.options.captures
      alone = alone + (captures and 1 or 0)
      local wanted = selection == "together" and not captures or selection == "alone" and captures
        or selection == "short" and captures and alone <= SHORT or selection == case.name
      if wanted then
        cases[#cases + 1] = { case = case, number = i - 1 }
      end
    end
  end
end

assert(innocent:ask("1")) -- it is there
local before = memory()
local function run(one)
  local result, beside
  batchapi.parallel(function()
    result = hostile_call(one.case, one.number)
    return true
  end, function()
    beside = innocent_call()
    return true
  end)
  result.beside = beside
  tell(result)
  return true
end

-- Those that keep a processor busy come last and few at a time, or the servers of the others are
-- late, which is nobody's fault.
local light, heavy = {}, {}
for _, one in ipairs(cases) do
  local list = one.case.options.heavy and heavy or light
  list[#list + 1] = one
end
local together = selection == "together"
assert(batchapi.map(light, run, { concurrency = together and 8 or 1 }))
assert(batchapi.map(heavy, run, { concurrency = together and 2 or 1 }))
tell{ name = "memory", before = before, most = memory(), cases = #cases }
