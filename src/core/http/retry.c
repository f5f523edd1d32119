#include "http/retry.h"

#include "batchapi/http_date.h"

#include <math.h>
#include <string.h>

static const double FIRST_BOUND = 0.5, LAST_BOUND = 8.0;

/* Digits with an optional fraction; no sign, no exponent, no locale. */
static double plain_number(const char *text)
{
  double value = 0, scale = 0.1;
  const char *at = text;
  for(; *at >= '0' && *at <= '9'; at++)
    value = value * 10 + (*at - '0');
  if(at == text)
    return -1;
  if(*at == '.') {
    for(at++; *at >= '0' && *at <= '9'; at++, scale /= 10)
      value += (*at - '0') * scale;
  }
  return *at == '\0' && isfinite(value) ? value : -1;
}

double ba_retry_after(const struct ba_head *head, double wall)
{
  const char *text = ba_head_get(head, "retry-after-ms");
  double value = text ? plain_number(text) : -1;
  if(value >= 0)
    return value / 1000;
  text = ba_head_get(head, "retry-after");
  if(!text)
    return -1;
  value = plain_number(text);
  int64_t date;
  if(value >= 0 || !ba_http_date(text, (int64_t)wall, &date))
    return value;
  return (double)date > wall ? (double)date - wall : 0;
}

double ba_backoff(unsigned retries, double random)
{
  double bound = FIRST_BOUND;
  while(retries-- && bound < LAST_BOUND)
    bound *= 2;
  return bound * random;
}

double ba_retry_delay(double asked, unsigned retries, double random)
{
  if(asked > 0)
    return asked + random * (asked < 10 ? asked * 0.1 : 1); /* no two at the same instant */
  return ba_backoff(retries, random);
}

bool ba_retry_status(int status)
{
  return status == 408 || status == 409 || status == 425 || status == 429 || status >= 500;
}

bool ba_retry_allowed(enum ba_repeat repeat, const struct ba_failure *failure)
{
  if(failure->should_retry == 0)
    return false;
  /* A server's wish does not undo what it may have done already. */
  if(repeat == BA_REPEAT_NEVER_SENT)
    return failure->unaccepted && (failure->transient || failure->should_retry == 1);
  return failure->transient || failure->should_retry == 1;
}

const char *ba_retry_reason_name(enum ba_retry_reason reason)
{
  static const char *const names[BA_RETRY_REASONS] = {
      "connect", "tls", "reset", "timeout", "rate_limit", "server", "auth", "truncated",
  };
  return names[reason];
}
