-- runs on: lua5.4
-- Servers that mean harm: what they answer ends within the call's deadline and as the right kind of
-- failure, in little memory, with an innocent call beside it that notices nothing, and no secret is
-- written anywhere. BATCHAPI_HOSTILE=all runs those that try to keep the I/O thread to themselves
-- all, else a few. The servers are server.py; what calls them is caller.lua, in a process of its own.

local core = require("batchapi.core")

local SECRET = "sk-hostile-0123456789abcdef"
local DEADLINE, GRACE = 1.5, 4 -- seconds; the machine may be busy
local CAPTURED = 12 -- for what ends after a second of the processor's time, which others want, too
local MEBIBYTES = 96 -- more than the process had at its start

local everything = os.getenv("BATCHAPI_HOSTILE") == "all"
local lua = os.getenv("BATCHAPI_LUA") or "lua5.4"

local python = os.getenv("BATCHAPI_PYTHON") or "build-python/bin/python"
local directory, server, told, path


local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end


setup(function()
  local pipe = assert(io.popen("mktemp -d"))
  directory = pipe:read("*l")
  pipe:close()
  assert(os.execute("mkfifo " .. directory .. "/told"))
  server = assert(io.popen(("exec %s spec/hostile/server.py %s >%s/told"):format(python, directory, directory), "w"))
  path = directory .. "/told.json"
  local line = io.open(directory .. "/told"):read("*l")
  assert(line, "server.py did not begin: tools/install-deps test brings what it needs")
  local file = assert(io.open(path, "wb"))
  file:write(line)
  file:close()
  told = {}
  for _, protocol in ipairs(core.decode(line).protocols) do
    told[protocol.name] = protocol.cases
  end
end)

teardown(function()
  server:close() -- its standard input ends, and so does it
  os.execute("rm -rf '" .. directory .. "'")
end)


--- Runs the cases of a protocol, and gives all that the process wrote and its results by name.
local function run(protocol, selection)
  local output = ("%s/%s-%s"):format(directory, protocol, selection)
  os.execute(("%s spec/hostile/caller.lua %s %s '%s' %s >%s.out 2>%s.err"):format(lua, path, protocol, selection,
    directory, output, output))
  local results = {}
  for line in io.lines(output .. ".out") do
    local result = assert(core.decode(line))
    results[result.name] = result
  end
  return results, read(output .. ".out") .. read(output .. ".err")
end


local function listed(problems)
  return table.concat(problems, "\n")
end


-- What is wrong with how a case ended, or nil.
local function fault_of(case, result)
  local options = case.options
  local grace = options.captures and CAPTURED or GRACE
  local expected = {}
  for _, kind in ipairs(case.expect) do
    expected[kind] = true
  end
  if not result then
    return "did not end"
  elseif not expected[result.kind] then
    return ("ended as %s (%s)"):format(result.kind, tostring(result.why):sub(1, 200))
  elseif result.elapsed > DEADLINE + grace then
    return ("took %.1f s"):format(result.elapsed)
  elseif not result.beside.ok then
    return "the call beside it failed: " .. tostring(result.beside.why)
  elseif result.beside.elapsed > grace then
    return ("the call beside it took %.1f s"):format(result.beside.elapsed)
  elseif options.error_body and result.body_bytes > options.error_body then
    return ("its body has %d bytes"):format(result.body_bytes)
  elseif options.terminal and result.controls then
    return "control characters are shown"
  elseif options.again and result.again then
    return "an answer that nobody asked for was taken for the next one"
  elseif options.names and not tostring(result.why):find(options.names, 1, true) then
    return "it is not said who signed: " .. tostring(result.why)
  elseif options.values and result.kind ~= "ok" and not tostring(result.why):find("values", 1, true) then
    return "it is not said that there are too many values: " .. tostring(result.why)
  end
end


local function expect_harmless(protocol, selection, least)
  local results, written = run(protocol, selection)
  assert.is_table(results.memory, "the process ended early:\n" .. written:sub(-2000))
  local problems, count = {}, 0
  for _, case in ipairs(told[protocol]) do
    local wanted = selection == "together" and not case.options.captures or selection == "alone" and case.options.captures
    if wanted or results[case.name] then
      count = count + 1
      local fault = fault_of(case, results[case.name])
      problems[#problems + 1] = fault and ("%s: %s"):format(case.name, fault) or nil
    end
  end
  assert.equal("", listed(problems))
  assert.is_true(count >= least, count .. " cases")
  local grown = results.memory.most - results.memory.before
  assert.is_true(grown < MEBIBYTES, ("%.0f MiB of memory"):format(grown))
  assert.is_nil(written:find(SECRET, 1, true), "the key is written")
end


describe("a server that means harm", function()
  it("answers over HTTP/1.1", function()
    expect_harmless("http1", "together", 120)
  end)

  it("answers over HTTP/2", function()
    expect_harmless("http2", "together", 40)
  end)

  it("answers over TLS", function()
    expect_harmless("tls", "together", 20)
  end)

  it("gets nobody another's answer by saying HTTP/2 on a connection of HTTP/1.1", function()
    local results, written = run("mixed", "mixed")
    for _, scheme in ipairs{ "http", "https" } do
      assert.is_table(results[scheme], written:sub(-2000))
      assert.equal(0, results[scheme].wrong, scheme)
      assert.is_true(results[scheme].answered > 20, scheme) -- the others are refused
    end
  end)

  it("keeps nobody else waiting, over HTTP/2", function()
    expect_harmless("http2", everything and "alone" or "short", 4)
  end)

  it("keeps nobody else waiting, over TLS", function()
    expect_harmless("tls", everything and "alone" or "short", 3)
  end)
end)
