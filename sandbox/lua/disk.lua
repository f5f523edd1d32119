-- Files without a copy through the Lua heap: positional reads, search, and copies inside the kernel.
-- A "range" is { path =, offset =, length = }: uploads stay in the body file that nginx wrote, and only the range
-- that holds the content is remembered.
local ffi = require("ffi")

ffi.cdef [[
int open(const char *path, int flags, ...);
int close(int fd);
long pread(int fd, void *buffer, size_t size, long offset);
long lseek(int fd, long offset, int whence);
long copy_file_range(int in, long *in_offset, int out, long *out_offset, size_t size, unsigned flags);
int link(const char *from, const char *to);
int stat(const char *path, void *buffer);
int utimes(const char *path, const long *times);
void *memmem(const void *haystack, size_t haystack_size, const void *needle, size_t needle_size);
]]

local C = ffi.C
local O_RDONLY, O_WRONLY_CREAT_APPENDLESS, SEEK_END = 0, 0x41, 2
local BUFFER = 256 * 1024
local PIECE = 48 * 1024 -- of a file read as lines: below what the allocator maps and unmaps each time
local TURN = 16 * 1024 * 1024 -- bytes handled before other requests have their turn

local M = {}
local buffer = ffi.new("unsigned char[?]", BUFFER)


local function open(path, flags)
  local fd = C.open(path, flags, ffi.cast("int", 384)) -- 384 is 0600
  if fd < 0 then
    error(path .. ": errno " .. ffi.errno())
  end
  return fd
end


function M.size(path)
  local fd = open(path, O_RDONLY)
  local size = tonumber(C.lseek(fd, 0, SEEK_END))
  C.close(fd)
  return size
end


-- Time of the last change, whole seconds. st_mtime is at byte 88 of struct stat on 64-bit Linux, x86 and ARM alike.
function M.modified(path)
  local raw = ffi.new("long[32]")
  if C.stat(path, raw) ~= 0 then
    error(path .. ": errno " .. ffi.errno())
  end
  return tonumber(raw[11])
end


-- Makes a file look changed: its time moves on by a second, and with it the ETag.
function M.touch(path)
  local at = M.modified(path) + 1
  C.utimes(path, ffi.new("long[4]", at, 0, at, 0))
end


-- Gives a path a second name; the first may then vanish (nginx removes a request's body file).
function M.link(from, to)
  if C.link(from, to) ~= 0 then
    error(to .. ": errno " .. ffi.errno())
  end
end


-- Lets other requests run; only where the caller may yield.
function M.yield()
  ngx.sleep(0.001)
end


-- Reads from a range. Returns an object with `read(offset, size)` (a string, shorter at the end),
-- `find(needle, offset)` (its offset or nil) and `close()`.
function M.open(range)
  local fd = open(range.path, O_RDONLY)
  local reader = { length = range.length }

  function reader.read(offset, size)
    size = math.min(size, range.length - offset)
    if size <= 0 then
      return ""
    end
    local target = size <= BUFFER and buffer or ffi.new("char[?]", size)
    local got = tonumber(C.pread(fd, target, size, range.offset + offset))
    return got > 0 and ffi.string(target, got) or ""
  end

  function reader.find(needle, offset)
    local seen = 0
    while offset < range.length do
      local size = math.min(BUFFER, range.length - offset)
      local got = tonumber(C.pread(fd, buffer, size, range.offset + offset))
      local hit = got > 0 and C.memmem(buffer, got, needle, #needle)
      if hit and hit ~= nil then
        return offset + tonumber(ffi.cast("unsigned char *", hit) - buffer)
      end
      if got < #needle or offset + got >= range.length then
        return nil
      end
      offset = offset + got - #needle + 1
      seen = seen + got
      if seen >= TURN then
        seen = 0
        M.yield()
      end
    end
  end

  function reader.close()
    C.close(fd)
  end

  return reader
end


-- Appends ranges one after another to a file (made if it is not there); the bytes never leave the kernel.
function M.copy(ranges, path)
  local out = open(path, O_WRONLY_CREAT_APPENDLESS)
  local out_offset = ffi.new("long[1]", 0)
  for _, range in ipairs(ranges) do
    local fd = open(range.path, O_RDONLY)
    local in_offset, left = ffi.new("long[1]", range.offset), range.length
    while left > 0 do
      local done = tonumber(C.copy_file_range(fd, in_offset, out, out_offset, math.min(left, TURN), 0))
      if done <= 0 then
        error(path .. ": errno " .. ffi.errno())
      end
      left = left - done
      M.yield()
    end
    C.close(fd)
  end
  C.close(out)
end


-- How many bytes of a UTF-8 sequence follow its first byte, and the bounds of the second; nil for a byte that begins none.
local function followers(byte)
  if byte >= 0xC2 and byte <= 0xDF then
    return 1, 0x80, 0xBF
  elseif byte >= 0xE0 and byte <= 0xEF then
    return 2, byte == 0xE0 and 0xA0 or 0x80, byte == 0xED and 0x9F or 0xBF
  elseif byte >= 0xF0 and byte <= 0xF4 then
    return 3, byte == 0xF0 and 0x90 or 0x80, byte == 0xF4 and 0x8F or 0xBF
  end
end


-- Whether `count` bytes of the buffer are UTF-8, beginning with `left` bytes of a sequence still to come (the next one
-- between low and high); gives false, or the state to go on with.
local function utf8_state(count, left, low, high)
  for i = 0, count - 1 do
    local byte = buffer[i]
    if left > 0 then
      if byte < low or byte > high then
        return false
      end
      left, low, high = left - 1, 0x80, 0xBF
    elseif byte >= 0x80 then
      left, low, high = followers(byte)
      if not left then
        return false
      end
    end
  end
  return left, low, high
end


-- Whether a range is UTF-8 text.
function M.is_utf8(range)
  local fd = open(range.path, O_RDONLY)
  local offset, seen, left, low, high = 0, 0, 0, 0x80, 0xBF
  while left and offset < range.length do
    local got = tonumber(C.pread(fd, buffer, math.min(BUFFER, range.length - offset), range.offset + offset))
    if got <= 0 then
      break
    end
    left, low, high = utf8_state(got, left, low, high)
    offset, seen = offset + got, seen + got
    if seen >= TURN then
      seen = 0
      M.yield()
    end
  end
  C.close(fd)
  return left == 0
end


-- Iterates over the lines of a range: line without its end, number. A last line without LF counts.
function M.lines(range)
  local reader = M.open(range)
  local offset, text, at, number = 0, "", 1, 0
  return function()
    while true do
      local stop = text:find("\n", at, true)
      if stop then
        local line = text:sub(at, stop - 1)
        at = stop + 1
        number = number + 1
        return line, number
      end
      local more = reader.read(offset, PIECE)
      if more == "" then
        local line = text:sub(at)
        text, at = "", 1
        if line == "" then
          reader.close()
          return nil
        end
        number = number + 1
        return line, number
      end
      offset = offset + #more
      text, at = text:sub(at) .. more, 1
    end
  end
end


return M
