-- The `run` section of a definition: what cannot work is refused when it is loaded, with its place.

local definition = require("batchapi.definition")

-- A definition of the family "file" that loads; `change` changes a copy of its run.
local function described(change)
  local made = {
    name = "mini", base_url = "https://example.org/v1", auth = "none",
    operations = {
      { name = "send", method = "POST", path = "/files", content = "multipart",
        body = { "body", "object", fields = { { "file", "file" } } } },
      { name = "make", method = "POST", path = "/batches", body = { "body", "map" } },
      { name = "look", method = "GET", path = "/batches/{id}" },
      { name = "list", method = "GET", path = "/batches", query = { { "after", "string" } },
        page = { items = "data", query = "after", from = "last_item", field = "id" } },
      { name = "fetch", method = "GET", path = "/files/{id}", answer = "bytes" },
    },
    wait = { operation = "look", status = "status", done = { "done" } },
    run = {
      family = "file",
      request = { id = "custom_id", fields = { custom_id = "string", body = "object" } },
      upload = { operation = "send", arguments = { { file = "$path" } }, id = "id" },
      create = { operation = "make", arguments = { { file = "$file_id", metadata = "$metadata" } }, id = "id" },
      collect = { { operation = "fetch", arguments = { "$result_id" }, id = "output" } },
      result = { id = "custom_id", status = "status" },
    },
  }
  if change then
    change(made.run, made)
  end
  return made
end

local function inline(run)
  run.family, run.upload = "inline", nil
  run.create.arguments = { { requests = "$requests" } }
end

local function each(run)
  run.family, run.upload, run.collect = "each", nil, nil
  run.create = { operation = "make", arguments = { "$request" } }
  run.result = nil
end

local function envelope(run)
  run.family, run.upload, run.collect = "envelope", nil, nil
  run.create, run.items = { operation = "make", arguments = { { all = "$requests" } } }, "answers"
end

-- What loading raises with a family, and a change over it.
local function refused(pattern, family, change)
  local ok, why = pcall(definition.load, described(function(run, made)
    if family then
      family(run)
    end
    change(run, made)
  end))
  assert.is_false(ok, pattern)
  assert.truthy(why:find(pattern, 1, true), why)
  assert.matches("run_spec%.lua:%d+: definition", why)
end


describe("the run of a definition", function()
  it("loads in each family", function()
    for _, family in ipairs{ false, inline, each, envelope } do
      assert.truthy(definition.load(described(family or nil)))
    end
  end)

  it("has only words that its family knows", function()
    refused("run.items: is for family = 'envelope'", inline, function(run) run.items = "answers" end)
    refused("run.upload: is for family = 'file'", inline, function(run)
      run.upload = { operation = "send", arguments = { {} }, id = "id" }
    end)
    refused("run.pages: is for family = 'envelope', 'each'", nil, function(run)
      run.pages = { next = "n", put = "p", items = "i" }
    end)
    refused("run.collect: is for", envelope, function(run)
      run.collect = { { operation = "fetch", arguments = {} } }
    end)
    refused("run.limits.inputs: is for family = 'file', 'inline'", envelope, function(run)
      run.limits = { inputs = { path = "p", url = "/u", max = 1 } }
    end)
    refused("run.request.depends: is for family = 'envelope'", each, function(run)
      run.request.depends = { field = "after" }
    end)
    refused("run.create.queue: is for", each, function(run) run.create.queue = { "full" } end)
  end)

  it("has what its family cannot do without", function()
    refused("family = 'file' needs 'upload'", nil, function(run) run.upload = nil end)
    refused("family = 'inline' needs 'collect'", inline, function(run) run.collect = nil end)
    refused("family = 'envelope' needs 'items'", envelope, function(run) run.items = nil end)
    refused("family = 'file' needs 'id'", nil, function(run) run.create.id = nil end)
    refused("family = 'file' needs 'id'", nil, function(run) run.request.id = nil end)
    refused("answers of a batch match by id", nil, function(run) run.request = nil end)
    refused("needs 'wait'", nil, function(_, made) made.wait = nil end)
  end)

  it("names ids by a field, not by a path", function()
    refused("run.request.id: 'meta.id' must be a field", nil, function(run) run.request.id = "meta.id" end)
    refused("run.request.id: 'meta.id' must be a field", envelope, function(run)
      run.request.id, run.request.send = "meta.id", { id = "$request.meta.id" }
    end)
  end)

  it("names in templates what will be known, and the nearest otherwise", function()
    refused("a template names '$requets', which is never known; did you mean 'requests'?", inline, function(run)
      run.create.arguments = { { requests = "$requets" } }
    end)
    refused("'$endpont', which is never known; did you mean 'endpoint'?", nil, function(run)
      run.options = { endpoint = { type = "string" } }
      run.create.arguments[1].endpoint = "$endpont"
    end)
    assert.truthy(definition.load(described(function(run)
      run.create.arguments[1].text = "$$requets"
    end)))
  end)

  it("carries its requests in what it sends", function()
    refused("needs '$file_id' in it", nil, function(run) run.create.arguments = { { metadata = "$metadata" } } end)
    refused("needs '$requests' in it", inline, function(run) run.create.arguments = { {} } end)
    refused("'$requests' must stand alone", inline, function(run) run.create.arguments = { { one = "$requests.1" } } end)
    refused("needs '$request' in it", each, function(run) run.create.arguments = { {} } end)
  end)

  it("has rules by which an answer can be right", function()
    refused("run.result: needs 'status' or 'ok'", nil, function(run) run.result.status = nil end)
    refused("run.result: needs 'status' or 'ok'", envelope, function(run) run.result = nil end)
    refused("run.result.ok: needs either 'path' or 'every'", each, function(run)
      run.result = { ok = { one_of = { "yes" } } }
    end)
    refused("run.result.ok.one_of: is empty", nil, function(run) run.result.ok = { path = "s", one_of = {} } end)
    refused("run.result.ok.field: is for 'every'", nil, function(run)
      run.result.ok = { path = "s", field = "f", one_of = { "a" } }
    end)
  end)

  it("reads lines of files, and one result of JSON", function()
    refused("run.collect[1].operation: 'look' answers one JSON document", nil, function(run)
      run.collect[1].operation = "look"
    end)
    refused("run.collect[1].operation: 'fetch' answers a file", each, function(run)
      run.create.id = "id"
      run.collect = { { operation = "fetch", arguments = { "$batch_id" } } }
    end)
  end)

  it("names operations that are there, wherever they stand", function()
    refused("run.upload.operation: the service has no operation 'sent'; did you mean 'send'?", nil, function(run)
      run.upload.operation = "sent"
    end)
    refused("run.fence.visible.operation: the service has no operation 'lok'", nil, function(run)
      run.lookup = { operation = "list", token = "t", id = "id", file = "f" }
      run.fence = { visible = { operation = "lok", arguments = {} }, delete = { operation = "look", arguments = {} } }
    end)
    refused("run.lookup.operation: must be an operation with pages", nil, function(run)
      run.lookup = { operation = "look", token = "t", id = "id" }
    end)
  end)

  it("names types as parameters have them", function()
    refused("run.request.fields.body: must be one of any, array, boolean, integer, map, number, object, string, got 'table'",
      nil, function(run) run.request.fields.body = "table" end)
    refused("run.options.a.type: must be one of", nil, function(run) run.options = { a = { type = "table" } } end)
    refused("run.request.type: must be one of", each, function(run) run.request.type = "table" end)
  end)
end)


describe("the address of a definition", function()
  it("is no better in a variable", function()
    local getenv, value = os.getenv, nil
    os.getenv = function(name) -- luacheck: ignore 122
      return name == "OPENAI_BASE_URL" and value or getenv(name)
    end
    local batchapi = require("batchapi")
    for url, why in pairs{ ["http://host?a=b"] = "must hold no query", ["http://host/v1?a=b"] = "must hold no query",
      ["http://me@host"] = "must hold no user", ["host/v1"] = "must begin with" } do
      value = url
      local client, message, err = batchapi.openai{ api_key = "k" }
      assert.is_nil(client)
      assert.truthy(message:find("the variable OPENAI_BASE_URL " .. why, 1, true), message)
      assert.are.equal("invalid", err.kind)
    end
    os.getenv = getenv -- luacheck: ignore 122
  end)

  it("is a URL that paths can be added to", function()
    for url, why in pairs{ ["example.org"] = "must begin with https://", ["ftp://example.org"] = "must begin with https://",
      ["https://example.org?a=b"] = "must hold no query", ["https://me:pw@example.org"] = "must hold no user",
      ["https://example.org/a#b"] = "must hold no query", ["https://{region}.example.org/?a={region}"] = "no query" } do
      refused("base_url: " .. why:gsub("^no", "must hold no"), nil, function(_, made) made.base_url = url end)
    end
  end)
end)
