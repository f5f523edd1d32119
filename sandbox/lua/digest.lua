-- SHA-256 by the OpenSSL that nginx itself is linked with.
local bit = require("bit")
local ffi = require("ffi")

ffi.cdef "unsigned char *SHA256(const unsigned char *data, size_t size, unsigned char *digest);"

local M = {}
local digest, hex = ffi.new("unsigned char[32]"), ffi.new("unsigned char[64]")
local DIGITS = "0123456789abcdef"


-- 32 bytes.
function M.sha256(text)
  ffi.C.SHA256(text, #text, digest)
  return ffi.string(digest, 32)
end


-- The same as 64 hex digits.
function M.hex(text)
  ffi.C.SHA256(text, #text, digest)
  for i = 0, 31 do
    local byte = digest[i]
    local high = bit.rshift(byte, 4)
    hex[2 * i], hex[2 * i + 1] = DIGITS:byte(high + 1), DIGITS:byte(byte - high * 16 + 1)
  end
  return ffi.string(hex, 64)
end


return M
