local webhook = require("batchapi.webhook")

-- The example of the Standard Webhooks libraries.
local secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
local body = '{"test": 2432232314}'
local sent = 1614265330
local signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

local function headers(changes)
  local made = {
    ["webhook-id"] = "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ["webhook-timestamp"] = tostring(sent),
    ["webhook-signature"] = signature,
  }
  for name, value in pairs(changes or {}) do
    made[name] = value or nil
  end
  return made
end

local function refused(code, kind, ...)
  local ok, message, err = webhook.verify(...)
  assert.is_nil(ok)
  assert.equal(message, err.message)
  assert.matches("^webhook%.verify: ", message)
  assert.equal(kind, err.kind)
  assert.equal(code, err.code)
end


describe("webhook.verify", function()
  it("believes the published example", function()
    assert.is_true(webhook.verify(headers(), body, secret, { now = sent + 10 }))
  end)

  it("takes header names in any case", function()
    assert.is_true(webhook.verify({
      ["Webhook-Id"] = "msg_p5jXN8AQM9LWM0D4loKWxJek", ["WEBHOOK-TIMESTAMP"] = tostring(sent),
      ["Webhook-Signature"] = signature, Host = "me.example", [1] = "odd",
    }, body, secret, { now = sent }))
  end)

  it("believes no changed body, id or time", function()
    refused("bad_signature", "auth", headers(), body .. " ", secret, { now = sent })
    refused("bad_signature", "auth", headers{ ["webhook-id"] = "msg_2" }, body, secret, { now = sent })
    refused("bad_signature", "auth", headers{ ["webhook-timestamp"] = tostring(sent + 1) }, body,
      secret, { now = sent })
    refused("bad_signature", "auth", headers(), body, "whsec_" .. ("A"):rep(32), { now = sent })
  end)

  it("believes nothing old, and nothing from the future", function()
    refused("too_old", "auth", headers(), body, secret, { now = sent + 301 })
    refused("too_new", "auth", headers(), body, secret, { now = sent - 301 })
    refused("too_old", "auth", headers(), body, secret, { now = sent + 11, tolerance = 10 })
    refused("too_old", "auth", headers(), body, secret) -- by the clock
    assert.is_true(webhook.verify(headers(), body, secret, { now = sent + 900, tolerance = 1000 }))
  end)

  it("names a missing header", function()
    for _, name in ipairs{ "webhook-id", "webhook-timestamp", "webhook-signature" } do
      local ok, message, err = webhook.verify(headers{ [name] = false }, body, secret, { now = sent })
      assert.is_nil(ok)
      assert.equal("missing_header", err.code)
      assert.truthy(message:find(name, 1, true))
    end
  end)

  it("believes no header that is there twice or is not one line", function()
    refused("bad_header", "auth", headers{ ["webhook-signature"] = { signature, signature } }, body,
      secret, { now = sent })
    refused("bad_header", "auth", headers{ ["Webhook-Id"] = "msg_2" }, body, secret, { now = sent })
    refused("bad_header", "auth", headers{ ["webhook-id"] = "a\0b" }, body, secret, { now = sent })
  end)

  it("refuses a secret that cannot be one, without showing it", function()
    local ok, message, err = webhook.verify(headers(), body, "whsec_not base64!", { now = sent })
    assert.is_nil(ok)
    assert.equal("invalid", err.kind)
    assert.is_nil(message:find("not base64!", 1, true))
  end)

  it("raises on misuse at the caller's line", function()
    local function misuse(words, ...)
      local ok, message = pcall(webhook.verify, ...)
      assert.is_false(ok)
      assert.truthy(message:find(words, 1, true), message)
    end
    misuse("headers must be a table", nil, body, secret)
    misuse("body must be a string", {}, nil, secret)
    misuse("secret must be a string", {}, body, 5)
    misuse("no option 'tolerence'", {}, body, secret, { tolerence = 3 })
    misuse("tolerance must be a number", {}, body, secret, { tolerance = "3" })
    misuse("tolerance must be at least 0", {}, body, secret, { tolerance = -3 })
  end)
end)


describe("webhook.unwrap", function()
  it("gives what a genuine message says", function()
    assert.are.same({ test = 2432232314 }, webhook.unwrap(headers(), body, secret, { now = sent }))
  end)

  it("decodes nothing that is not genuine", function()
    local event, why, err = webhook.unwrap(headers(), body .. " ", secret, { now = sent })
    assert.is_nil(event)
    assert.matches("^webhook%.unwrap: ", why)
    assert.equal("bad_signature", err.code)
  end)

  it("says when a genuine message is not JSON", function()
    local text, key = "no json", "spec-key-0123456789abcdef"
    local function said(command)
      local pipe = assert(io.popen(command))
      local out = pipe:read("*a")
      pipe:close()
      return out
    end
    local signed = "v1," .. said(("printf '%%s' 'msg_1.%d.%s' | openssl dgst -sha256 -hmac '%s' -binary | openssl base64 -A")
      :format(sent, text, key))
    local own = "whsec_" .. said(("printf '%%s' '%s' | openssl base64 -A"):format(key))
    local event, why, err = webhook.unwrap(headers{ ["webhook-id"] = "msg_1", ["webhook-signature"] = signed }, text, own,
      { now = sent })
    assert.is_nil(event)
    assert.equal("decode", err.kind, why)
  end)
end)


describe("without a secret", function()
  it("the variable's is taken, and its lack is said", function()
    local program = require("support.program")
    local script = ([[
      local webhook = require("batchapi.webhook")
      local ok, why, err = webhook.verify({ ["webhook-id"] = "msg_p5jXN8AQM9LWM0D4loKWxJek", ["webhook-timestamp"] = "%d",
        ["webhook-signature"] = %q }, %q, nil, { now = %d })
      print(ok, why, err and err.code)
    ]]):format(sent, signature, body, sent)
    assert.matches("^true", program.said(script, "env OPENAI_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert.matches("OPENAI_WEBHOOK_SECRET%s+no_credentials", program.said(script, "env -u OPENAI_WEBHOOK_SECRET"))
  end)
end)
