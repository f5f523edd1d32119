#include "batchapi/webhook.h"

#include "auth/secret.h"
#include "batchapi/base64.h"
#include "batchapi/buffer.h"
#include "batchapi/crypto.h"

#include <string.h>

static bool untrusted(struct ba_error *err, const char *code, const char *message)
{
  return ba_error_set(err, BA_AUTH, code, "webhook: %s", message);
}

static bool read_secret(const char *secret, size_t length, struct ba_buffer *key,
                        struct ba_error *err)
{
  static const char prefix[] = "whsec_";
  const size_t skip = sizeof(prefix) - 1;
  ba_buffer_init_secret(key, BA_SECRET_MAX);
  if(length < skip || memcmp(secret, prefix, skip) != 0)
    return (length > 0 ||
            ba_error_set(err, BA_INVALID, "secret", "webhook: the secret is empty")) &&
           ba_buffer_append(key, secret, length, err);
  struct ba_error why = {0};
  if(ba_base64_decode(key, secret + skip, length - skip, &why) && key->length > 0)
    return true;
  if(why.kind == BA_NOMEM)
    return ba_error_nomem(err);
  return ba_error_set(err, BA_INVALID, "secret", "webhook: what follows whsec_ is not base64");
}

/* Digits only: no sign, no point, no white space. */
static bool read_timestamp(const char *text, double *seconds)
{
  size_t digits = strspn(text, "0123456789");
  if(digits == 0 || digits > 12 || text[digits] != '\0')
    return false;
  *seconds = 0;
  for(size_t i = 0; i < digits; i++)
    *seconds = *seconds * 10 + (text[i] - '0');
  return true;
}

static bool is_fresh(const char *timestamp, double tolerance, double now, struct ba_error *err)
{
  double sent;
  if(!read_timestamp(timestamp, &sent))
    return untrusted(err, "bad_timestamp", "webhook-timestamp is not a number of seconds");
  if(sent < now - tolerance)
    return untrusted(err, "too_old", "the message is too old");
  if(sent > now + tolerance)
    return untrusted(err, "too_new", "the message comes from the future");
  return true;
}

static bool expected_signature(const struct ba_webhook *hook, const struct ba_buffer *key,
                               struct ba_buffer *out, struct ba_error *err)
{
  unsigned char mac[BA_SHA256_SIZE];
  struct ba_buffer text;
  ba_buffer_init(&text, strlen(hook->id) + strlen(hook->timestamp) + hook->body_length + 2);
  bool ok = ba_buffer_puts(&text, hook->id, err) && ba_buffer_puts(&text, ".", err) &&
            ba_buffer_puts(&text, hook->timestamp, err) && ba_buffer_puts(&text, ".", err) &&
            ba_buffer_append(&text, hook->body, hook->body_length, err) &&
            ba_hmac_sha256(key->bytes, key->length, text.bytes, text.length, mac, err) &&
            ba_base64_encode(out, mac, sizeof(mac), err);
  ba_buffer_free(&text);
  return ok;
}

/* One of several may be by a newer or an older key; other versions than v1 are
 * passed over. */
static bool any_matches(const char *signatures, const struct ba_buffer *expected)
{
  bool found = false;
  while(*signatures) {
    size_t length = strcspn(signatures, " ");
    if(length == expected->length + 3 && memcmp(signatures, "v1,", 3) == 0)
      found |= ba_equal_in_constant_time(signatures + 3, expected->bytes, expected->length);
    signatures += length;
    signatures += strspn(signatures, " ");
  }
  return found;
}

bool ba_webhook_verify(const struct ba_webhook *hook, const char *secret, size_t secret_length,
                       double tolerance, double wall_seconds, struct ba_error *err)
{
  struct ba_buffer key, expected;
  ba_buffer_init_secret(&expected, 64);
  bool ok = read_secret(secret, secret_length, &key, err);
  if(ok && !hook->id)
    ok = untrusted(err, "missing_header", "webhook-id is missing");
  if(ok && !hook->timestamp)
    ok = untrusted(err, "missing_header", "webhook-timestamp is missing");
  if(ok && !hook->signatures)
    ok = untrusted(err, "missing_header", "webhook-signature is missing");
  ok = ok && is_fresh(hook->timestamp, tolerance, wall_seconds, err) &&
       expected_signature(hook, &key, &expected, err);
  if(ok && !any_matches(hook->signatures, &expected))
    ok = untrusted(err, "bad_signature", "no signature of the message is right");
  ba_buffer_free(&key);
  ba_buffer_free(&expected);
  return ok;
}
