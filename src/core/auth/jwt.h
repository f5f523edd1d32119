/* Signed assertions: JWS compact serialisation (RFC 7515) and the client
 * assertion of RFC 7523 as OpenID Connect's private_key_jwt uses it. */
#ifndef BA_JWT_H
#define BA_JWT_H

#include "auth/jwk.h"
#include "batchapi/buffer.h"
#include "batchapi/error.h"

#include <stddef.h>
#include <stdint.h>

#define BA_ASSERTION_LIFETIME 300 /* seconds from `iat` to `exp` */
#define BA_ASSERTION_SKEW 30 /* seconds that `iat` and `nbf` lie back, for clocks that differ */
#define BA_ASSERTION_MAX (16u << 10)

/* Appends BASE64URL(header) "." BASE64URL(payload) "." BASE64URL(signature);
 * header and payload are JSON texts and are signed as they are. */
bool ba_jws_sign(const struct ba_jwk *jwk, const char *header, size_t header_length,
                 const char *payload, size_t payload_length, struct ba_buffer *out,
                 struct ba_error *err);

/* Appends an assertion that `client_id` is itself, for the server whose issuer
 * is `audience`: aud is an array of one, iat, nbf and exp are whole seconds of
 * the calendar, jti is 256 random bits. Whoever has it can get a token for as
 * long as it lasts: `out` must be a secret buffer. */
bool ba_jwt_client_assertion(const struct ba_jwk *jwk, const char *client_id, const char *audience,
                             int64_t wall_seconds, struct ba_buffer *out, struct ba_error *err);

#endif
