-- require("batchapi") loads all there is: nothing is looked for later, when the program may have another
-- directory, or no descriptor left. The command line is a program of its own, which requires it.

local program = require("support.program")

local function modules()
  local pipe = assert(io.popen("cd lua && find batchapi -name '*.lua' ! -name '*.d.lua' | sort"))
  local list = {}
  for path in pipe:lines() do
    if not path:find("^batchapi/cli/") then
      list[#list + 1] = (path:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
    end
  end
  pipe:close()
  assert(#list > 50)
  return list
end


describe("require of batchapi", function()
  it("loads every module, and reads the drivers of hosts that are not there", function()
    local said = program.said([[
      require("batchapi")
      for name in arg[1]:gmatch("[^,]+") do
        if not package.loaded[name] and not package.preload[name] then
          print(name)
        end
      end
    ]], nil, table.concat(modules(), ","))
    assert.equal("", said)
  end)

  it("leaves nothing to be found later", function()
    local said = program.said([[
      local batchapi = require("batchapi")
      local jsonl = require("batchapi.jsonl")
      package.path, package.cpath = "", ""
      assert(batchapi.help() and batchapi.help("run") and batchapi.show{ 1 })
      for _, name in ipairs{ "anthropic", "groq", "mistral" } do
        assert(batchapi[name]{ api_key = "k" })
      end
      local client = assert(batchapi.openai{ max_retries = 0 })
      assert(#batchapi.map({ 1, 2 }, function(i) return i end) == 2)
      local requests = { { body = { model = "m", messages = { { role = "user", content = "hi" } } } } }
      assert(client:run(requests, { endpoint = "/v1/chat/completions", dry_run = true }))
      local job = assert(client:run(requests, { endpoint = "/v1/chat/completions", interval = 0.01 }))
      assert(job:wait{ on_update = batchapi.progress{ file = { write = function() end, flush = function() end } } })
      for result in job:results() do
        assert(result.ok)
      end
      for _ in client:each("list_batches") do end
      assert(job:close() or true)
      io.write("done")
    ]])
    assert.equal("done", said)
  end)
end)
