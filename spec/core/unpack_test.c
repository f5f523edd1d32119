/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/buffer.h"
#include "http/unpack.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { TEXT = 100000, GZIP = 15 + 16, ZLIB = 15, BARE = -15 };

static char text[TEXT];

static void fill_text(void)
{
  unsigned value = 7;
  for(size_t i = 0; i < TEXT; i++) {
    value = value * 1103515245 + 12345;
    text[i] = (char)("abcdefgh\n"[value >> 16 & 7]);
  }
}

static struct ba_buffer pack(int form, const char *bytes, size_t length)
{
  struct ba_buffer out;
  z_stream zlib = {0};
  ba_buffer_init(&out, 1 << 24);
  assert_true(ba_buffer_reserve(&out, length + 1000, NULL));
  assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, form, 8, Z_DEFAULT_STRATEGY), Z_OK);
  zlib.next_in = (z_const Bytef *)bytes;
  zlib.avail_in = (uInt)length;
  zlib.next_out = (Bytef *)out.bytes;
  zlib.avail_out = (uInt)out.capacity;
  assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  out.length = out.capacity - zlib.avail_out;
  deflateEnd(&zlib);
  return out;
}

/* Feeds `step` bytes at a time. */
static bool unpack_all(enum ba_packing packing, const char *bytes, size_t length, size_t step,
                       struct ba_buffer *out, bool *whole, struct ba_error *err)
{
  struct ba_unpack *unpack = ba_unpack_new(packing, step % 2, err);
  bool ok = unpack != NULL;
  ba_buffer_init(out, 1 << 24);
  for(size_t at = 0; ok && at < length; at += step) {
    size_t size = length - at < step ? length - at : step, got = 1;
    const char *piece;
    ba_unpack_feed(unpack, bytes + at, size);
    while(ok && got) {
      ok = ba_unpack_next(unpack, &piece, &got, err) && ba_buffer_append(out, piece, got, err);
    }
    assert_true(!ok || ba_unpack_left(unpack) == 0);
  }
  *whole = ok && ba_unpack_is_whole(unpack);
  ba_unpack_free(unpack);
  return ok;
}

static void check_text(enum ba_packing packing, const struct ba_buffer *packed, size_t copies)
{
  static const size_t steps[] = {1, 2, 1000, 1 << 20};
  for(size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    struct ba_buffer out;
    struct ba_error err;
    bool whole;
    assert_true(unpack_all(packing, packed->bytes, packed->length, steps[i], &out, &whole, &err));
    assert_true(whole);
    assert_int_equal(out.length, copies * TEXT);
    for(size_t k = 0; k < copies; k++)
      assert_memory_equal(out.bytes + k * TEXT, text, TEXT);
    ba_buffer_free(&out);
  }
}

static void unpacks_every_form(void **state)
{
  (void)state;
  static const struct {
    enum ba_packing packing;
    int form;
  } forms[] = {{BA_PACKING_GZIP, GZIP}, {BA_PACKING_DEFLATE, ZLIB}, {BA_PACKING_DEFLATE, BARE}};
  for(size_t i = 0; i < 3; i++) {
    struct ba_buffer packed = pack(forms[i].form, text, TEXT);
    check_text(forms[i].packing, &packed, 1);
    ba_buffer_free(&packed);
  }
}

static void unpacks_several_members(void **state)
{
  (void)state;
  struct ba_buffer packed = pack(GZIP, text, TEXT), second = pack(GZIP, text, TEXT);
  assert_true(ba_buffer_append(&packed, second.bytes, second.length, NULL));
  check_text(BA_PACKING_GZIP, &packed, 2);
  ba_buffer_free(&packed);
  ba_buffer_free(&second);
}

static void knows_when_the_end_is_missing(void **state)
{
  (void)state;
  struct ba_buffer packed = pack(GZIP, text, 1000), out;
  struct ba_error err;
  bool whole;
  for(size_t cut = 0; cut < packed.length; cut++) {
    assert_true(unpack_all(BA_PACKING_GZIP, packed.bytes, cut, 100, &out, &whole, &err));
    assert_int_equal(whole, cut == 0); /* nothing at all is whole */
    ba_buffer_free(&out);
  }
  ba_buffer_free(&packed);
}

static void refuses_what_is_damaged(void **state)
{
  (void)state;
  struct ba_buffer packed = pack(GZIP, text, 1000), out;
  struct ba_error err;
  bool whole;
  assert_false(unpack_all(BA_PACKING_GZIP, "{\"a\":1}", 7, 7, &out, &whole, &err));
  assert_int_equal(err.kind, BA_DECODE);
  assert_string_equal(err.code, "content_encoding");
  ba_buffer_free(&out);
  packed.bytes[packed.length - 6] ^= 1; /* of the checksum */
  assert_false(unpack_all(BA_PACKING_GZIP, packed.bytes, packed.length, 100, &out, &whole, &err));
  ba_buffer_free(&out);
  packed.bytes[packed.length - 6] ^= 1;
  assert_true(ba_buffer_append(&packed, "rubbish", 7, NULL));
  assert_false(unpack_all(BA_PACKING_GZIP, packed.bytes, packed.length, 100, &out, &whole, &err));
  ba_buffer_free(&out);
  ba_buffer_free(&packed);
}

static void unpacks_more_than_a_piece_from_a_few_bytes(void **state)
{
  (void)state;
  enum { MANY = 10 << 20 };
  char *zeros = calloc(1, MANY);
  struct ba_buffer packed = pack(GZIP, zeros, MANY), out;
  struct ba_error err;
  bool whole;
  assert_true(unpack_all(BA_PACKING_GZIP, packed.bytes, packed.length, 64, &out, &whole, &err));
  assert_true(whole && out.length == MANY);
  ba_buffer_free(&out);
  ba_buffer_free(&packed);
  free(zeros);
}

static void reads_utf16(void **state)
{
  (void)state;
  static const char little[] = "\xFF\xFE{\0\xE9\0\xAC\x20\x3D\xD8\x00\xDE\x3D\xD8}\0";
  static const char expected[] = "{\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\xBD}";
  char big[sizeof(little) - 1];
  struct ba_buffer out;
  struct ba_error err;
  bool whole;
  for(size_t i = 0; i < sizeof(big); i += 2) {
    big[i] = little[i + 1];
    big[i + 1] = little[i];
  }
  for(size_t step = 1; step <= sizeof(big); step++) {
    for(int way = 0; way < 2; way++) {
      const char *bytes = way ? big : little;
      enum ba_packing packing = ba_packing_of_text((unsigned char)bytes[0]);
      assert_int_equal(packing, way ? BA_PACKING_UTF16_BE : BA_PACKING_UTF16_LE);
      assert_true(unpack_all(packing, bytes, sizeof(big), step, &out, &whole, &err));
      assert_true(whole);
      assert_int_equal(out.length, sizeof(expected) - 1);
      assert_memory_equal(out.bytes, expected, out.length);
      ba_buffer_free(&out);
    }
  }
  assert_true(unpack_all(BA_PACKING_UTF16_LE, little, 5, 5, &out, &whole, &err));
  assert_false(whole);
  ba_buffer_free(&out);
}

static void knows_names_and_first_bytes(void **state)
{
  (void)state;
  assert_int_equal(ba_packing_named(NULL), BA_PACKING_NONE);
  assert_int_equal(ba_packing_named(""), BA_PACKING_NONE);
  assert_int_equal(ba_packing_named("Identity"), BA_PACKING_NONE);
  assert_int_equal(ba_packing_named("GZIP"), BA_PACKING_GZIP);
  assert_int_equal(ba_packing_named("x-gzip"), BA_PACKING_GZIP);
  assert_int_equal(ba_packing_named("deflate"), BA_PACKING_DEFLATE);
  assert_int_equal(ba_packing_named("br"), BA_PACKING_UNKNOWN);
  assert_int_equal(ba_packing_named("gzip, gzip"), BA_PACKING_UNKNOWN);
  assert_int_equal(ba_packing_of_text('{'), BA_PACKING_NONE);
  assert_int_equal(ba_packing_of_text(0xEF), BA_PACKING_NONE);
  assert_int_equal(ba_packing_of_text(0x1F), BA_PACKING_GZIP);
}

static int allocations_left;

static void *failing_resize(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  return allocations_left-- > 0 ? realloc(block, size) : NULL;
}

static void survives_every_failed_allocation(void **state)
{
  (void)state;
  struct ba_buffer packed = pack(GZIP, text, TEXT), out;
  const struct ba_allocator failing = {failing_resize, NULL};
  struct ba_error err = {0};
  bool whole, ok = false;
  int failures = 0;
  ba_alloc_hook(&failing);
  for(int most = 0; most < 100 && !ok; most++) {
    allocations_left = most;
    ok = unpack_all(BA_PACKING_GZIP, packed.bytes, packed.length, 1000, &out, &whole, &err);
    failures += !ok;
    if(!ok)
      assert_int_equal(err.kind, BA_NOMEM);
    ba_buffer_free(&out);
  }
  ba_alloc_hook(NULL);
  assert_true(ok && failures >= 3);
  ba_buffer_free(&packed);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unpacks_every_form),
      cmocka_unit_test(unpacks_several_members),
      cmocka_unit_test(knows_when_the_end_is_missing),
      cmocka_unit_test(refuses_what_is_damaged),
      cmocka_unit_test(unpacks_more_than_a_piece_from_a_few_bytes),
      cmocka_unit_test(reads_utf16),
      cmocka_unit_test(knows_names_and_first_bytes),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  fill_text();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
