/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/crc32c.h"
#include "batchapi/record.h"

#include <stdlib.h>
#include <string.h>

static void checksums_are_those_of_rfc_3720(void **state)
{
  (void)state;
  unsigned char bytes[32];
  assert_int_equal(ba_crc32c(0, "123456789", 9), 0xe3069283);
  memset(bytes, 0, sizeof(bytes));
  assert_int_equal(ba_crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
  memset(bytes, 0xff, sizeof(bytes));
  assert_int_equal(ba_crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
  for(unsigned i = 0; i < 32; i++)
    bytes[i] = (unsigned char)i;
  assert_int_equal(ba_crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
  assert_int_equal(ba_crc32c(0, "", 0), 0);
}

static void both_ways_agree_at_any_length_and_split(void **state)
{
  (void)state;
  unsigned char bytes[257];
  uint32_t draw = 1;
  for(size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (unsigned char)((draw = draw * 1664525u + 1013904223u) >> 24);
  for(size_t length = 0; length <= sizeof(bytes); length++) {
    uint32_t crc = ba_crc32c(7, bytes, length);
    assert_int_equal(ba_crc32c_table(7, bytes, length), crc);
    size_t part = length / 3;
    assert_int_equal(ba_crc32c(ba_crc32c(7, bytes, part), bytes + part, length - part), crc);
  }
}

static struct ba_buffer make(uint64_t number, const char *line, uint32_t seed)
{
  struct ba_buffer out;
  struct ba_error err;
  ba_buffer_init(&out, 1 << 20);
  assert_true(ba_record_begin(&out, number, &err));
  assert_true(ba_buffer_append(&out, ",\"index\":3", 10, &err));
  if(line)
    assert_true(ba_record_add_line(&out, line, strlen(line), false, &err));
  assert_true(ba_record_end(&out, 0, seed, &err));
  return out;
}

static void a_line_is_what_it_should_be(void **state)
{
  (void)state;
  uint64_t number;
  struct ba_buffer out = make(17, "{\"a\": [1, null]}", 5);
  assert_memory_equal(
      out.bytes, "{\"n\":17,\"index\":3,\"bytes\":16,\"line\":{\"a\": [1, null]},\"crc\":\"", 60);
  assert_int_equal(out.bytes[out.length - 1], '\n');
  assert_true(ba_record_check(out.bytes, out.length - 1, 5, &number));
  assert_int_equal(number, 17);
  assert_false(ba_record_check(out.bytes, out.length - 1, 6, &number));
  assert_false(ba_record_check(out.bytes, out.length, 5, &number));
  assert_false(ba_record_check(out.bytes, out.length - 2, 5, &number));
  assert_false(ba_record_check("", 0, 5, &number));
  ba_buffer_free(&out);
}

static void what_is_no_json_of_one_line_goes_as_base64(void **state)
{
  (void)state;
  static const char *const lines[] = {"",     "{",  "{\"a\":\"\\ud800\"}", "[1,\n2]", "nan",
                                      "\xff", "1 2"};
  for(size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    struct ba_buffer out = make(1, lines[i], 0);
    assert_non_null(strstr(out.bytes, ",\"base64\":\""));
    assert_null(strstr(out.bytes, "\"line\""));
    ba_buffer_free(&out);
  }
}

/* How long its own fields are: in front of what a service sent, which must be as long as it says.
 */
static void its_own_fields_are_found(void **state)
{
  (void)state;
  static const char *const lines[] = {"{\"a\":[1,null]}", "nan", "na", "",
                                      "{\"b\":\",\\\"bytes\\\":3\"}"};
  static const char own[] = "{\"n\":17,\"index\":3";
  for(size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    struct ba_buffer out = make(17, lines[i], 5);
    assert_int_equal(ba_record_fields(out.bytes, out.length - 1), sizeof(own) - 1);
    assert_memory_equal(out.bytes, own, sizeof(own) - 1);
    ba_buffer_free(&out);
  }
  struct ba_buffer none = make(17, NULL, 5);
  assert_int_equal(ba_record_fields(none.bytes, none.length - 1), 0);
  ba_buffer_free(&none);
  static const char other[] =
      "{\"n\":1,\"body\":{\"a\":1,\"bytes\":2,\"line\":{}},\"crc\":\"1b2a3c4d\"}";
  assert_int_equal(ba_record_fields(other, sizeof(other) - 1), 0);
}

static void every_flipped_bit_is_found(void **state)
{
  (void)state;
  uint64_t number;
  struct ba_buffer out = make(17, "{\"text\":\"some words\"}", 5);
  for(size_t bit = 0; bit < (out.length - 1) * 8; bit++) {
    out.bytes[bit / 8] ^= (char)(1 << bit % 8);
    assert_false(ba_record_check(out.bytes, out.length - 1, 5, &number));
    out.bytes[bit / 8] ^= (char)(1 << bit % 8);
  }
  assert_true(ba_record_check(out.bytes, out.length - 1, 5, &number));
  ba_buffer_free(&out);
}

static void it_can_have_another_number(void **state)
{
  (void)state;
  struct ba_error err;
  struct ba_buffer from = make(9, "[true]", 5), to, wanted = make(1234, "[true]", 5);
  ba_buffer_init(&to, 1 << 20);
  assert_true(ba_record_renumber(&to, from.bytes, from.length - 1, 1234, 5, &err));
  assert_int_equal(to.length, wanted.length);
  assert_memory_equal(to.bytes, wanted.bytes, to.length);
  ba_buffer_free(&from);
  ba_buffer_free(&to);
  ba_buffer_free(&wanted);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(checksums_are_those_of_rfc_3720),
      cmocka_unit_test(both_ways_agree_at_any_length_and_split),
      cmocka_unit_test(a_line_is_what_it_should_be),
      cmocka_unit_test(what_is_no_json_of_one_line_goes_as_base64),
      cmocka_unit_test(its_own_fields_are_found),
      cmocka_unit_test(every_flipped_bit_is_found),
      cmocka_unit_test(it_can_have_another_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
