-- runs on: lua5.4
-- The sandbox's faults, log, totals and listeners, as the curl command meets them.

local curl = require("support.curl")
local sandbox = require("support.openai_sandbox")

local CHAT = { model = "m", messages = { { role = "user", content = "hi" } } }
local CA = "--cacert " .. os.getenv("BATCHAPI_SANDBOX_CA")
-- curl's exit codes
local OK, PARTIAL, TIMEOUT, EMPTY_REPLY, RESET, BAD_ENCODING = 0, 18, 28, 52, 56, 61


local function ask(fault, args)
  return sandbox.call("POST", "/chat/completions", { json = CHAT, headers = { "X-Sandbox-Fault: " .. fault },
    args = args })
end


local function rules(list)
  return sandbox.control("POST", "/faults", list)
end


local function statuses(count)
  local result = {}
  for i = 1, count do
    result[i] = sandbox.call("GET", "/models").status
  end
  return result
end


describe("a fault asked for by header", function()
  setup(function()
    sandbox.control("POST", "/reset")
  end)

  it("answers with a status, in the service's own shape", function()
    local answer = ask("503 retry_after=7 code=slow_down should_retry=false")
    assert.equal(503, answer.status)
    assert.equal("7", answer.headers["retry-after"])
    assert.equal("false", answer.headers["x-should-retry"])
    assert.equal("slow_down", answer.json.error.code)
    answer = ask("429 retry_date=30 retry_after_ms=20")
    assert.truthy(answer.headers["retry-after"]:find("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$"))
    assert.equal("20", answer.headers["retry-after-ms"])
    answer = ask('{"type":"status","status":418,"body":{"tea":true},"headers":{"X-Pot":"1"}}')
    assert.same({ 418, { tea = true }, "1" }, { answer.status, answer.json, answer.headers["x-pot"] })
  end)

  local endings = {
    { "reset", RESET }, { "reset how=close", EMPTY_REPLY }, { "reset read=true", RESET }, { "lost", RESET },
    { "lost how=close", EMPTY_REPLY }, { "truncate at=20", PARTIAL }, { "truncate at=20 chunked=true", PARTIAL },
    { "reset_body at=20", RESET }, { "bad_gzip", BAD_ENCODING, { "--compressed" } },
    { "stall", TIMEOUT, { "-m 0.3" } }, { "stall where=after", TIMEOUT, { "-m 0.3" } },
    { "stall where=body at=5", TIMEOUT, { "-m 0.3" } }, { "drip interval=0.1", TIMEOUT, { "-m 0.3" } },
    { "stall seconds=0.05", OK }, { "stall seconds=0.05 where=body", OK }, { "chunked", OK }, { "headers bytes=20000",
      OK },
    { "drip bytes=100 interval=0.01", OK }, { "hang_up", OK }, { "headers bytes=400000", RESET },
  }
  for _, case in ipairs(endings) do
    it(("ends in curl's code %d: %s"):format(case[2], case[1]), function()
      local answer = ask(case[1], case[3] or {})
      assert.equal(case[2], answer.code, answer.why)
      if case[2] == OK then
        assert.equal("echo: hi", answer.json.choices[1].message.content)
      end
    end)
  end

  it("cuts a body at the byte", function()
    assert.equal(20, #ask("truncate at=20", {}).body)
    assert.is_nil(ask("truncate at=20 chunked=true", {}).headers["content-length"])
  end)

  it("does the work although the answer is lost, or not at all", function()
    local function create(fault)
      sandbox.control("POST", "/reset")
      local wish = { input_file_id = sandbox.upload(sandbox.line("a")).id, endpoint = "/v1/chat/completions",
        completion_window = "24h", metadata = { batchapi_part = "job/1" } }
      sandbox.call("POST", "/batches", { json = wish, headers = { "X-Sandbox-Fault: " .. fault }, args = {} })
      return #sandbox.call("GET", "/batches").json.data, (sandbox.control("GET", "/totals").parts or {})["job/1"]
    end
    assert.same({ 1, 1 }, { create("lost") })
    assert.same({ 1, 1 }, { create("500 after=true") })
    assert.same({ 0 }, { create("reset") })
    assert.same({ 0 }, { create("500") })
  end)

  it("unpacks to more than it weighs", function()
    local answer = ask("bomb bytes=10485760")
    assert.equal("gzip", answer.headers["content-encoding"])
    assert.is_true(#answer.body < 20000)
    answer = ask("bomb bytes=10485760", { "--compressed" })
    assert.is_true(#answer.body > 10485760)
    assert.is_table(answer.json)
  end)

  it("redirects, to the same origin and to another", function()
    assert.equal(sandbox.base .. "/chat/completions", ask("redirect").headers.location)
    local answer = ask("redirect to=other status=302")
    assert.equal(os.getenv("BATCHAPI_SANDBOX_OTHER_URL") .. "/v1/chat/completions", answer.headers.location)
    assert.equal(302, answer.status)
  end)

  it("sends what is no JSON", function()
    local answer = ask("html status=502")
    assert.same({ 502, "text/html; charset=utf-8" }, { answer.status, answer.headers["content-type"] })
    assert.equal("", ask("empty").body)
    answer = ask('{"type":"body","body":"{\\"half\\":"}')
    assert.equal('{"half":', answer.body)
  end)

  it("strikes only so many times, and refuses what it does not know", function()
    local function status()
      return ask("500 times=2 id=one").status
    end
    assert.same({ 500, 500, 200 }, { status(), status(), status() })
    assert.equal(400, ask("nonsense").status)
  end)

  it("meets HTTP/2 as well", function()
    local function over(fault)
      return curl.request("POST", os.getenv("BATCHAPI_SANDBOX_TLS_URL") .. "/v1/chat/completions", { json = CHAT,
        headers = { sandbox.key, "X-Sandbox-Fault: " .. fault }, args = { CA, "--http2" } })
    end
    assert.same({ "2", 429 }, { over("429").version, over("429").status })
    assert.not_equal(0, over("reset").code)
    assert.not_equal(0, over("truncate at=9").code)
  end)
end)


describe("rules for faults", function()
  before_each(function()
    sandbox.control("POST", "/reset")
  end)

  it("strike the n-th, the first, every n-th", function()
    local fault = { type = "status", status = 503 }
    rules { { match = { path = "/v1/models", nth = 2 }, fault = fault } }
    assert.same({ 200, 503, 200 }, statuses(3))
    rules { { match = { path = "/v1/models", nth = { 1, 3 } }, fault = fault } }
    assert.same({ 503, 200, 503, 200 }, statuses(4))
    rules { { match = { service = "openai", first = 2 }, fault = fault } }
    assert.same({ 503, 503, 200 }, statuses(3))
    rules { { match = { operation = "openai.list_models", every = 2 }, times = 1, fault = fault } }
    assert.same({ 200, 503, 200, 200 }, statuses(4))
    rules { { match = { path = "/v1/*els", method = "POST" }, fault = fault } }
    assert.same({ 200 }, statuses(1))
  end)

  it("tell a connection's first request from the others", function()
    rules { { match = { path = "/v1/models", reused = true }, fault = { type = "status", status = 503 } } }
    local url = " " .. sandbox.base .. "/models"
    sandbox.call("GET", "/models", { args = { "-o /dev/null" .. url } })
    local entries = sandbox.control("GET", "/log?path=/v1/models").entries
    assert.same({ 200, 503 }, { entries[1].status, entries[2].status })
    rules {}
    sandbox.call("GET", "/models", { headers = { "X-Sandbox-Fault: hang_up" }, args = { "-o /dev/null" .. url } })
    entries = sandbox.control("GET", "/log?path=/v1/models&since=2").entries
    assert.not_equal(entries[1].connection, entries[2].connection)
  end)

  it("strike at random, alike for the same seed", function()
    local function run(seed)
      rules { { match = { path = "/v1/models", probability = 0.5, seed = seed },
        faults = { { type = "status", status = 500 }, { type = "status", status = 503 } } } }
      return table.concat(statuses(12), " ")
    end
    local first = run(1)
    assert.equal(first, run(1))
    assert.not_equal(first, run(2))
    assert.truthy(first:find("500") and first:find("503") and first:find("200"))
  end)

  it("are counted, replaced and taken away", function()
    rules { { match = { path = "/v1/models" }, fault = { type = "status" } } }
    assert.same({ 500, 500 }, statuses(2))
    local shown = sandbox.control("GET", "/faults").rules[1]
    assert.same({ 2, 2 }, { shown.seen, shown.applied })
    sandbox.control("DELETE", "/faults")
    assert.same({ 200 }, statuses(1))
  end)

  it("are refused when they cannot be read", function()
    for _, rule in ipairs { { fault = { type = "nope" } }, { match = { pth = "/" }, fault = { type = "reset" } },
      {} } do
      assert.equal(400, curl.request("POST", sandbox.url .. "/_control/faults", { json = { rule } }).status)
    end
  end)
end)


describe("the log and the totals", function()
  before_each(function()
    sandbox.control("POST", "/reset")
  end)

  it("tell what came and what went, and no secret", function()
    sandbox.call("POST", "/chat/completions?x=1", { json = CHAT })
    local log = sandbox.control("GET", "/log")
    local entry = log.entries[1]
    assert.equal(1, log.last)
    assert.same({ "POST", "/v1/chat/completions", "x=1", 200, "openai.chat_completions" },
      { entry.method, entry.path, entry.query, entry.status, entry.operation })
    assert.truthy(entry.headers.authorization:find("^Bearer sha256:%x%x%x%x%x%x%x%x%x%x%x%x$"))
    assert.truthy(entry.body:find("hi", 1, true))
    assert.equal(64, #entry.body_sha256)
    assert.is_true(entry.complete)
    local raw = curl.request("GET", sandbox.url .. "/_control/log").body
    assert.is_nil(raw:find(os.getenv("OPENAI_API_KEY"), 1, true))
  end)

  it("show which requests shared a connection", function()
    local url = " " .. sandbox.base .. "/models"
    sandbox.call("GET", "/models", { args = { "-o /dev/null" .. url .. " -o /dev/null" .. url } })
    local entries = sandbox.control("GET", "/log?operation=openai.list_models").entries
    assert.equal(3, #entries)
    assert.equal(entries[1].connection, entries[3].connection)
    assert.equal(3, entries[3].connection_requests)
    assert.equal(1, sandbox.control("GET", "/totals").connections.opened)
  end)

  it("are filtered", function()
    statuses(2)
    ask("429")
    assert.equal(1, #sandbox.control("GET", "/log?status=429").entries)
    assert.equal(1, #sandbox.control("GET", "/log?fault=status").entries)
    assert.equal(1, #sandbox.control("GET", "/log?since=2").entries)
    assert.equal(2, #sandbox.control("GET", "/log?path=/v1/models").entries)
    assert.equal(1, #sandbox.control("GET", "/log?method=POST&limit=1").entries)
    assert.same({ n = 3, status = 429 }, sandbox.control("GET", "/log?since=2&fields=n,status").entries[1])
    local totals = sandbox.control("GET", "/totals")
    assert.same({ 3, 2, 1, 0 }, { totals.requests.all, totals.requests["openai.list_models"], totals.statuses["429"],
      totals.in_flight.all })
  end)

  it("say what was lost", function()
    ask("lost", {})
    local entry = sandbox.control("GET", "/log").entries[1]
    assert.same({ 444, 200, "lost" }, { entry.status, entry.result, entry.fault })
  end)
end)


describe("the listeners", function()
  local function get(url, ...)
    return curl.request("GET", url .. "/v1/models", { headers = { sandbox.key }, args = { ... } })
  end

  it("speak TLS with a certificate of their own", function()
    local tls = os.getenv("BATCHAPI_SANDBOX_TLS_URL")
    assert.same({ 200, "2" }, { get(tls, CA).status, get(tls, CA).version })
    assert.equal(60, get(tls).code)
    assert.same({ 200, "1.1" }, { get(os.getenv("BATCHAPI_SANDBOX_TLS1_URL"), CA).status,
      get(os.getenv("BATCHAPI_SANDBOX_TLS1_URL"), CA).version })
    assert.equal(200, get((tls:gsub("127.0.0.1", "localhost")), CA).status)
  end)

  it("want a client certificate where they say so", function()
    local url = os.getenv("BATCHAPI_SANDBOX_MTLS_URL")
    assert.equal(400, get(url, CA).status)
    assert.equal(200, get(url, CA, "--cert", os.getenv("BATCHAPI_SANDBOX_CLIENT_CERT"), "--key",
      os.getenv("BATCHAPI_SANDBOX_CLIENT_KEY")).status)
  end)

  it("have two neighbours where nobody answers", function()
    assert.equal(7, get(os.getenv("BATCHAPI_SANDBOX_CLOSED_URL"), "").code)
    local answer = get(os.getenv("BATCHAPI_SANDBOX_SILENT_URL"), "--connect-timeout 0.3")
    assert.equal(28, answer.code)
    assert.truthy(answer.why:find("onnect"))
  end)

  it("are there on a unix socket, on IPv6, at another port, and behind a proxy", function()
    assert.equal(200, get("http://sandbox", "--unix-socket", os.getenv("BATCHAPI_SANDBOX_UNIX")).status)
    assert.equal(200, get(os.getenv("BATCHAPI_SANDBOX_OTHER_URL")).status)
    if os.getenv("BATCHAPI_SANDBOX_IPV6_URL") then
      assert.equal(200, get(os.getenv("BATCHAPI_SANDBOX_IPV6_URL")).status)
    end
    sandbox.control("POST", "/reset")
    assert.equal(200, get(sandbox.url, "--noproxy ''", "-x", os.getenv("BATCHAPI_SANDBOX_PROXY_URL")).status)
    assert.equal("1", sandbox.control("GET", "/log").entries[1].headers["x-sandbox-proxied"])
  end)
end)
