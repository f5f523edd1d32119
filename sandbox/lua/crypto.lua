-- Keys and signatures by the OpenSSL that nginx itself is linked with: one RSA key made at the start, JWKs that tests
-- register, and the check of a JWS.
local base64 = require("ngx.base64")
local ffi = require("ffi")

ffi.cdef [[
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct bignum_st BIGNUM;
EVP_PKEY *EVP_PKEY_Q_keygen(void *library, const char *properties, const char *type, ...);
int EVP_PKEY_get_bn_param(const EVP_PKEY *key, const char *name, BIGNUM **number);
int BN_num_bits(const BIGNUM *number);
int BN_bn2bin(const BIGNUM *number, unsigned char *out);
void BN_free(BIGNUM *number);
EVP_PKEY *d2i_PUBKEY(EVP_PKEY **key, const unsigned char **der, long size);
void EVP_PKEY_free(EVP_PKEY *key);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *context);
const void *EVP_sha256(void);
int EVP_DigestVerifyInit(EVP_MD_CTX *context, EVP_PKEY_CTX **key_context, const void *digest, void *engine,
  EVP_PKEY *key);
int EVP_DigestVerify(EVP_MD_CTX *context, const unsigned char *signature, size_t signature_size,
  const unsigned char *text,
  size_t text_size);
int EVP_PKEY_CTX_set_rsa_padding(EVP_PKEY_CTX *context, int padding);
void ERR_clear_error(void);
int RAND_bytes(unsigned char *out, int size);
]]

local C = ffi.C
local RSA_PKCS1_PSS_PADDING = 6

local M = {}

M.encode = base64.encode_base64url
M.decode = base64.decode_base64url


-- A random string for tokens, base64url of `size` bytes.
function M.random(size)
  local out = ffi.new("unsigned char[?]", size)
  assert(C.RAND_bytes(out, size) == 1)
  return M.encode(ffi.string(out, size))
end


local RSA_NUMBERS = { n = "n", e = "e", d = "d", p = "rsa-factor1", q = "rsa-factor2", dp = "rsa-exponent1",
  dq = "rsa-exponent2", qi = "rsa-coefficient1" }


-- A fresh RSA key of 2,048 bits as a private JWK.
function M.new_jwk(kid)
  local key = C.EVP_PKEY_Q_keygen(nil, nil, "RSA", ffi.cast("size_t", 2048))
  assert(key ~= nil, "OpenSSL cannot make a key")
  local jwk = { kty = "RSA", use = "sig", alg = "RS256", kid = kid }
  for name, parameter in pairs(RSA_NUMBERS) do
    local number = ffi.new("BIGNUM *[1]")
    assert(C.EVP_PKEY_get_bn_param(key, parameter, number) == 1)
    local out = ffi.new("unsigned char[?]", math.floor((C.BN_num_bits(number[0]) + 7) / 8))
    jwk[name] = M.encode(ffi.string(out, C.BN_bn2bin(number[0], out)))
    C.BN_free(number[0])
  end
  C.EVP_PKEY_free(key)
  return jwk
end


-- One DER element.
local function der(tag, content)
  local size = #content
  local length
  if size < 128 then
    length = string.char(size)
  elseif size < 256 then
    length = "\129" .. string.char(size)
  else
    length = "\130" .. string.char(math.floor(size / 256), size % 256)
  end
  return string.char(tag) .. length .. content
end


local function der_integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  return der(2, (bytes == "" or bytes:byte() > 127) and "\0" .. bytes or bytes)
end


local function from_hex(text)
  return (text:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end


local RSA_HEAD = from_hex("300d06092a864886f70d0101010500")
local P256_HEAD = from_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


-- The SubjectPublicKeyInfo of a JWK (RSA, or EC on P-256), or nil.
local function public_der(jwk)
  if jwk.kty == "RSA" then
    local n, e = M.decode(jwk.n or ""), M.decode(jwk.e or "")
    return n and e and der(0x30, RSA_HEAD .. der(3, "\0" .. der(0x30, der_integer(n) .. der_integer(e))))
  elseif jwk.kty == "EC" and jwk.crv == "P-256" then
    local x, y = M.decode(jwk.x or ""), M.decode(jwk.y or "")
    return x and y and #x == 32 and #y == 32 and P256_HEAD .. x .. y
  end
end


local function verify(key, alg, text, signature)
  local context, key_context = C.EVP_MD_CTX_new(), ffi.new("EVP_PKEY_CTX *[1]")
  local good = C.EVP_DigestVerifyInit(context, key_context, C.EVP_sha256(), nil, key) == 1
  if good and alg == "PS256" then
    good = C.EVP_PKEY_CTX_set_rsa_padding(key_context[0], RSA_PKCS1_PSS_PADDING) == 1
  end
  good = good and C.EVP_DigestVerify(context, signature, #signature, text, #text) == 1
  C.EVP_MD_CTX_free(context)
  C.ERR_clear_error()
  return good
end


local KIND = { RS256 = "RSA", PS256 = "RSA", ES256 = "EC" }


-- Whether a signature (as a JWS has it) over text is the key's. `alg` is RS256, PS256 or ES256.
function M.verify(jwk, alg, text, signature)
  local public = KIND[alg] == jwk.kty and public_der(jwk)
  if not public then
    return false
  end
  if alg == "ES256" then
    if #signature ~= 64 then
      return false
    end
    signature = der(0x30, der_integer(signature:sub(1, 32)) .. der_integer(signature:sub(33)))
  end
  local at = ffi.new("const unsigned char *[1]", ffi.cast("const unsigned char *", public))
  local key = C.d2i_PUBKEY(nil, at, #public)
  if key == nil then
    C.ERR_clear_error()
    return false
  end
  local good = verify(key, alg, text, signature)
  C.EVP_PKEY_free(key)
  return good
end


return M
