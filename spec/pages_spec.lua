local definition = require("batchapi.definition")
local pages = require("batchapi.client.pages")

-- A client that answers from a list of pages and remembers what it was asked.
local function client_of(answers)
  local asked = {}
  return {
    _context = { host = "block" },
    _call = function(_, _, arguments, overrides)
      local query = {}
      for name, value in pairs(arguments[arguments.n] or {}) do
        query[name] = value
      end
      asked[#asked + 1] = overrides.url or query
      local answer = answers[#asked]
      if type(answer) == "string" then
        return nil, answer, { message = answer }
      end
      return answer, nil, { status = 200 }
    end,
  }, asked
end

local function list(page, query)
  return definition.load({
    name = "list", base_url = "https://example.org",
    operations = { { name = "list", method = "GET", path = "/list", query = query, page = page } },
  }).by_name.list
end

local by_item = list({ items = "data", query = "after", from = "last_item", field = "id", more = "has_more" },
  { { "after" }, { "limit", "integer" } })

local function items_of(answers, operation, query)
  local client, asked = client_of(answers)
  local found = {}
  local object = pages.each(client, operation, { n = 1, query })
  while true do
    local item, why, err = object:next()
    if item == nil then
      return found, asked, why, err
    end
    found[#found + 1] = item.id or item
  end
end

describe("each", function()
  it("goes from page to page by the last item, until the end mark", function()
    local found, asked = items_of({
      { data = { { id = "a" }, { id = "b" } }, has_more = true },
      { data = { { id = "c" } }, has_more = false },
    }, by_item, { limit = 2 })
    assert.same({ "a", "b", "c" }, found)
    assert.same({ { limit = 2 }, { limit = 2, after = "b" } }, asked)
  end)

  it("passes over empty pages that say there is more, and goes on from where they say", function()
    local by_last = list({ items = "data", query = "after", from = "last_item", field = "id", last = "last_id",
      more = "has_more" }, { { "after" } })
    local found, asked = items_of({
      { data = {}, has_more = true, last_id = "x" }, { data = {}, has_more = true, last_id = "y" },
      { data = { { id = "a" } }, has_more = false },
    }, by_last)
    assert.same({ "a" }, found)
    assert.same({ {}, { after = "x" }, { after = "y" } }, asked)
  end)

  it("fails when an empty page says there is more, but not where it goes on", function()
    local found, asked, why, err = items_of({ { data = {}, has_more = true } }, by_item)
    assert.same({}, found)
    assert.equal(1, #asked)
    assert.matches("not where it goes on", why)
    assert.equal("decode", err.kind)
  end)

  it("fails when empty pages never end", function()
    local by_last = list({ items = "data", query = "after", from = "last_item", field = "id", last = "last_id",
      more = "has_more" }, { { "after" } })
    local endless = setmetatable({}, { __index = function(_, i)
      return { data = {}, has_more = true, last_id = "x" .. i }
    end })
    local _, asked, why, err = items_of(endless, by_last)
    assert.equal("decode", err.kind)
    assert.matches("empty pages", why)
    assert.is_true(#asked < 200)
  end)

  it("goes on when nothing is said about more", function()
    local found = items_of({ { data = { { id = "a" } } }, { data = {} } }, by_item)
    assert.same({ "a" }, found)
  end)

  it("fails when a cursor comes again", function()
    local again = { data = { { id = "a" } }, has_more = true }
    local found, _, why, err = items_of({ again, again, again }, by_item)
    assert.same({ "a" }, found)
    assert.matches("^list: the service repeats the cursor 'a'", why)
    assert.equal("decode", err.kind)
  end)

  it("fails when cursors go round in a longer circle", function()
    local circle = {}
    for i = 1, 60 do
      circle[i] = { data = { { id = "c" .. (i % 3) } }, has_more = true }
    end
    local _, asked, _, err = items_of(circle, by_item)
    assert.equal("decode", err.kind)
    assert.is_true(#asked < 12)
  end)

  it("fails when the first page gives back the cursor it was asked with", function()
    local _, _, _, err = items_of({ { data = { { id = "x" } }, has_more = true } }, by_item, { after = "x" })
    assert.equal("decode", err.kind)
  end)

  it("fails when the answer has no list, or an item no id", function()
    local _, _, why, err = items_of({ { nothing = true } }, by_item)
    assert.matches("no list at 'data'", why)
    assert.equal("decode", err.kind)
    _, _, why = items_of({ { data = { { name = "a" } }, has_more = true } }, by_item)
    assert.matches("the last item has no 'id'", why)
  end)

  it("hands on the failure of a page, once, after the items before it", function()
    local client = client_of{ { data = { { id = "a" } }, has_more = true }, "list: 500: no" }
    local object = pages.each(client, by_item, { n = 0 })
    assert.equal("a", object:next().id)
    local item, why, err = object:next()
    assert.is_nil(item)
    assert.equal("list: 500: no", why)
    assert.equal(why, err.message)
    assert.same({}, { object:next() })
  end)

  it("raises the error itself in a for", function()
    local client = client_of{ "list: 500: no" }
    local ok, err = pcall(function()
      for _ in pages.each(client, by_item, { n = 0 }) do
        error("no item was given")
      end
    end)
    assert.is_false(ok)
    assert.equal("list: 500: no", err.message)
  end)

  it("does not change the caller's query", function()
    local query = { limit = 1 }
    items_of({ { data = { { id = "a" } }, has_more = true }, { data = {} } }, by_item, query)
    assert.same({ limit = 1 }, query)
  end)

  it("raises for an operation that is no list", function()
    local ok, message = pcall(pages.each, client_of{}, definition.load("openai").by_name.retrieve_batch, { n = 0 })
    assert.is_false(ok)
    assert.matches("'retrieve_batch' is no list", message)
  end)
end)

describe("other ways to go on", function()
  it("fails when a token is missing where there is said to be more", function()
    local by_token = list({ items = "items", query = "token", from = "answer", field = "next", more = "more" },
      { { "token" } })
    local found, _, why, err = items_of({ { items = { "a" }, more = true } }, by_token)
    assert.same({}, found)
    assert.matches("not where it goes on", why)
    assert.equal("decode", err.kind)
  end)

  it("passes over an empty page that has a token", function()
    local by_token = list({ items = "items", query = "token", from = "answer", field = "next" }, { { "token" } })
    assert.same({ "a" }, (items_of({ { items = {}, next = "t" }, { items = { "a" } } }, by_token)))
  end)

  it("counts pages through an empty one, and ends where the total is covered", function()
    local by_number = list({ items = "data", query = "page", from = "number", first = 0, total = "total",
      size = "page_size" }, { { "page", "integer" }, { "page_size", "integer" } })
    local found, asked = items_of({ { data = { "a" }, total = 5 }, { data = {}, total = 5 }, { data = { "b" }, total = 5 } },
      by_number, { page_size = 2 })
    assert.same({ "a", "b" }, found)
    assert.equal(3, #asked)
  end)

  it("follows a token in the answer until it is absent", function()
    local by_token = list({ items = "items", query = "page_token", from = "answer", field = "next.token" },
      { { "page_token" } })
    local found, asked = items_of({
      { items = { "a" }, next = { token = "t1" } }, { items = { "b" }, next = {} },
    }, by_token)
    assert.same({ "a", "b" }, found)
    assert.same({ {}, { page_token = "t1" } }, asked)
  end)

  it("counts pages, and stops at the total", function()
    local by_number = list({ items = "data", query = "page", from = "number", first = 0, total = "total" },
      { { "page", "integer" } })
    local found, asked = items_of({ { data = { "a", "b" }, total = 3 }, { data = { "c" }, total = 3 } }, by_number)
    assert.same({ "a", "b", "c" }, found)
    assert.same({ {}, { page = 1 } }, asked)
  end)

  it("counts items", function()
    local by_offset = list({ items = "", query = "offset", from = "offset" }, { { "offset", "integer" } })
    local found, asked = items_of({ { "a", "b" }, { "c" }, {} }, by_offset)
    assert.same({ "a", "b", "c" }, found)
    assert.same({ {}, { offset = 2 }, { offset = 3 } }, asked)
  end)

  it("follows links", function()
    local by_link = list({ items = "value", query = "x", from = "link", field = "next" }, {})
    local found, asked = items_of({ { value = { "a" }, next = "https://example.org/2" }, { value = { "b" } } }, by_link)
    assert.same({ "a", "b" }, found)
    assert.same({ {}, "https://example.org/2" }, asked)
  end)
end)

describe("pages", function()
  it("gives whole answers, the first even when it is empty", function()
    local empty = { data = {}, has_more = false }
    local object = pages.pages(client_of{ empty }, by_item, { n = 0 })
    assert.equal(empty, object:next())
    assert.is_nil(object:next())
  end)

  it("ends before an empty page", function()
    local object = pages.pages(client_of{ { data = { { id = "a" } } }, { data = {} } }, by_item, { n = 0 })
    assert.truthy(object:next())
    assert.is_nil(object:next())
    assert.is_nil(object:next())
  end)
end)
