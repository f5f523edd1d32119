/* Retry-After and HTTP dates: any text. A date that is taken is one of the
 * calendar; its seconds, written again in the fixed form, read back equal. */
#include "batchapi/http_date.h"
#include "http/headers.h"
#include "http/retry.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
  if(!ok)
    abort();
}

static void check_date(const char *text)
{
  static const int64_t now = 1795500000;
  int64_t seconds, again;
  if(!ba_http_date(text, now, &seconds))
    return;
  time_t t = (time_t)seconds;
  struct tm calendar;
  char fixed[64];
  expect(gmtime_r(&t, &calendar) != NULL);
  if(calendar.tm_year + 1900 > 9999)
    return; /* the leap second of its last day */
  strftime(fixed, sizeof(fixed), "%a, %d %b %Y %H:%M:%S GMT", &calendar);
  expect(ba_http_date(fixed, now, &again) && again == seconds);
}

static void check_header(const char *name, const char *text)
{
  char line[300];
  struct ba_head head = {0};
  int length = snprintf(line, sizeof(line), "%s: %s", name, text);
  ba_head_init(&head, 4096);
  expect(ba_head_line(&head, line, (size_t)length, NULL));
  double seconds = ba_retry_after(&head, 1795500000);
  expect(seconds == -1 || (seconds >= 0 && isfinite(seconds)));
  ba_head_free(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char text[200];
  if(size >= sizeof(text))
    size = sizeof(text) - 1;
  memcpy(text, data, size);
  text[size] = '\0';
  check_date(text);
  check_header("Retry-After", text);
  check_header("retry-after-ms", text);
  return 0;
}
