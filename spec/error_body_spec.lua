local error_body = require("batchapi.call.error_body")

local openai = { code = { "error.code", "error.type" }, message = { "error.message" } }

local function read(body, words)
  return error_body.read(body, words or {})
end

describe("error_body.read", function()
  it("reads OpenAI's shape, and the type where there is no code", function()
    local code, message = read({ error = { message = "No.", type = "invalid_request_error", code = "bad" } }, openai)
    assert.equal("bad", code)
    assert.equal("No.", message)
    code = read({ error = { message = "No.", type = "invalid_request_error" } }, openai)
    assert.equal("invalid_request_error", code)
  end)

  it("reads Azure's, Anthropic's and Microsoft Graph's without being told", function()
    assert.same({ "DeploymentNotFound", "gone" }, { read{ error = { code = "DeploymentNotFound", message = "gone" } } })
    assert.same({ "not_found_error", "gone" },
      { read{ type = "error", error = { type = "not_found_error", message = "gone" } } })
  end)

  it("reads a plain string and OAuth's pair", function()
    assert.same({ nil, "nope" }, { read{ error = "nope" } })
    assert.same({ "invalid_grant", "expired" }, { read{ error = "invalid_grant", error_description = "expired" } })
  end)

  it("reads Asana's list, with the phrase for support", function()
    local code, message = read{ errors = { { message = "project: Missing input", help = "…" } } }
    assert.is_nil(code)
    assert.equal("project: Missing input", message)
    code, message = read{ errors = { { message = "Oops", phrase = "6 sad squid snuggle softly" } } }
    assert.is_nil(code)
    assert.equal("Oops (phrase for support: 6 sad squid snuggle softly)", message)
  end)

  it("reads JSON:API's list, with the pointer, and counts the rest", function()
    local code, message = read{ errors = {
      { code = "BadRequest", title = "Bad", detail = "too long", source = { pointer = "/data/fileName" } },
      { code = "x", title = "two" }, { title = "three" }, { title = "four" }, { title = "five" },
    } }
    assert.equal("BadRequest", code)
    assert.equal("Bad: too long (/data/fileName); two; three; and 2 more", message)
  end)

  it("reads Falcon's title and description, and RFC 9457", function()
    assert.same({ nil, "Missing parameter: The \"batch_dir\" parameter is required." },
      { read{ title = "Missing parameter", description = "The \"batch_dir\" parameter is required." } })
    assert.same({ nil, "Invalid token." }, { read{ title = "Invalid token." } })
    assert.same({ "UNPROCESSABLE_ENTITY", "Bad: no" },
      { read{ title = "Bad", detail = "no", code = "UNPROCESSABLE_ENTITY" } })
  end)

  it("reads a detail, as text and as a list", function()
    assert.same({ nil, "Not Found" }, { read{ detail = "Not Found" } })
    assert.same({ nil, "field required" }, { read{ detail = { { loc = { "body" }, msg = "field required" } } } })
  end)

  it("makes one short line of a page and of a text", function()
    local _, message = read("<html><head><title>502 Bad\nGateway</title></head><body>x</body></html>")
    assert.equal("not JSON but a page: 502 Bad Gateway", message)
    _, message = read("upstream\nwent away")
    assert.equal("upstream went away", message)
    _, message = read(("x"):rep(5000))
    assert.is_true(#message < 500)
  end)

  it("says nothing of nothing", function()
    assert.same({}, { read(nil) })
    assert.same({}, { read("  ") })
    assert.same({}, { read{} })
  end)
end)
