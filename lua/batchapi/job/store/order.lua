--- The lines of settled results in the order of requests, wherever they lie in the file: many are
--- read at a time, by whoever may block (batchapi.files).

local core = require("batchapi.core")
local errors = require("batchapi.util.errors")
local record_file = require("batchapi.job.store.record_file")

local M = {}
M.__index = M

local AT_ONCE = 256 -- lines; core.fs.lines stops earlier when they are long


---@param store table batchapi.job.store
function M.new(store)
  return setmetatable({
    store = store,
    lines = core.lines(record_file.any_length), -- what was read
    last = 0, -- number of the last request whose line was given, or was none
    drift = 0, -- bytes by which the lines given are longer in the file in order, where each has another number
    reader = nil, -- of the file that is in order, once there is one
  }, M)
end


-- Where the next lines begin, those that are settled without a gap and can be read.
local function places(self)
  local store, list = self.store, {}
  local ledger, index = store.ledger, self.last + 1
  while #list < AT_ONCE and index <= ledger:count() and store:has(index) do
    local place = ledger:place(index)
    if place >= store.visible then
      break
    end
    list[#list + 1], index = place, index + 1
  end
  return list
end


-- Makes a result visible. While this waits, the store may put its file in order.
local function flush(store, index)
  local ok, why, err = store:flush()
  if not ok then
    return nil, why, err
  elseif not store:has_last_name() and store.ledger:place(index) >= store.visible then
    return errors.adopt("results", { kind = "job", code = "results_damaged" },
      ("%s ends before the result of request %d"):format(store.path, index))
  end
  return true
end


-- The next lines into the splitter. nil alone when the next request is not settled.
local function fetch(self)
  local store = self.store
  if self.last >= store.ledger:count() or not store:has(self.last + 1) then
    return nil
  end
  local list = places(self)
  if #list == 0 then
    return flush(store, self.last + 1)
  end
  local bytes, why, err = store.files:lines(store.path, list)
  if not bytes then
    return nil, why, err
  end
  return self.lines:push(bytes)
end


-- The store has put its file in order: what was not given yet follows in it.
local function open_reader(self)
  local store = self.store
  local reader, why, err = store.files:reader(store.path, {
    offset = self.lines:offset() + self.drift, max_line_bytes = record_file.any_length.max_line_bytes })
  self.reader = reader
  return reader, why, err
end


local function digits(number)
  return #("%d"):format(number)
end


-- From what is in memory, or from the file in order.
local function next_line(self, how)
  local from = self.reader or self.lines
  local value, why, err
  if self.reader then
    value, why, err = self.store.files[how](self.store.files, from, self.store.seed)
  else
    value, why, err = from[how](from, self.store.seed)
  end
  return value, why, err
end


--- The bytes of the line that take() gave last.
---@return string|nil
function M:raw()
  return (self.reader or self.lines):raw()
end


--- The next line, as "next" (its text) or "proven" (what it holds) gives it; nil alone when the next
--- request is not settled, or there is none; nil, message, err on a failure.
---@param how string "next" or "proven"
---@return any value
---@return string|nil message
---@return table|nil err
function M:take(how)
  while true do
    local value, why, err = next_line(self, how)
    self.last = self.lines:number() -- of the reader's lines nobody asks the number
    if value ~= nil or why or self.reader then
      if how == "proven" and value and not self.reader then
        self.drift = self.drift + digits(self.last) - digits(value.n)
      end
      return value, why, err
    end
    local ok
    if self.store:has_last_name() then
      ok, why, err = open_reader(self)
    else
      ok, why, err = fetch(self)
    end
    if not ok then
      return nil, why, err
    end
  end
end


function M:close()
  self.lines:close()
  if self.reader then
    self.store.files:close(self.reader)
    self.reader = nil
  end
end


return M
