-- runs on: lua5.4 luajit
-- A job's directory is opened once. What is put at its path afterwards gets nothing of the job, and
-- gives it nothing: not its journal, not what is sent, not what is fetched.

local batchapi = require("batchapi")
local sandbox = require("support.sandbox")

local base

before_each(function()
  sandbox.reset()
  local pipe = assert(io.popen("mktemp -d"))
  base = pipe:read("*l")
  pipe:close()
end)

after_each(function()
  os.execute("rm -rf '" .. base .. "'")
end)


local function names(directory)
  local pipe = assert(io.popen("ls -A '" .. directory .. "'"))
  local text = pipe:read("*a")
  pipe:close()
  return text
end


-- Another directory in the place of the job's, with a file of its own for each of the names.
local function swap(held)
  for _, command in ipairs{ "mv %s/job %s/away", "mkdir %s/theirs %s/job.d", "ln -s theirs %s/job" } do
    assert(os.execute((command:gsub("%%s", base))))
  end
  for _, name in ipairs(held) do
    local file = assert(io.open(base .. "/theirs/" .. name, "w"))
    file:write('{"custom_id":"theirs","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}\n')
    file:close()
  end
end


local function begin(ids, options)
  options.endpoint, options.dir, options.interval = "/v1/chat/completions", base .. "/job", 0.05
  local client = assert(batchapi.openai{ on_request = options.on_request })
  options.on_request = nil
  local requests = {}
  for i, id in ipairs(ids) do
    requests[i] = { custom_id = id, body = { model = "m", messages = { { role = "user", content = "hello" } } } }
  end
  return assert(client:run(requests, options))
end


local function ids_of(job)
  local found = {}
  for result in job:results() do
    assert.is_true(result.ok)
    found[#found + 1] = result.custom_id
  end
  job:close()
  table.sort(found)
  return table.concat(found, " ")
end


describe("a directory that another takes the place of", function()
  it("keeps what is fetched", function()
    local job = begin({ "ours" }, {})
    swap{}
    assert.equal("ours", ids_of(job))
    assert.equal("", names(base .. "/theirs"))
    assert.matches("results", names(base .. "/away"))
  end)

  it("keeps what is sent", function()
    local swapped -- once the first part is sent: what is sent next is read from there
    local job = begin({ "first", "second" }, { max_requests_per_batch = 1, concurrency = 1, on_request = function(attempt)
      if not swapped and attempt.url:find("/batches", 1, true) then
        swapped = names(base .. "/job"):match("part%S+") or "part-00001.jsonl"
        swap{ (swapped:gsub("00001", "00002")) }
      end
    end })
    assert.equal("first second", ids_of(job))
    assert.is_string(swapped)
  end)
end)


describe("a directory whose files others may rename", function()
  local program = require("support.program")

  local function loosen(mode)
    assert(os.execute(("mkdir -p %s/loose && chmod %s %s/loose"):format(base, mode, base)))
    return base .. "/loose"
  end

  local function listening(mode)
    return program.said([[
      local path, why, err = require("batchapi.core").mailbox():listen()
      print(path and "listens" or err.code, why)
    ]], "env BATCHAPI_RUNTIME_DIR=" .. loosen(mode))
  end

  it("holds no socket of ours", function()
    assert.matches("^EPERM.*BATCHAPI_RUNTIME_DIR names another place", listening("0777"))
    assert.matches("^EPERM", listening("0770"))
    assert.matches("^listens", listening("1777"))
    assert.matches("^listens", listening("0755"))
  end)

  it("holds no sandbox, and a sandbox is its owner's alone", function()
    local function sandbox_in(mode)
      local pipe = assert(io.popen(("TMPDIR=%s sandbox/run sh -c 'ls -ld $BATCHAPI_SANDBOX_DIR' 2>&1"):format(loosen(mode))))
      local said = pipe:read("*a")
      pipe:close()
      return said
    end
    assert.matches("others may rename what lies in it", sandbox_in("0777"))
    assert.matches("drwx%-%-%-%-%-%-", sandbox_in("0700"))
  end)
end)
