/* Packed bodies of any bytes: nothing is read or written outside, memory stays
 * bounded, and in whatever pieces they come, the same comes out. The first byte
 * chooses the packing and the size of the pieces. */
#include "batchapi/buffer.h"
#include "http/unpack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if(!(condition))                                                                               \
      abort();                                                                                     \
  } while(0)

enum { MOST = 1 << 22 };

static bool unpack_all(enum ba_packing packing, const char *bytes, size_t length, size_t step,
                       struct ba_buffer *out, bool *whole)
{
  struct ba_error err = {0};
  struct ba_unpack *unpack = ba_unpack_new(packing, true, &err);
  bool ok = true;
  CHECK(unpack);
  for(size_t at = 0; ok && at < length; at += step) {
    size_t piece = length - at < step ? length - at : step, got = 1;
    char *copy = malloc(piece); /* a block of its own size */
    const char *text;
    CHECK(copy);
    memcpy(copy, bytes + at, piece);
    ba_unpack_feed(unpack, copy, piece);
    while(ok && got)
      ok = ba_unpack_next(unpack, &text, &got, &err) && ba_buffer_append(out, text, got, &err);
    CHECK(!ok || ba_unpack_left(unpack) == 0);
    free(copy);
  }
  CHECK(ok == (err.kind == BA_OK));
  *whole = ok && ba_unpack_is_whole(unpack);
  ba_unpack_free(unpack);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ba_buffer first, second;
  bool one_whole, two_whole;
  if(size < 1)
    return 0;
  enum ba_packing packing = (enum ba_packing)(BA_PACKING_GZIP + data[0] % 4);
  size_t step = (size_t)data[0] / 4 + 1;
  const char *bytes = (const char *)data + 1;
  ba_buffer_init(&first, MOST);
  ba_buffer_init(&second, MOST);
  bool one = unpack_all(packing, bytes, size - 1, size, &first, &one_whole);
  bool two = unpack_all(packing, bytes, size - 1, step, &second, &two_whole);
  CHECK(one == two && one_whole == two_whole);
  if(one)
    CHECK(first.length == second.length &&
          (!first.length || memcmp(first.bytes, second.bytes, first.length) == 0));
  ba_buffer_free(&first);
  ba_buffer_free(&second);
  return 0;
}
