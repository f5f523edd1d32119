/* Webhooks signed as Standard Webhooks says (and OpenAI does): an HMAC-SHA256
 * over "id.timestamp.body", one or several signatures "v1,<base64>" in a row. */
#ifndef BA_WEBHOOK_H
#define BA_WEBHOOK_H

#include "error.h"

#include <stddef.h>

#define BA_WEBHOOK_TOLERANCE 300.0 /* seconds a message may be old, or ahead */

struct ba_webhook { /* NULL: the header is missing */
  const char *id;
  const char *timestamp;
  const char *signatures;
  const char *body; /* byte for byte as it came */
  size_t body_length;
};

/* Is the message from who knows the secret, and fresh? "whsec_" and base64, or
 * else the bytes as they are. BA_INVALID: the secret cannot be one. BA_AUTH:
 * the message is not to be believed; code missing_header, bad_timestamp,
 * too_old, too_new or bad_signature. */
bool ba_webhook_verify(const struct ba_webhook *hook, const char *secret, size_t secret_length,
                       double tolerance, double wall_seconds, struct ba_error *err);

#endif
