/* The JWK reader: whatever the document, it gives a key that signs and
 * verifies its own signature, or an error that names a reason. The first byte
 * chooses between the bare form and the configuration file's. */
#include "auth/jwk.h"
#include "batchapi/oauth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
  if(!ok)
    abort();
}

static void sign(struct ba_jwk *jwk)
{
  struct ba_buffer signature;
  ba_buffer_init(&signature, 2048);
  expect(ba_key_sign(jwk->key, jwk->algorithm, "x", 1, &signature, NULL));
  expect(ba_key_verify(jwk->key, jwk->algorithm, "x", 1, signature.bytes, signature.length));
  ba_buffer_free(&signature);
}

static void check_error(const struct ba_error *err)
{
  expect(err->kind == BA_INVALID || err->kind == BA_DECODE || err->kind == BA_TOO_LARGE);
  expect(err->message[0] != '\0' && strpbrk(err->message, "\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if(size < 1 || size > 16384)
    return 0;
  const char *json = (const char *)data + 1;
  struct ba_error err = {0};
  if(data[0] % 2) {
    struct ba_jwk jwk;
    if(ba_jwk_read(json, size - 1, NULL, &jwk, &err)) {
      sign(&jwk);
      ba_jwk_free(&jwk);
    } else {
      check_error(&err);
    }
    return 0;
  }
  const struct ba_oauth_client_options options = {.json = json, .json_length = size - 1};
  struct ba_credential *credential = ba_credential_oauth_client(&options, &err);
  if(!credential)
    check_error(&err);
  ba_credential_release(credential);
  return 0;
}
