-- Tables that are read through functions, and what other libraries mean by theirs: checks and encoder
-- read them alike.

local batchapi = require("batchapi")
local core = require("batchapi.core")
local loopback = require("support.loopback")

local function encode(value)
  return (assert(core.encode(value)))
end

local function refused(value)
  local text, why, err = core.encode(value)
  assert.is_nil(text)
  assert.equal("invalid", err.kind)
  return why
end

-- Another table's fields, through functions only.
local function proxy(of)
  return setmetatable({}, {
    __index = function(_, key)
      return of[key]
    end,
    __pairs = function()
      return next, of, nil
    end,
    __len = function()
      return #of
    end,
  })
end

local function list_proxy(of)
  local made = proxy(of)
  getmetatable(made).__pairs = nil
  return made
end


describe("a table that is read through functions", function()
  it("is written as its __pairs gives it", function()
    assert.equal('{"a":1,"b":{"c":[1,2]}}', encode(proxy{ a = 1, b = proxy{ c = { 1, 2 } } }))
    assert.equal("[1,2,3]", encode(proxy{ 1, 2, 3 }))
    assert.equal("{}", encode(proxy{}))
  end)

  it("is an array of as many elements as its __len says", function()
    assert.equal("[1,[2],3]", encode(list_proxy{ 1, list_proxy{ 2 }, 3 }))
    assert.equal('{"a":[]}', encode{ a = list_proxy{} })
    assert.matches("holes", refused(setmetatable({}, { __len = function() return 3 end,
      __index = function(_, i) return i ~= 2 and i or nil end })))
  end)

  it("keeps its own fields where it has some and no __pairs", function()
    assert.equal('{"a":1}', encode(setmetatable({ a = 1 }, { __len = function() return 7 end, __index = { b = 2 } })))
  end)

  it("says what went wrong in its functions", function()
    assert.matches("a.b: a table that cannot be read: .*boom",
      refused{ a = { b = setmetatable({}, { __pairs = function() error("boom") end }) } })
    assert.matches("no length", refused(setmetatable({}, { __len = function() return -1 end })))
    assert.equal("[1]", encode{ 1 }) -- and the codec is none the worse
  end)
end)


describe("checks read what is sent", function()
  local server, client

  setup(function()
    server = loopback.start()
    client = assert(batchapi.client({ name = "echo", base_url = "http://loopback", operations = {
      { name = "say", method = "POST", path = "/echo", answer = "bytes", body = { fields = {
        { "model", required = true }, { "n", "integer", max = 5 }, { "items", "array", max_items = 2 },
        { "map", "map", max_pairs = 1 }, { "inner", fields = { { "x", required = true } } }, { "nothing", nullable = true },
      } } },
    } }, { unix_socket = server.socket }))
  end)

  teardown(function()
    client:close()
    assert.equal("", server:stop())
  end)

  it("of a proxy", function()
    assert.equal('{"inner":{"x":"y"},"items":[1,2],"model":"m","n":2}',
      client:say(proxy{ model = "m", n = 2, items = list_proxy{ 1, 2 }, inner = proxy{ x = "y" } }))
    for what, body in pairs{
      ["n must be at most 5"] = { model = "m", n = 6 },
      ["items may have at most 2"] = { model = "m", items = proxy{ 1, 2, 3 } },
      ["map may have at most 1"] = { model = "m", map = proxy{ a = 1, b = 2 } },
      ["inner.x is required"] = { model = "m", inner = proxy{} },
      ["model is required"] = {},
    } do
      local value, why, err = client:say(proxy(body))
      assert.is_nil(value)
      assert.equal("invalid", err.kind)
      assert.matches(what, why, 1, true)
    end
  end)

  it("of a table with defaults behind __index, which are not sent", function()
    local value, why = client:say(setmetatable({}, { __index = { model = "m" } }))
    assert.is_nil(value)
    assert.matches("model is required", why)
    assert.equal('{"model":"m"}', client:say(setmetatable({ model = "m" }, { __index = { n = 99 } })))
  end)

  it("of a metatable that is locked", function()
    assert.equal('{"items":[],"model":"m"}',
      client:say(setmetatable({ model = "m", items = {} }, { __metatable = "locked" })))
  end)

  it("of another library's null", function()
    local dkjson = require("dkjson")
    assert.equal('{"model":"m","nothing":null}', client:say{ model = "m", nothing = dkjson.null })
    local value, why = client:say{ model = dkjson.null }
    assert.is_nil(value)
    assert.matches("model must be a value, got null", why)
  end)
end)


describe("what other libraries mean", function()
  it("is known of dkjson: its null, its arrays and objects", function()
    local dkjson = require("dkjson")
    assert.equal('{"a":null,"b":[],"c":{},"d":[null,1]}', encode{
      a = dkjson.null, b = dkjson.decode("[]"), c = dkjson.decode("{}"), d = { dkjson.null, 1 },
    })
    assert.matches("__tojson, which is not called here",
      refused{ a = setmetatable({}, { __tojson = function() return "1" end }) })
  end)

  it("is known of rapidjson's null and marks, and of vim.NIL", function()
    local null, nil_ = function() end, io.stdout
    local before, vim = package.loaded.rapidjson, rawget(_G, "vim")
    package.loaded.rapidjson, _G.vim = { null = null }, { NIL = nil_ }
    local text = core.encode{ null, nil_, setmetatable({}, { __jsontype = "array" }),
      setmetatable({}, { __jsontype = "object" }) }
    local plain = core.plain(null) == core.null and core.plain(nil_) == core.null
    package.loaded.rapidjson, _G.vim = before, vim
    assert.equal("[null,null,[],{}]", text)
    assert.is_true(plain)
    assert.matches("a function has no form in JSON", refused{ null })
  end)

  it("is named of lunajson: the length in [0]", function()
    assert.matches("[0]", refused{ [0] = 2, 1, 2 }, 1, true)
  end)
end)
