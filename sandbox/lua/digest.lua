-- SHA-256 by the OpenSSL that nginx itself is linked with.
local ffi = require("ffi")

ffi.cdef "unsigned char *SHA256(const unsigned char *data, size_t size, unsigned char *digest);"

local M = {}
local digest = ffi.new("unsigned char[32]")


-- 32 bytes.
function M.sha256(text)
  ffi.C.SHA256(text, #text, digest)
  return ffi.string(digest, 32)
end


function M.hex(text)
  return (M.sha256(text):gsub(".", function(byte)
    return string.format("%02x", byte:byte())
  end))
end


return M
