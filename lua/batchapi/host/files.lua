--- Files of a job: the same calls whether or not the host may block.
---
--- In a script every call is the direct one. In a host with an event loop the work is done by the
--- core's file thread, in the order it was given, while the calling coroutine waits as it waits
--- for a request; several coroutines may use one writer. What fails gives `nil, message, err`
--- (`kind = "io"`), and a writer that has failed fails from then on.
---
--- Files are those of a directory that was opened once (`files:directory(path)`): each is named by
--- one word, and no link is followed. Without a directory they are the file system's at large, and
--- names are paths.

local core = require("batchapi.core")
local loop = require("batchapi.host")

local M = {}
M.__index = M

local A_MOMENT = 0.001 -- seconds: reports that are not for it stay where they are


local function weak()
  return setmetatable({}, { __mode = "k" })
end


--- The direct calls: the host blocks. `M` overrides them for event loops.
local Direct = {}
Direct.__index = Direct


--- The same disk for who must not wait, a finaliser for one. Every `files` has it.
M.direct = setmetatable({}, Direct)
Direct.direct = M.direct


--- Files for a host, as `loop.host` takes it: "block" makes every call direct.
---@param host string|table|nil
---@param disk userdata|nil the directory (core.disk) whose files they are
---@return batchapi.Files
function M.new(host, disk)
  local direct = disk and setmetatable({ disk = disk }, Direct) or M.direct
  if disk then
    direct.direct = direct
  end
  if host == "block" or not loop.host(host).yields then
    return direct
  end
  return setmetatable({
    direct = direct, _host = host, disk = disk,
    _flushes = weak(), -- by writer: the flush that is under way
    _fills = weak(), -- by reader: the chunk that is read ahead
    _closed = weak(),
  }, M)
end


-- Starts a piece of work. nil, message, err when it cannot be.
local function start(what, ...)
  local mailbox, why, err = loop.mailbox()
  if not mailbox then
    return nil, why, err
  end
  return core.work(mailbox, what, ...)
end


-- Who cannot yield has been refused, unless he closes a job: that is done where he stands, in a moment.
local function finish(self, work)
  local host = loop.host(self._host)
  if host.yields and not host.stackful and not core.can_yield() then
    while not work:news() do
      loop.mailbox():wait(A_MOMENT)
    end
  elseif not work:news() then
    loop.await(work, host)
  end
  return work
end


local function run(self, what, ...)
  local work, why, err = start(what, ...)
  if not work then
    return nil, why, err
  end
  return finish(self, work):result()
end


-- What is done to a name: of the directory, if these are the files of one.
local function run_named(self, what, ...)
  if self.disk then
    return run(self, what, self.disk, ...)
  end
  return run(self, what, ...)
end


local function call_named(self, f, ...)
  if self.disk then
    return f(self.disk, ...)
  end
  return f(...)
end


---@alias batchapi.Writer userdata
---@alias batchapi.Reader userdata

--- `encode` gives the bytes of the line; `json` and `next` give nil alone at the end; after `flush`
--- readers see what was written, after `sync` it is on the disk. The rest are those of core.fs.
---@class batchapi.Files
---@field writer fun(self, path: string, options?: { append?: boolean }): batchapi.Writer|nil
---@field reader fun(self, path: string, options?: table): batchapi.Reader|nil
---@field encode fun(self, writer: batchapi.Writer, value: any, options?: table): integer|nil
---@field record fun(self, writer: batchapi.Writer, fields: table, number: integer, seed: integer, line?: any, strict?: boolean): integer|nil
---@field renumber fun(self, writer: batchapi.Writer, record: string, number: integer, seed: integer): integer|nil
---@field proven fun(self, reader: batchapi.Reader, seed: integer, options?: table): table|nil a line that proves itself
---@field fields fun(self, reader: batchapi.Reader, seed: integer, options?: table): table|nil the same; what a service sent may be left out
---@field write fun(self, writer: batchapi.Writer, bytes: string): true|nil
---@field flush fun(self, writer: batchapi.Writer): true|nil
---@field sync fun(self, writer: batchapi.Writer): true|nil
---@field close fun(self, object: batchapi.Writer|batchapi.Reader): true|nil
---@field json fun(self, reader: batchapi.Reader, options?: table): any
---@field directory fun(self, path: string, options: { create: boolean?, group: boolean?, mark: string? }): batchapi.Files|nil
---@field list fun(self): string[]|nil the names in a directory
---@field drop fun(self, path: string)
---@field next fun(self, reader: batchapi.Reader): string|nil
---@field lock fun(self, path: string): batchapi.core.Lock|nil
---@field ends_whole fun(self, path: string, size: integer): boolean
---@field temporary fun(self): string where files that nothing is to survive belong
---@field goes_at_exit fun(self, path: string): true|nil the directory is of no use when the process has ended
---@field direct batchapi.Files
---@field disk userdata|nil the directory, for the core to reach it


-- ---- direct -------------------------------------------------------------------------------------


for _, name in ipairs({ "writer", "reader" }) do
  Direct[name] = function(self, path, options)
    return call_named(self, core[name], path, options)
  end
end


--- Opens a directory, one that only its owner can put files into: see core.disk.
function Direct:directory(path, options)
  local disk, why, err = core.disk(path, options)
  if not disk then
    return nil, why, err
  end
  return M.new("block", disk)
end


for _, name in ipairs({ "encode", "record", "renumber", "write", "flush", "sync", "close", "json", "proven", "fields",
  "next" }) do
  Direct[name] = function(_, object, ...)
    return object[name](object, ...)
  end
end


-- ---- on the file thread -------------------------------------------------------------------------


for _, name in ipairs({ "writer", "reader" }) do
  M[name] = function(self, path, options)
    return run_named(self, name, path, options)
  end
end


function M:directory(path, options)
  local disk, why, err = run(self, "disk", path, options)
  if not disk then
    return nil, why, err
  end
  return M.new(self._host, disk)
end


-- One flush may be under way while the next bytes are made; its failure stays with the writer.
local function flush_if_full(self, writer)
  if not writer:full() then
    return true
  end
  local before = self._flushes[writer]
  if before then
    finish(self, before)
    if self._closed[writer] then -- by another, with what it held
      return true
    end
  end
  local work, why, err = start("flush", writer)
  if not work then
    return nil, why, err
  end
  self._flushes[writer] = work
  return true
end


for _, name in ipairs({ "encode", "record", "renumber", "write" }) do
  M[name] = function(self, writer, ...)
    local result, why, err = writer[name](writer, ...)
    if result == nil then
      return nil, why, err
    end
    local ok
    ok, why, err = flush_if_full(self, writer)
    if not ok then
      return nil, why, err
    end
    return result
  end
end


for _, name in ipairs({ "flush", "sync" }) do
  M[name] = function(self, writer)
    return run(self, name, writer)
  end
end


function M:close(object)
  if object.starved then -- a reader
    self._fills[object] = nil
    return object:close()
  end
  if self._closed[object] then
    return true
  end
  self._closed[object] = true
  self._flushes[object] = nil
  return run(self, "close", object)
end


-- The next chunk into the reader; the one after it is fetched while this one is read.
local function fill(self, reader)
  if not self._fills[reader] then
    local work, why, err = start("fill", reader)
    if not work then
      return nil, why, err
    end
    self._fills[reader] = work
  end
  local work = finish(self, self._fills[reader])
  self._fills[reader] = nil
  local bytes, why, err = reader:take(work)
  if not bytes then
    return nil, why, err
  end
  if bytes > 0 then
    self._fills[reader] = start("fill", reader)
  end
  return true
end


for _, name in ipairs({ "json", "proven", "fields", "next" }) do
  M[name] = function(self, reader, ...)
    while true do
      local value, why, err = reader[name](reader, ...)
      if value ~= nil or why or not reader:starved() then
        return value, why, err
      end
      local ok
      ok, why, err = fill(self, reader)
      if not ok then
        return nil, why, err
      end
    end
  end
end


-- Removes a file, whether or not it is there, and waits for nothing: the file thread keeps order, so
-- what is waited for later comes after it.
function Direct:drop(path)
  call_named(self, core.fs.unlink, path)
end


function M:drop(path)
  local work
  if self.disk then
    work = start("unlink", self.disk, path)
  else
    work = start("unlink", path)
  end
  if not work then
    self.direct:drop(path)
  end
end


-- What takes no time.
function Direct:lock(path)
  return call_named(self, core.fs.lock, path)
end


function Direct.temporary()
  local base = os.getenv("TMPDIR")
  return base and base ~= "" and base or "/tmp"
end


function Direct.goes_at_exit(_, path)
  return core.fs.goes_at_exit(path)
end


--- Is the last byte of a file of that size a line feed?
function Direct:ends_whole(path, size)
  return self:lines(path, { size - 1 }) == "\n"
end


M.lock, M.temporary, M.ends_whole = Direct.lock, Direct.temporary, Direct.ends_whole
M.goes_at_exit = Direct.goes_at_exit


-- What is done to a path: see core.fs.
for _, name in ipairs({ "rename", "mkdir", "unlink", "rmdir", "truncate", "stat", "sync_dir",
  "read", "lines", "list", "replace", "sha256", "tmpfile" }) do
  Direct[name] = function(self, ...)
    return call_named(self, core.fs[name], ...)
  end
  M[name] = function(self, ...)
    return run_named(self, name, ...)
  end
end


return M
