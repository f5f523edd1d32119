/* The reader of an answer's head: any bytes, cut into lines as libcurl would.
 * What it keeps stays within its cap, every value is one line, a name is in
 * lower case, and what ba_head_get() finds is what the views show. */
#include "batchapi/http.h"
#include "http/headers.h"
#include "http/retry.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
  if(!ok)
    abort();
}

static void check_values(const struct ba_head *head)
{
  int64_t first, last, total;
  double seconds = ba_retry_after(head, 1795500000);
  expect(seconds == -1 || (seconds >= 0 && isfinite(seconds)));
  const char *range = ba_head_get(head, "content-range");
  if(range && ba_content_range(range, &first, &last, &total))
    expect(first >= 0 && first <= last && (total == -1 || last < total));
  const char *validator = ba_head_validator(head);
  expect(!validator || validator[0] != 'W' || validator[1] != '/');
}

static void check_views(struct ba_head *head)
{
  struct ba_header_view *views = calloc(head->count + head->trailers + 1, sizeof(*views));
  const char *etag = ba_head_get(head, "etag");
  char *copy = etag ? strdup(etag) : NULL;
  ba_head_views(head, views);
  bool found = false;
  for(size_t i = 0; i < head->count + head->trailers; i++) {
    expect(strlen(views[i].value) == views[i].value_length);
    expect(!strpbrk(views[i].value, "\n"));
    for(const char *at = views[i].name; *at; at++)
      expect(*at < 'A' || *at > 'Z');
    if(!found && copy && strcmp(views[i].name, "etag") == 0) {
      expect(strcmp(views[i].value, copy) == 0);
      found = true;
    }
  }
  expect(!copy || found);
  free(copy);
  free(views);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ba_head head = {0};
  struct ba_error err = {0};
  size_t cap = size ? 16 + (size_t)data[0] * 8 : 16;
  ba_head_init(&head, cap);
  const char *at = (const char *)data, *end = at + size;
  bool ok = true;
  while(at < end && ok) {
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    size_t length = line_end ? (size_t)(line_end - at) + 1 : (size_t)(end - at);
    ok = ba_head_line(&head, at, length, &err);
    at += length;
  }
  expect(ok || err.kind == BA_TOO_LARGE || err.kind == BA_DECODE);
  expect(head.text.length <= cap);
  check_values(&head);
  check_views(&head);
  ba_head_free(&head);
  return 0;
}
