/* The lenient reading on any bytes: it stays within them, takes whatever the
 * strict one takes and gives the same tokens for it without a mend, and what it
 * mended itself the strict one has refused. */
#include "batchapi/buffer.h"
#include "batchapi/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if(!(condition))                                                                               \
      abort();                                                                                     \
  } while(0)

static void same_value(const struct ba_json_scanner *one, const struct ba_json_scanner *other,
                       enum ba_json_token token)
{
  if(token == BA_JSON_STRING || token == BA_JSON_KEY)
    CHECK(one->length == other->length && memcmp(one->string, other->string, one->length) == 0);
  else if(token == BA_JSON_INTEGER)
    CHECK(one->integer == other->integer);
  else if(token == BA_JSON_FLOAT)
    CHECK(one->number == other->number && isfinite(one->number));
}

static size_t mended(const struct ba_json_mends *mends)
{
  size_t sum = 0;
  for(int i = 0; i < BA_JSON_MEND_KINDS; i++)
    sum += mends->count[i];
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ba_json_scanner strict, lenient;
  struct ba_json_mends mends;
  struct ba_buffer scratch, other;
  enum ba_json_token one, two;
  char text[BA_JSON_MENDS_MAX], *copy = malloc(size ? size : 1);
  CHECK(copy);
  if(size)
    memcpy(copy, data, size);
  ba_buffer_init(&scratch, 1 << 20);
  ba_buffer_init(&other, 1 << 20);
  ba_json_scanner_init(&strict, copy, size, 100, &scratch);
  ba_json_scanner_init(&lenient, copy, size, 100, &other);
  ba_json_scanner_mend(&lenient, &mends);
  do {
    one = ba_json_next(&strict);
    two = ba_json_next(&lenient);
    if(one == BA_JSON_FAILED)
      break;
    CHECK(one == two);
    same_value(&strict, &lenient, one);
  } while(one > BA_JSON_END);
  while(two > BA_JSON_END)
    two = ba_json_next(&lenient);
  CHECK(ba_json_offset(&lenient) <= size + 1);
  CHECK((two == BA_JSON_FAILED) == (lenient.error.kind != BA_OK));
  if(one == BA_JSON_END)
    CHECK(two == BA_JSON_END && mended(&mends) == 0);
  else if(two == BA_JSON_END)
    CHECK(mended(&mends) > 0);
  else
    CHECK(ba_json_offset(&lenient) >= ba_json_offset(&strict));
  CHECK((ba_json_describe_mends(&mends, text) > 0) == (mended(&mends) > 0));
  CHECK(strlen(text) < sizeof(text));
  for(int i = 0; i < BA_JSON_MEND_KINDS; i++)
    CHECK(mends.count[i] == 0 || (mends.first[i] >= 1 && mends.first[i] <= size));
  ba_buffer_free(&scratch);
  ba_buffer_free(&other);
  free(copy);
  return 0;
}
