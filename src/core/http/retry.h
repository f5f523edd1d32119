/* When and whether an attempt is repeated: pure functions of what is known. */
#ifndef BA_RETRY_H
#define BA_RETRY_H

#include "batchapi/error.h"
#include "batchapi/http.h"
#include "http/headers.h"

/* The delay an answer asks for, in seconds: retry-after-ms, else Retry-After
 * as seconds or as a date; < 0: none, or not understood. `wall` is the
 * calendar's time. */
double ba_retry_after(const struct ba_head *head, double wall);

/* Full jitter: a random part (0 … 1) of a bound that doubles with each retry,
 * from half a second to eight seconds. `retries`: how many were made before. */
double ba_backoff(unsigned retries, double random);

/* How long to wait: what an answer asked for (< 0: nothing), or that bound. */
double ba_retry_delay(double asked, unsigned retries, double random);

/* What an attempt came to. */
struct ba_failure {
  struct ba_error error;
  enum ba_retry_reason reason;
  bool transient;   /* a repeat may mend it */
  bool unaccepted;  /* surely nothing was acted on */
  int should_retry; /* x-should-retry: -1 absent, 0 false, 1 true */
};

/* May a call of this class repeat an attempt that failed so? */
bool ba_retry_allowed(enum ba_repeat repeat, const struct ba_failure *failure);

/* Is this status worth a repeat where the operation is safe to repeat? */
bool ba_retry_status(int status);

#endif
