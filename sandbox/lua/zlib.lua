-- gzip by the zlib that nginx itself is linked with.
local ffi = require("ffi")

ffi.cdef [[
typedef struct {
  const unsigned char *next_in; unsigned avail_in; unsigned long total_in;
  unsigned char *next_out; unsigned avail_out; unsigned long total_out;
  const char *msg; void *state; void *zalloc; void *zfree; void *opaque;
  int data_type; unsigned long adler; unsigned long reserved;
} sandbox_z_stream;
int deflateInit2_(sandbox_z_stream *strm, int level, int method, int window_bits, int mem_level, int strategy,
  const char *version, int stream_size);
int deflate(sandbox_z_stream *strm, int flush);
int deflateEnd(sandbox_z_stream *strm);
const char *zlibVersion(void);
]]

local C = ffi.C
local Z_NO_FLUSH, Z_FINISH, Z_DEFLATED, GZIP_WINDOW = 0, 4, 8, 31
local SIZE = 64 * 1024

local M = {}


-- A compressor: `push(text, last)` gives what is ready so far; after the last piece it is spent.
function M.compressor(level)
  local stream = ffi.new("sandbox_z_stream")
  local out = ffi.new("unsigned char[?]", SIZE)
  local code = C.deflateInit2_(stream, level or 6, Z_DEFLATED, GZIP_WINDOW, 8, 0, C.zlibVersion(), ffi.sizeof(stream))
  assert(code == 0, "deflateInit2 failed")
  return function(text, last)
    local pieces = {}
    stream.next_in, stream.avail_in = text, #text
    repeat
      stream.next_out, stream.avail_out = out, SIZE
      C.deflate(stream, last and Z_FINISH or Z_NO_FLUSH)
      pieces[#pieces + 1] = ffi.string(out, SIZE - stream.avail_out)
    until stream.avail_out > 0
    if last then
      C.deflateEnd(stream)
    end
    return table.concat(pieces)
  end
end


function M.gzip(text)
  return M.compressor()(text, true)
end


return M
