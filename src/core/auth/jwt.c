#include "auth/jwt.h"

#include "batchapi/base64.h"
#include "batchapi/json.h"

#include <string.h>

enum { JTI_BYTES = 32 };

bool ba_jws_sign(const struct ba_jwk *jwk, const char *header, size_t header_length,
                 const char *payload, size_t payload_length, struct ba_buffer *out,
                 struct ba_error *err)
{
  size_t start = out->length;
  struct ba_buffer signature;
  ba_buffer_init_secret(&signature, BA_RSA_MAX_BITS / 8);
  bool ok = ba_base64url_encode(out, header, header_length, err) && ba_buffer_puts(out, ".", err) &&
            ba_base64url_encode(out, payload, payload_length, err) &&
            ba_key_sign(jwk->key, jwk->algorithm, out->bytes + start, out->length - start,
                        &signature, err) &&
            ba_buffer_puts(out, ".", err) &&
            ba_base64url_encode(out, signature.bytes, signature.length, err);
  ba_buffer_free(&signature);
  return ok;
}

static bool write_header(const struct ba_jwk *jwk, struct ba_buffer *out, struct ba_error *err)
{
  bool ok = ba_buffer_printf(out, err, "{\"alg\":\"%s\",\"typ\":\"JWT\"",
                             ba_jws_algorithm_name(jwk->algorithm));
  if(ok && jwk->kid[0])
    ok = ba_buffer_puts(out, ",\"kid\":", err) &&
         ba_json_append_string(out, jwk->kid, strlen(jwk->kid), err);
  return ok && ba_buffer_puts(out, "}", err);
}

static bool write_jti(struct ba_buffer *out, struct ba_error *err)
{
  unsigned char bytes[JTI_BYTES];
  return ba_random(bytes, sizeof(bytes), err) &&
         ba_base64url_encode(out, bytes, sizeof(bytes), err);
}

static bool write_claims(const char *client_id, const char *audience, int64_t now,
                         struct ba_buffer *out, struct ba_error *err)
{
  size_t id = strlen(client_id);
  int64_t begin = now - BA_ASSERTION_SKEW;
  return ba_buffer_puts(out, "{\"iss\":", err) && ba_json_append_string(out, client_id, id, err) &&
         ba_buffer_puts(out, ",\"sub\":", err) && ba_json_append_string(out, client_id, id, err) &&
         ba_buffer_puts(out, ",\"aud\":[", err) &&
         ba_json_append_string(out, audience, strlen(audience), err) &&
         ba_buffer_printf(out, err, "],\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld,\"jti\":\"",
                          (long long)begin, (long long)begin,
                          (long long)(begin + BA_ASSERTION_LIFETIME)) &&
         write_jti(out, err) && ba_buffer_puts(out, "\"}", err);
}

bool ba_jwt_client_assertion(const struct ba_jwk *jwk, const char *client_id, const char *audience,
                             int64_t wall_seconds, struct ba_buffer *out, struct ba_error *err)
{
  struct ba_buffer header, claims;
  ba_buffer_init_secret(&header, BA_ASSERTION_MAX);
  ba_buffer_init_secret(&claims, BA_ASSERTION_MAX);
  bool ok = write_header(jwk, &header, err) &&
            write_claims(client_id, audience, wall_seconds, &claims, err) &&
            ba_jws_sign(jwk, header.bytes, header.length, claims.bytes, claims.length, out, err);
  ba_buffer_free(&header);
  ba_buffer_free(&claims);
  return ok;
}
