/* The splitter against a plain one: the same lines however the bytes come.
 * The first byte chooses the size of the pieces, the second the way. */
#include "batchapi/lines.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if(!(condition))                                                                               \
      abort();                                                                                     \
  } while(0)

enum { MAX_LINE = 64 };

struct plain {
  const char *at, *end;
  uint64_t number;
};

static bool blank(const char *line, size_t length)
{
  return strspn(line, " \t\r") >= length;
}

/* The next line that is not blank, or too long; false at the end. */
static bool plain_next(struct plain *plain, const char **line, size_t *length)
{
  while(plain->at < plain->end) {
    const char *stop = memchr(plain->at, '\n', (size_t)(plain->end - plain->at));
    *line = plain->at;
    *length = (size_t)((stop ? stop : plain->end) - plain->at);
    plain->at = stop ? stop + 1 : plain->end;
    plain->number++;
    if(*length > MAX_LINE || !blank(*line, *length))
      return true;
  }
  return false;
}

/* All lines that are there; false when one was too long. */
static bool take(struct ba_lines *lines, struct plain *plain, enum ba_line *last)
{
  const char *line, *expected;
  size_t length, expected_length;
  struct ba_error err;
  while((*last = ba_lines_next(lines, &line, &length, &err)) == BA_LINE_READY ||
        (*last == BA_LINE_FAILED && lines->measures)) {
    if(*last == BA_LINE_FAILED) {
      CHECK(plain_next(plain, &expected, &expected_length) && expected_length > MAX_LINE);
      CHECK(lines->number == plain->number);
      continue;
    }
    CHECK(length <= MAX_LINE);
    CHECK(plain_next(plain, &expected, &expected_length));
    CHECK(length == expected_length && memcmp(line, expected, length) == 0);
    CHECK(lines->number == plain->number);
  }
  return *last != BA_LINE_FAILED;
}

static void add(struct ba_lines *lines, const char *bytes, size_t length, unsigned way)
{
  struct ba_buffer chunk;
  if(way % 3 == 0) {
    CHECK(ba_lines_push(lines, bytes, length, NULL));
  } else if(way % 3 == 1) {
    ba_buffer_init(&chunk, 1 << 20);
    CHECK(ba_buffer_append(&chunk, bytes, length, NULL));
    CHECK(ba_lines_adopt(lines, &chunk, NULL));
  } else {
    char *room = ba_lines_room(lines, length, NULL);
    CHECK(room);
    memcpy(room, bytes, length);
    ba_lines_added(lines, length);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if(size < 2 || size > 4096)
    return 0;
  size_t piece = data[0] ? data[0] : 1, length = size - 2;
  char *text = malloc(length + 1); /* strspn() needs the NUL */
  CHECK(text);
  memcpy(text, data + 2, length);
  text[length] = '\0';
  struct plain plain = {text, text + length, 0};
  struct ba_lines lines;
  enum ba_line last = BA_LINE_MORE;
  ba_lines_init(&lines, MAX_LINE);
  if(data[1] & 0x80)
    ba_lines_measure(&lines);
  bool ok = true;
  for(size_t at = 0; ok && at < length; at += piece) {
    add(&lines, text + at, length - at < piece ? length - at : piece, data[1] + (unsigned)at);
    ok = take(&lines, &plain, &last);
  }
  if(ok) {
    ba_lines_finish(&lines);
    ok = take(&lines, &plain, &last);
  }
  const char *line;
  size_t rest;
  if(ok) {
    CHECK(last == BA_LINE_END && lines.offset == length);
    CHECK(!plain_next(&plain, &line, &rest));
  } else { /* it was indeed too long */
    CHECK(plain_next(&plain, &line, &rest) && rest > MAX_LINE);
  }
  ba_lines_free(&lines);
  free(text);
  return 0;
}
