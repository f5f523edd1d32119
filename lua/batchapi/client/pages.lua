--- Lists that go on over pages: whole answers (`pages`) and items (`each`).
---
--- A list ends at the service's own end mark, never before: an empty page that says that there is
--- more is passed over, and one that says so without a cursor, or with one that came before, is an
--- error of kind "decode". Only where nothing is said an empty page is the end. No connection is
--- held between pages, so an abandoned loop leaves nothing behind.

local errors = require("batchapi.util.errors")
local iterator = require("batchapi.host.iterator")
local path = require("batchapi.util.path")

---@class batchapi.Pages
---@overload fun(): any the next value, in a `for`; a failure raises
local page_methods, item_methods = {}, {}

local M = {}

local MOST_EMPTY = 100 -- pages in a row: a list that says for ever that there is more


local function broken(pages, message)
  return errors.fail(errors.new{
    kind = "decode", code = "list_broken", operation = pages._what, message = message, sent = true,
    response = pages._response, status = pages._response and pages._response.status,
    request_id = pages._response and pages._response.request_id, attempts = 1,
  })
end


--- Remembers a cursor; true if it was met before. Two are kept, the latest and one that moves on at
--- every power of two (Brent), which finds a loop of any length without keeping them all.
local function seen_before(pages, cursor)
  if cursor == pages._cursor or cursor == pages._mark then
    return true
  end
  pages._cursor = cursor
  pages._count = pages._count + 1
  if pages._count == pages._next_mark then
    pages._mark, pages._next_mark = cursor, pages._next_mark * 2
  end
  return false
end


--- The cursor of the page after this one: nil when the service gives none.
local function cursor_of(pages, page, items)
  local words = pages._words
  if words.from == "last_item" then
    return path.get(#items > 0 and items[#items] or page, #items > 0 and words.field or words.last or "")
  elseif words.from == "answer" or words.from == "link" then
    return path.get(page, words.field)
  elseif words.from == "number" then
    return (pages._query[words.query] or words.first or 1) + 1
  end
  return pages._seen
end


--- Are as many items asked for by now as there are? Some may be hidden from who asks.
local function covers(pages, total)
  local words = pages._words
  local size = words.from == "number" and words.size and tonumber(pages._query[words.size])
  local first = words.first or 1
  return size ~= nil and ((pages._query[words.query] or first) - first + 1) * size >= total
end


--- What a page says: true, there is more; false, it is the last; nil, neither.
local function says_more(pages, page)
  local words = pages._words
  local more = words.more and path.get(page, words.more)
  local total = words.total and tonumber(path.get(page, words.total))
  if type(more) == "boolean" then
    return more
  elseif total then
    return pages._seen < total and not covers(pages, total)
  end
  return nil
end


local function advance(pages, cursor)
  if pages._words.from == "link" then
    pages._url = cursor
  else
    pages._query[pages._words.query] = cursor
  end
end


--- The list goes on: sets up the next request.
local function go_on(pages, page, items, more)
  local words, cursor = pages._words, cursor_of(pages, page, items)
  pages._empty = #items == 0 and pages._empty + 1 or 0
  pages._whole = pages._whole and not (#items == 0 and words.from == "number")
  if cursor == nil or cursor == "" or type(cursor) == "table" then
    if words.from == "last_item" and #items > 0 then
      return broken(pages, ("the last item has no '%s' to go on from"):format(words.field))
    elseif more or words.from == "last_item" then
      return broken(pages, "the service says that there is more, and not where it goes on")
    end
    pages._done = true
  elseif seen_before(pages, cursor) then
    return broken(pages, ("the service repeats the cursor '%s': the list would never end"):format(
      errors.cut(tostring(cursor), 60)))
  elseif pages._empty > MOST_EMPTY then
    return broken(pages, ("the service sends %d empty pages and says that there is more"):format(pages._empty))
  else
    advance(pages, cursor)
  end
  return items
end


--- Looks at an answer and sets up the next request; gives the items, or nil and the failure.
local function take(pages, page)
  local words = pages._words
  local items = path.get(page, words.items)
  if type(items) ~= "table" then
    return broken(pages, ("the answer has no list at '%s'"):format(words.items))
  end
  pages._seen = pages._seen + #items
  local more = says_more(pages, page)
  local by_cursor = words.from == "answer" or words.from == "link"
  if more == false or more == nil and #items == 0 and not by_cursor then
    pages._done = true
    return items
  end
  return go_on(pages, page, items, more)
end


local function fetch(pages)
  local arguments = { n = #pages._segments + 1 }
  for i, segment in ipairs(pages._segments) do
    arguments[i] = segment
  end
  arguments[arguments.n] = not pages._url and pages._query or nil
  return pages._client:_call(pages._what, arguments, { url = pages._url })
end


--- The next page, and its items.
local function step(pages)
  if pages._done then
    return nil
  end
  local page, message, extra = fetch(pages)
  if page == nil then
    pages._done = true
    return nil, message, extra
  end
  pages._response = extra
  local items, why, err = take(pages, page)
  if not items then
    pages._done = true
    return nil, why, err
  end
  return page, items
end


--- The next whole answer; nil at the end; nil, why, err on a failure.
---@return table|nil page, string|nil message, batchapi.Error|nil err
function page_methods:next()
  local page, items, err
  repeat -- an empty page is handed out only when the list has no other
    page, items, err = step(self)
    if page == nil then
      return nil, items, err
    end
  until #items > 0 or self._done
  if #items == 0 and self._any then
    return nil
  end
  self._any = true
  return page
end


--- The next item; nil at the end; nil, why, err on a failure.
---@return any item, string|nil message, batchapi.Error|nil err
function item_methods:next()
  while not self._items or self._at > #self._items do
    local page, items, err = step(self)
    if page == nil then
      return nil, items, err
    end
    self._items, self._at = items, 1
  end
  local item = self._items[self._at]
  self._at = self._at + 1
  return item
end


--- Was no page empty that stood by its number before others? What belonged on it was not seen.
---@return boolean
function item_methods:is_whole()
  return self._whole
end


local page_mt = iterator.metatable(page_methods, "batchapi.pages")
local item_mt = iterator.metatable(item_methods, "batchapi.each")


local function new(client, operation, arguments, mt, verb)
  if not operation.page then
    errors.misuse("%s: '%s' is no list that goes on over pages", verb, operation.name)
  end
  local segments, query = {}, {}
  for i in ipairs(operation.parameters) do
    segments[i] = arguments[i]
  end
  local given = arguments[#operation.parameters + 1]
  if given ~= nil and type(given) ~= "table" then
    errors.misuse("%s: the query of '%s' must be a table, got a %s",
      verb, operation.name, type(given))
  end
  for name, value in pairs(given or {}) do
    query[name] = value
  end
  return setmetatable({
    _client = client, _what = operation.name, _host = client._context.host,
    _words = operation.page,
    _segments = segments, _query = query,
    _url = nil,                     -- the next page's, where the service gives links
    _cursor = query[operation.page.query], _mark = nil, _count = 0, _next_mark = 1,
    _seen = 0, _empty = 0,          -- items so far; empty pages in a row
    _done = false, _any = false, _whole = true,
    _items = nil, _at = 1,          -- each: the page in hand
    _response = nil,                -- of the last page
  }, mt)
end


--- Whole answers, one after the other.
---@param client batchapi.Client
---@param operation table an operation of the definition that answers with pages
---@param arguments table packed, with `n`
---@return batchapi.Pages
function M.pages(client, operation, arguments)
  return new(client, operation, arguments, page_mt, "pages")
end


--- The items of all pages, one after the other.
---@param client batchapi.Client
---@param operation table an operation of the definition that answers with pages
---@param arguments table packed, with `n`
---@return batchapi.Pages
function M.each(client, operation, arguments)
  return new(client, operation, arguments, item_mt, "each")
end


return M
