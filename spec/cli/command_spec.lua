local json = require("batchapi.json")
local jobs = require("support.job")
local sandbox = require("support.sandbox")
local shell = require("support.shell")

local CHAT = "/v1/chat/completions"


local function write(path, text)
  jobs.write(path, text)
  return path
end


--- A file of requests; those whose content is a fault of the sandbox fail.
local function requests(dir, contents)
  local lines = {}
  for i, content in ipairs(contents) do
    lines[i] = json.encode{ custom_id = "r" .. i, body = { model = "gpt-4o-mini",
      messages = { { role = "user", content = content } },
      metadata = content:find("^fail") and { sandbox = content } or nil } }
  end
  return write(dir .. "/requests.jsonl", table.concat(lines, "\n") .. "\n")
end


local function decoded(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    list[#list + 1] = assert(json.decode(line))
  end
  return list
end


describe("the command", function()
  local folder

  before_each(function()
    sandbox.reset()
    sandbox.clock{ speed = 100 }
    folder = jobs.dir()
    os.execute("mkdir -p " .. folder)
  end)

  after_each(function()
    jobs.clear()
  end)

  local function run(...)
    return shell.run({}, ...)
  end

  it("says its version without loading the module", function()
    local out, _, code = shell.run({ environment = "LUA_CPATH=/nowhere" }, "--version")
    assert.are.same({ "batchapi " .. require("batchapi.version") .. "\n", 0 }, { out, code })
  end)

  it("runs a file of requests: results on standard output, what people read on the other", function()
    local file = requests(folder, { "one", "two", "three" })
    local out, err, code = run("run", file, "--endpoint", CHAT, "--interval", "0.1")
    assert.are.equal(0, code, err)
    local results = decoded(out)
    assert.are.equal(3, #results)
    assert.is_true(results[1].ok and results[2].ok and results[3].ok)
    assert.is_truthy(results[1].body.choices)
    assert.is_truthy(err:find("3 ok, 0 failed", 1, true), err)
    assert.is_truthy(err:find(file .. ".job", 1, true), err)
    out, err, code = run("results", file .. ".job", "--raw")
    assert.are.equal(0, code, err)
    assert.is_truthy(decoded(out)[1].response, out)
  end)

  it("tells failures by its exit code and its last line, and sends them again when asked", function()
    local file = requests(folder, { "one", "fail-500-bad", "three" })
    local output = folder .. "/out.jsonl"
    local out, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "-o", output)
    assert.are.equal(1, code, err)
    assert.are.equal("", out)
    assert.is_truthy(err:find("batchapi retry " .. file .. ".job", 1, true), err)
    out, err, code = run("results", file .. ".job", "--failed")
    assert.are.equal(1, code, err)
    assert.are.equal("r2", decoded(out)[1].custom_id)
    out, err, code = run("results", file .. ".job", "--failed", "--requests", "-o", folder .. "/again.jsonl")
    assert.are.same({ "", 1 }, { out, code }, err)
    out, err, code = run("check", folder .. "/again.jsonl", "-e", CHAT)
    assert.are.equal(0, code, err)
    assert.is_truthy(out:find("^1 requests"), out)
    out, err, code = run("retry", file .. ".job", "-q")
    assert.are.equal(1, code, err)
    assert.is_truthy(err:find("1 sent again", 1, true), err)
    assert.are.equal(3, #decoded(out))
  end)

  it("submits and leaves; another process collects; status tells in between", function()
    local file = requests(folder, { "one", "two" })
    local dir = folder .. "/night"
    sandbox.clock{ freeze = true }
    local _, err, code = run("run", file, "-e", CHAT, "-d", dir, "--detach")
    assert.are.equal(0, code, err)
    assert.is_truthy(err:find("batchapi resume " .. dir, 1, true), err)
    local out
    out, err, code = run("status", folder)
    assert.are.equal(0, code, err)
    assert.is_truthy(out:find("running +0/2 +openai +%d+%a +" .. dir:gsub("%p", "%%%0")), out)
    out, err, code = run("results", dir)
    assert.are.same({ "", 3 }, { out, code })
    assert.is_truthy(err:find("has not ended", 1, true), err)
    sandbox.clock{ freeze = false, speed = 100 }
    out, err, code = run("resume", dir, "--interval", "0.1")
    assert.are.equal(0, code, err)
    assert.are.equal(2, #decoded(out))
    out = run("status", dir, "--json")
    local status = json.decode(out)[1]
    assert.are.same({ "done", 2, "openai" }, { status.state, status.ok, status.service })
  end)

  it("takes requests from standard input", function()
    local out, err, code = shell.run({ stdin = json.encode{ body = { model = "gpt-4o-mini", messages = { { role = "user",
      content = "one" } } } } .. "\n" }, "run", "-", "--no-dir", "-e", CHAT, "--interval", "0.1", "-q")
    assert.are.equal(0, code, err)
    assert.are.equal(1, #decoded(out))
    out, err, code = run("run", "-", "-e", CHAT)
    assert.are.equal("", out)
    assert.are.equal(2, code)
    assert.is_truthy(err:find("--no-dir", 1, true), err)
  end)

  it("names the faults of a file by their lines", function()
    local empty_out, empty_err, empty_code = run("check", write(folder .. "/empty.jsonl", ""), "-e", CHAT)
    assert.are.equal(1, empty_code, empty_err)
    assert.is_truthy(empty_out:find("empty.jsonl: ", 1, true), empty_out)
    local file = write(folder .. "/broken.jsonl", '{"body":{}}\n{"bodi":{}}\nno json\n')
    local out, err, code = run("check", file, "-e", CHAT)
    assert.are.equal(1, code, err)
    assert.is_truthy(out:find(file .. ":2: ", 1, true), out)
    assert.is_truthy(out:find(file .. ":3: ", 1, true), out)
  end)

  it("stops at Ctrl-C, and tells how to go on", function()
    sandbox.clock{ freeze = true }
    local file = requests(folder, { "one" })
    local screen, code = shell.on_terminal({ "running=>^C" }, "run", file, "-e", CHAT)
    assert.are.equal(130, code, screen)
    assert.is_truthy(screen:find("interrupted; to go on: batchapi resume " .. file .. ".job", 1, true), screen)
    sandbox.clock{ freeze = false, speed = 100 }
    local out, err
    out, err, code = run("resume", file .. ".job", "--interval", "0.1", "-q")
    assert.are.equal(0, code, err)
    assert.are.equal(1, #decoded(out))
  end)

  it("calls any operation, with parameters, fields and JSON", function()
    local out, err, code = run("call", "openai", "list_batches", "--limit", "5")
    assert.are.equal(0, code, err)
    assert.are.equal("list", json.decode(out).object)
    out, err, code = run("call", "openai", "retrieve_batch", "nix")
    assert.are.equal("", out)
    assert.are.equal(3, code)
    assert.is_truthy(err:find("404", 1, true), err)
    out, err, code = run("call", "openai", "crate_batch")
    assert.are.equal("", out)
    assert.are.equal(2, code)
    assert.is_truthy(err:find("did you mean 'create_batch'", 1, true), err)
  end)

  it("shows what lies at the service, and deletes only what jobs that have ended left", function()
    local file = requests(folder, { "one" })
    local _, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "-q")
    assert.are.equal(0, code, err)
    local out
    out, err = run("batches")
    assert.is_truthy(out:find("completed +1/1"), out .. err)
    out = run("files", "--json")
    assert.are.equal(2, #json.decode(out))
    _, err, code = run("clean", folder)
    assert.are.equal(3, code)
    assert.is_truthy(err:find("--yes", 1, true), err)
    assert.are.equal(2, #json.decode((run("files", "--json"))))
    _, err, code = run("clean", folder, "--yes")
    assert.are.equal(0, code, err)
    assert.are.equal(0, #json.decode((run("files", "--json"))))
    out, err, code = run("clean", folder, "--yes")
    assert.are.same({ "", 0 }, { out, code }, err)
  end)

  it("says which files it could not delete, and names them again", function()
    local file = requests(folder, { "one" })
    local _, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "-q")
    assert.are.equal(0, code, err)
    sandbox.faults{ { match = { operation = "openai.delete_file" }, fault = { type = "status", status = 400 } } }
    _, err, code = run("clean", folder, "--yes")
    assert.are.equal(3, code, err)
    assert.is_truthy(err:find("400", 1, true), err)
    sandbox.faults{}
    local out
    out, err, code = run("clean", folder, "--yes")
    assert.are.equal(0, code, err)
    assert.is_truthy(out:find("part 1", 1, true), out)
    assert.are.equal(0, #json.decode((run("files", "--json"))))
  end)

  it("never writes over the requests, and finds no place for results before anything is sent", function()
    local file = requests(folder, { "one" })
    local before = jobs.read(file)
    local _, err, code = run("run", file, "-e", CHAT, "-o", file)
    assert.are.equal(2, code, err)
    _, err, code = run("run", file, "-e", CHAT, "-o", folder .. "/nowhere/x")
    assert.are.equal(3, code, err)
    assert.are.equal(before, jobs.read(file))
    assert.are.equal(0, sandbox.count("requests", "openai.create_batch"))
    _, err, code = run("run", folder .. "/nix.jsonl", "-e", CHAT)
    assert.are.equal(3, code, err)
    assert.is_nil(io.open(folder .. "/nix.jsonl.job/journal.jsonl"))
  end)

  it("writes answers that had to be mended", function()
    local file = requests(folder, { "one", "two" })
    local out, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "-m", "sandbox=nan=1 utf8=1 ordered")
    assert.are.equal(0, code, err)
    local results = decoded(out)
    assert.are.equal(2, #results)
    assert.is_string(results[1].repaired or results[2].repaired)
  end)

  it("asks for what could not be fetched when the job is resumed, with the flags' key too", function()
    local file = requests(folder, { "one", "two" })
    sandbox.faults{ { match = { operation = "openai.download_file" }, fault = { type = "status", status = 400 } } }
    local _, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "--settle", "0.2", "-q")
    assert.are.equal(1, code, err)
    assert.is_truthy(err:find("batchapi resume", 1, true), err)
    sandbox.faults{}
    local key = write(folder .. "/key", os.getenv("OPENAI_API_KEY"))
    os.execute("chmod 600 " .. key)
    local out
    out, err, code = shell.run({ environment = "-u OPENAI_API_KEY" }, "resume", file .. ".job", "--api-key-file", key, "-q")
    assert.are.equal(0, code, err)
    assert.are.equal(2, #decoded(out))
  end)

  it("reads its settings from a file that nobody else can read", function()
    os.execute("mkdir -p " .. folder .. "/batchapi")
    local config = write(folder .. "/batchapi/config.lua",
      ("return { openai = { api_key = %q } }\n"):format(os.getenv("OPENAI_API_KEY")))
    local alone = { environment = "-u OPENAI_API_KEY XDG_CONFIG_HOME=" .. folder }
    os.execute("chmod 644 " .. config)
    local out, err, code = shell.run(alone, "batches")
    assert.are.same({ "", 3 }, { out, code })
    assert.is_truthy(err:find("can be read by others", 1, true), err)
    os.execute("chmod 600 " .. config)
    out, err, code = shell.run(alone, "batches", "--json")
    assert.are.same({ "[]\n", 0 }, { out, code }, err)
    os.remove(config)
    config = write(folder .. "/batchapi/config.json", json.encode{ openai = { api_key = os.getenv("OPENAI_API_KEY") } })
    os.execute("chmod 600 " .. config)
    out, err, code = shell.run(alone, "batches", "--json")
    assert.are.same({ "[]\n", 0 }, { out, code }, err)
  end)

  it("answers what is wrong with usage and 2", function()
    for _, words in ipairs({ { "rum" }, { "run" }, { "run", "x", "--attempts", "many" }, { "status", "--nix" }, {} }) do
      local _, err, code = run((table.unpack or unpack)(words)) -- luacheck: ignore 113 143
      assert.are.equal(2, code)
      assert.is_truthy(err:find("^batchapi: .+\nTry: batchapi"), err)
    end
    local _, err, code = run("run", folder .. "/nix.jsonl", "-e", CHAT)
    assert.are.equal(3, code)
    assert.is_truthy(err:find("No such file", 1, true), err)
    assert.is_nil(err:find("%.lua:%d"), err)
  end)

  it("ends quietly when its reader has gone", function()
    local contents = {}
    for i = 1, 300 do
      contents[i] = ("word "):rep(200)
    end
    local file = requests(folder, contents)
    local _, err, code = run("run", file, "-e", CHAT, "--interval", "0.1", "-o", folder .. "/o")
    assert.are.equal(0, code, err)
    local pipe = io.popen(("%s bin/batchapi results %s 2>&1 | head -n 1 | wc -l"):format(
      os.getenv("BATCHAPI_LUA") or "lua5.4", file .. ".job"))
    assert.are.equal("1\n", pipe:read("*a"))
    pipe:close()
  end)
end)
