local batchapi = require("batchapi")
local definition = require("batchapi.definition")
local run_options = require("batchapi.definition.run_options")
local merge = require("batchapi.definition.extends")
local methods = require("batchapi.prompt.methods")
local wait = require("batchapi.client.wait")

describe("batchapi.help", function()
  it("shows parameters, types, limits and an example", function()
    local text = batchapi.help("create_batch")
    for _, words in ipairs{
      "openai:create_batch({ input_file_id, endpoint, completion_window, [metadata], [output_expires_after] })",
      "string, required", '"/v1/chat/completions"', "at most 16 pairs", "3600 to 2592000", "example",
    } do
      assert.truthy(text:find(words, 1, true), words)
    end
  end)

  it("explains one service's operation, a service, an option, and the general options", function()
    assert.matches("^anthropic:create_batch", batchapi.help("anthropic.create_batch"))
    assert.matches("OPENAI_API_KEY", batchapi.help("openai"))
    assert.matches("^option stall_timeout %(default 60%)", batchapi.help("stall_timeout"))
    assert.matches("max_retries", batchapi.help("options"))
    assert.matches("batch_import_post", batchapi.help())
  end)

  it("explains the service of a client, one of one's own too", function()
    local mine = assert(batchapi.client{
      name = "mine", base_url = "https://example.org",
      operations = { { name = "get_thing", method = "GET", path = "/things/{id}" } },
    })
    assert.matches("get_thing%(id%)", batchapi.help(mine))
    assert.matches("^mine:get_thing%(id%)", batchapi.help(mine, "get_thing"))
    assert.matches("did you mean 'get_thing'", batchapi.help(mine, "get_thin"))
  end)

  it("names the nearest when there is nothing of that name", function()
    assert.matches("did you mean 'create_batch'", batchapi.help("creat_batch"))
  end)

  it("has a summary and an example of every operation that is shipped", function()
    for _, name in ipairs(merge.names) do
      for _, operation in ipairs(definition.load(name).operations) do
        assert.truthy(operation.summary, name .. "." .. operation.name)
        assert.truthy(operation.example, name .. "." .. operation.name)
      end
    end
  end)

  it("shows nothing a line of a terminal could not hold twice", function()
    for _, name in ipairs(merge.names) do
      for line in batchapi.help(name):gmatch("[^\n]+") do
        assert.is_true(#line <= 200, line)
      end
    end
  end)
end)

describe("batchapi.help for topics", function()
  it("names them, and explains each", function()
    local names = batchapi.help():match("\ntopics +([^\n]+)")
    for name in names:gmatch("%a+") do
      local text = batchapi.help(name)
      assert.is_nil(text:find("nothing is called", 1, true), name)
      for line in text:gmatch("[^\n]+") do
        assert.is_true(#line <= 400 and (name == "options" or #line <= 130), line)
      end
    end
    assert.matches("did you mean 'errors'", batchapi.help("erors"))
  end)

  it("names every kind of error there is", function()
    local text = batchapi.help("errors")
    local kinds = "invalid auth rate_limit http connect tls timeout truncated decode too_large cancelled closed io "
      .. "locked job"
    for kind in kinds:gmatch("%S+") do
      assert.truthy(text:find("%f[%w_]" .. kind .. "%f[^%w_]"), kind)
    end
  end)
end)


describe("the words for completion at the prompt", function()
  it("are the operations, verbs and options there are", function()
    local words = {}
    local root = debug.getinfo(1, "S").source:match("^@(.*)spec/help_spec%.lua$") -- installed modules are tried elsewhere
    for word in io.lines(root .. "docs/batchapi.words") do
      assert.is_nil(words[word], word)
      words[word] = true
    end
    for _, name in ipairs(merge.names) do
      for _, operation in ipairs(definition.load(name).operations) do
        assert.is_true(words[operation.name], operation.name)
      end
    end
    for _, option in ipairs(run_options) do
      assert.is_true(words[option.name], option.name)
    end
    assert.is_true(words.results and words.batchapi and words.api_key)
  end)
end)

describe("batchapi.help for verbs and functions", function()
  local function entry(name)
    for _, one in ipairs(methods) do
      if one.name == name then
        return one
      end
    end
  end

  it("gives parameters, units and an example of each", function()
    for _, name in ipairs{ "run", "wait", "each", "pages", "lines", "request", "with", "stats", "close", "resume",
      "parallel", "map" } do
      local text = batchapi.help(name)
      local owner = entry(name).module and "batchapi." or "client:"
      assert.are.equal(owner .. name, text:sub(1, #owner + #name))
      assert.truthy(text:find("\nreturns\n", 1, true), name)
      local example = assert(text:match("\nexample\n(.+)$"), name)
      assert.truthy(example:find("[:.]" .. name .. "[({]"), name)
      assert.truthy((loadstring or load)(example), "the example of " .. name .. " is not Lua")
      for line in text:gmatch("[^\n]+") do
        assert.is_true(#line <= 125, line)
      end
    end
    assert.truthy(batchapi.help("wait"):find("seconds for all of it (the batch's window and an hour)", 1, true))
    assert.truthy(batchapi.help("map"):find("calls of f at once (16)", 1, true))
  end)

  it("has every function of the module and every method of a client that it names, and no other", function()
    local client = assert(batchapi.openai{ api_key = "k" })
    for _, one in ipairs(methods) do
      assert.is_function((one.module and batchapi or client)[one.name], one.name)
    end
  end)

  it("explains the options by the lists that check them", function()
    for name, list in pairs{ run = run_options, wait = wait.options } do
      assert.are.equal(list, entry(name).options)
      local text = batchapi.help(name)
      for _, option in ipairs(list) do
        assert.is_true(#(option.help or "") > 10, option.name)
        local line = assert(text:match("\n  " .. option.name .. " +([^\n]+)"), option.name)
        assert.are.equal(type(option.kind) == "table" and option.kind[1] or option.kind, (line:match("^%a+")))
        if option.default ~= nil then
          assert.truthy(text:find(option.help .. " (" .. tostring(option.default) .. ")", 1, true), option.name)
        end
      end
    end
    for _, name in ipairs{ "request", "resume", "map" } do
      for _, option in ipairs(entry(name).options) do
        assert.is_true(#(option.help or "") > 4, name .. "." .. option.name)
      end
    end
  end)

  it("adds what one service's run takes", function()
    assert.falsy(batchapi.help("run"):find("completion_window", 1, true))
    assert.truthy(batchapi.help("openai.run"):find("completion_window", 1, true))
    local mistral = assert(batchapi.mistral{ api_key = "k" })
    assert.truthy(batchapi.help(mistral, "run"):find("timeout_hours", 1, true))
  end)

  it("explains an option of run, keeps verbs and functions apart, and corrects a name", function()
    assert.are.equal("option dir of run: directory of the journal; the job then survives the process (see resume)",
      batchapi.help("dir"))
    assert.matches("^batchapi.map", batchapi.help("batchapi.map"))
    assert.matches("^nothing is called 'openai.map'", batchapi.help("openai.map"))
    assert.matches("^nothing is called 'nowhere.wait'", batchapi.help("nowhere.wait"))
    assert.matches("did you mean 'resume'", batchapi.help("resum"))
    assert.matches("parallel", batchapi.help())
  end)
end)

describe("tostring(client)", function()
  it("lists the operations with their parameters", function()
    local text = tostring(assert(batchapi.openai{ api_key = "k" }))
    assert.truthy(text:find("download_file(file_id, { [to] })", 1, true))
    assert.truthy(text:find("list_files({ [purpose], [limit], [order], [after] })", 1, true))
  end)
end)
