/* What of HTTP the core's face speaks of: headers, and why and when an attempt
 * is repeated. */
#ifndef BA_HTTP_H
#define BA_HTTP_H

#include <stddef.h>

struct ba_header_view {
  const char *name;
  const char *value;
  size_t value_length;
}; /* name in lower case */

/* When may an attempt be repeated? (design 2.3)
 *   SAFE        any failure that a repeat can mend
 *   IDEMPOTENT  the same; kept apart for statistics and docs
 *   NEVER_SENT  only when no byte of it can have been acted on: no byte sent,
 *               or a status of `unaccepted` (429 unless said otherwise)      */
enum ba_repeat { BA_REPEAT_SAFE, BA_REPEAT_IDEMPOTENT, BA_REPEAT_NEVER_SENT };

enum ba_retry_reason {
  BA_RETRY_CONNECT,
  BA_RETRY_TLS,
  BA_RETRY_RESET,
  BA_RETRY_TIMEOUT,
  BA_RETRY_RATE_LIMIT,
  BA_RETRY_SERVER,
  BA_RETRY_AUTH,
  BA_RETRY_TRUNCATED,
  BA_RETRY_REASONS
};
const char *ba_retry_reason_name(enum ba_retry_reason reason);

#endif
