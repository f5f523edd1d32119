local batchapi = require("batchapi")
local definition = require("batchapi.definition")
local merge = require("batchapi.merge")

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

describe("tostring(client)", function()
  it("lists the operations with their parameters", function()
    local text = tostring(assert(batchapi.openai{ api_key = "k" }))
    assert.truthy(text:find("download_file(file_id, { [to] })", 1, true))
    assert.truthy(text:find("list_files({ [purpose], [limit], [order], [after] })", 1, true))
  end)
end)
