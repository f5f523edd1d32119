-- runs on: lua5.4
--- spec/contract/check itself: it passes where client and document agree, and fails where they do not.

local core = require("batchapi.core")

local function document(limit_schema)
  return {
    openapi = "3.1.0",
    info = { title = "lists", version = "1" },
    paths = {
      ["/batches"] = { get = {
        operationId = "listBatches",
        parameters = {
          { name = "limit", ["in"] = "query", schema = { ["$ref"] = "#/components/schemas/Limit" } },
        },
      } },
    },
    components = { schemas = { Limit = limit_schema } },
  }
end

local function check(described, service)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write((assert(core.encode(described))))
  file:close()
  local pipe = assert(io.popen(("BATCHAPI_CONTRACT_TOKEN=$OPENAI_API_KEY spec/contract/check %s '%s' %s"):format(
    os.getenv("OPENAI_BASE_URL"), name, service or "")))
  local output = pipe:read("a")
  local ok = pipe:close()
  os.remove(name)
  return ok or false, output
end

describe("spec/contract/check", function()
  it("passes where the client keeps what the document says", function()
    local ok, output = check(document{ type = "integer", minimum = 1, maximum = 100 })
    assert.is_true(ok, output)
    assert.matches("openai: 1 operations; 7 passed, 0 failed", output)
  end)

  it("fails, by the parameter's name, where the client lets pass what the document forbids", function()
    local ok, output = check(document{ type = "integer", minimum = 1, maximum = 50 })
    assert.is_false(ok)
    assert.matches("FAILED list_batches, limit: above the maximum: refused before it is sent", output)
  end)

  it("makes a definition of a document of any other service", function()
    local ok, output = check(document{ type = "integer", minimum = 1, maximum = 50 }, "document")
    assert.is_true(ok, output)
    assert.matches("document: 1 operations; 7 passed, 0 failed", output)
  end)
end)
