#include "batchapi/hash.h"

#include "batchapi/alloc.h"

#include <openssl/evp.h>

struct ba_sha256 {
  EVP_MD_CTX *context;
};

static bool fail(struct ba_error *err)
{
  return ba_error_set(err, BA_INVALID, "sha256", "OpenSSL cannot compute a SHA-256");
}

struct ba_sha256 *ba_sha256_new(struct ba_error *err)
{
  struct ba_sha256 *hash = ba_calloc(1, sizeof(*hash));
  if(!hash) {
    ba_error_nomem(err);
    return NULL;
  }
  hash->context = EVP_MD_CTX_new();
  if(!hash->context || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
    fail(err);
    ba_sha256_free(hash);
    return NULL;
  }
  return hash;
}

void ba_sha256_free(struct ba_sha256 *hash)
{
  if(!hash)
    return;
  EVP_MD_CTX_free(hash->context);
  ba_free(hash);
}

bool ba_sha256_update(struct ba_sha256 *hash, const void *bytes, size_t length,
                      struct ba_error *err)
{
  return EVP_DigestUpdate(hash->context, bytes, length) == 1 || fail(err);
}

bool ba_sha256_hex(const struct ba_sha256 *hash, char out[BA_SHA256_HEX], struct ba_error *err)
{
  static const char digits[] = "0123456789abcdef";
  unsigned char bytes[EVP_MAX_MD_SIZE];
  EVP_MD_CTX *copy = EVP_MD_CTX_new();
  bool ok = copy && EVP_MD_CTX_copy_ex(copy, hash->context) == 1 &&
            EVP_DigestFinal_ex(copy, bytes, NULL) == 1;
  EVP_MD_CTX_free(copy);
  if(!ok)
    return fail(err);
  for(int i = 0; i < BA_SHA256_BYTES; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * BA_SHA256_BYTES] = '\0';
  return true;
}
