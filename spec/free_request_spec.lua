-- client:request: the first of a kind is put together in Lua, those that follow in the core. Nobody
-- must be able to tell.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local failure = require("batchapi.call.failure")
local sandbox = require("support.sandbox")

local function chat(content)
  return {
    method = "POST", path = "/chat/completions",
    body = { model = "m", messages = batchapi.array{ { role = "user", content = content } } },
  }
end

local function client_with(options)
  sandbox.reset()
  return assert(batchapi.openai(options or {}))
end


describe("a free request", function()
  it("sends a table as JSON, each time the one that is given", function()
    local client = client_with()
    for _, content in ipairs{ "one", "two", "three" } do
      local answer = assert(client:request(chat(content)))
      assert.equal("echo: " .. content, answer.choices[1].message.content)
      assert.equal("application/json", sandbox.last().headers["content-type"])
    end
  end)

  it("goes where its path and its query say, whatever went before", function()
    local client = client_with()
    for _, path in ipairs{ "/files", "/batches", "/files" } do
      for _, limit in ipairs{ 1, false, 2 } do
        assert(client:request{ path = path, query = limit and { limit = limit } or nil })
        assert.equal("/v1" .. path, sandbox.last().path)
        assert.equal(limit and "limit=" .. limit or "", sandbox.last().query)
      end
    end
  end)

  for what, body in pairs{ ["a function"] = { f = print }, ["nan"] = { 0 / 0 }, ["mixed keys"] = { 1, a = 2 } } do
    it("is refused in the same words every time: " .. what, function()
      local client, first = client_with(), nil
      for _ = 1, 3 do
        local value, message, err = client:request{ method = "POST", path = "/chat/completions", body = body }
        assert.is_nil(value)
        assert.equal("invalid", err.kind)
        assert.match("^POST /chat/completions: ", message)
        assert.is_false(err.sent or err.retryable)
        assert.equal(first or message, message)
        first = message
        assert(client:request(chat("in between")))
      end
    end)
  end

  it("that is too large itself is not told how to have a larger answer", function()
    local client = client_with()
    for attempts = 0, 1 do
      local _, message = failure.of_outcome(client, "x", {
        ok = false, kind = "too_large", message = "too many bytes", status = 0, attempts = attempts, headers = {},
      })
      assert.equal(attempts == 1, message:find("max_body_bytes", 1, true) ~= nil)
    end
  end)

  it("is encoded by the codec that was put in the place of ours", function()
    local encoded = 0
    local client = client_with{ json = {
      encode = function(value)
        encoded = encoded + 1
        return core.encode(value)
      end,
      decode = core.decode,
    } }
    for i = 1, 3 do
      assert(client:request(chat("x")))
      assert.equal(i, encoded)
    end
  end)

  it("is told to the hook every time", function()
    local attempts = 0
    local client = client_with{ on_request = function(attempt)
      attempts = attempts + (attempt.status and 1 or 0)
    end }
    for i = 1, 3 do
      assert.equal("echo: x", assert(client:request(chat("x"))).choices[1].message.content)
      assert.equal(i, attempts)
    end
  end)
end)
