/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/buffer.h"
#include "batchapi/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
  struct ba_json_scanner scanner;
  struct ba_json_mends mends;
  struct ba_buffer scratch;
  char described[BA_JSON_MENDS_MAX];
};

/* Reads all of it; the last string and the last float stay in `reading`. */
static enum ba_json_token read_all(struct reading *reading, const char *text, size_t length,
                                   bool leniently, char *last, size_t *last_length)
{
  enum ba_json_token token;
  char *copy = malloc(length ? length : 1); /* so that ASan sees its end */
  memcpy(copy, text, length);
  ba_buffer_init(&reading->scratch, BA_JSON_MAX_BYTES);
  ba_json_scanner_init(&reading->scanner, copy, length, 0, &reading->scratch);
  if(leniently)
    ba_json_scanner_mend(&reading->scanner, &reading->mends);
  while((token = ba_json_next(&reading->scanner)) > BA_JSON_END) {
    if(token == BA_JSON_STRING && last) {
      memcpy(last, reading->scanner.string, reading->scanner.length);
      *last_length = reading->scanner.length;
    }
  }
  if(leniently)
    ba_json_describe_mends(&reading->mends, reading->described);
  ba_buffer_free(&reading->scratch);
  free(copy);
  return token;
}

static void check(const char *text, size_t length, const char *expected, size_t expected_length,
                  const char *described)
{
  struct reading reading;
  char last[256];
  size_t last_length = 0;
  assert_int_equal(read_all(&reading, text, length, false, NULL, NULL), BA_JSON_FAILED);
  assert_int_equal(read_all(&reading, text, length, true, last, &last_length), BA_JSON_END);
  assert_int_equal(last_length, expected_length);
  assert_memory_equal(last, expected, expected_length);
  assert_string_equal(reading.described, described);
}

#define CHECK(text, expected, described)                                                           \
  check(text, sizeof(text) - 1, expected, sizeof(expected) - 1, described)

static void mends_strings(void **state)
{
  (void)state;
  CHECK("[\"see \\ud83d here\"]", "see \xEF\xBF\xBD here",
        "half of a surrogate pair became U+FFFD at byte 7");
  CHECK("[\"\\uDE00\\uD83D\\uDE00\\uD83D\\uD83D\\uDE00\"]",
        "\xEF\xBF\xBD\xF0\x9F\x98\x80\xEF\xBF\xBD\xF0\x9F\x98\x80",
        "2 halves of surrogate pairs became U+FFFD, the first at byte 3");
  CHECK("[\"a\x0B"
        "b\\n\"]",
        "a\x0B"
        "b\n",
        "a raw control character was kept at byte 4");
  CHECK("[\"\0\"]", "\0", "a raw control character was kept at byte 3");
  CHECK("[\"caf\xE9\"]", "caf\xE9", "a byte that is not UTF-8 was kept at byte 6");
  CHECK("[\"\xED\xA0\xBD \xC3\xA9\"]", "\xED\xA0\xBD \xC3\xA9",
        "3 bytes that are not UTF-8 were kept, the first at byte 3");
  CHECK("[\"\xE2\x82\"]", "\xE2\x82", "2 bytes that are not UTF-8 were kept, the first at byte 3");
  CHECK("\xEF\xBB\xBF[\"x\"]", "x", "a byte order mark was skipped at byte 1");
  CHECK("\xEF\xBB\xBF{\"k\xFF\":\"\x01\\ud800\",\"a\":NaN,\"b\":\"\\u00e9\"}", "\xC3\xA9",
        "a byte order mark was skipped at byte 1; half of a surrogate pair became U+FFFD at byte "
        "12; a raw control character was kept at byte 11; a byte that is not UTF-8 was kept at "
        "byte 7; a number that JSON does not have was read at byte 24");
}

static double number_of(const char *text)
{
  struct reading reading;
  assert_int_equal(read_all(&reading, text, strlen(text), false, NULL, NULL), BA_JSON_FAILED);
  assert_int_equal(read_all(&reading, text, strlen(text), true, NULL, NULL), BA_JSON_END);
  assert_int_equal(reading.mends.count[BA_JSON_MEND_NUMBER], 1);
  return reading.scanner.number;
}

static void mends_numbers(void **state)
{
  (void)state;
  assert_true(isnan(number_of("NaN")));
  assert_true(number_of(" Infinity ") == INFINITY);
  assert_true(number_of("[-Infinity]") == -INFINITY);
  assert_true(number_of("[-1e999]") == -INFINITY);
  assert_true(number_of("{\"a\":1E+999}") == INFINITY);
}

/* Nothing is guessed: what is cut or means nothing stays refused, and says why. */
static void still_refuses(void **state)
{
  (void)state;
  static const struct {
    const char *text, *message;
    size_t offset;
  } cases[] = {
      {"", "the text ends where a value is due (byte 1)", 1},
      {"\xEF\xBB\xBF", "the text ends where a value is due (byte 4)", 4},
      {"\xEF\xBB", "expected a value at byte 1, found byte 0xEF", 1},
      {"[\"caf\xE9", "a string without its closing quote at byte 7", 7},
      {"[\"\x01\\", "a string without its closing quote at byte 5", 5},
      {"[\"\x01\\x\"]", "an unknown escape in a string at byte 4", 4},
      {"[\"\x01\\u12\"]", "\\u without four hexadecimal digits at byte 6", 6},
      {"{\"a\":1,}", "expected a key in quotes at byte 8, found '}'", 8},
      {"[NaNs]", "expected ',' or ']' at byte 5, found 's'", 5},
      {"[nan]", "expected a value or ']' at byte 2, found 'n'", 2},
      {"[-Inf]", "a '-' without a digit behind it at byte 3", 3},
      {"{\"k\xFF\" 1}", "expected ':' after a key at byte 7", 7},
  };
  struct reading reading;
  for(size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    size_t length = strlen(cases[i].text);
    assert_int_equal(read_all(&reading, cases[i].text, length, true, NULL, NULL), BA_JSON_FAILED);
    assert_string_equal(reading.scanner.error.message, cases[i].message);
    assert_int_equal(ba_json_offset(&reading.scanner), cases[i].offset);
  }
}

static void mends_nothing_where_nothing_is_wrong(void **state)
{
  (void)state;
  static const char text[] = "{\"a\":[1,-0.5e3,\"\\ud83d\\ude00 \xC3\xA9 \\u0000\",null]}\r";
  struct reading reading;
  assert_int_equal(read_all(&reading, text, sizeof(text) - 1, true, NULL, NULL), BA_JSON_END);
  assert_string_equal(reading.described, "");
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
  static const char text[] = "[\"\\ud83d\", \"a\x01\"]";
  const struct ba_allocator failing = {failing_resize, NULL};
  struct reading reading;
  enum ba_json_token token = BA_JSON_FAILED;
  int failures = 0;
  ba_alloc_hook(&failing);
  for(int most = 0; most < 50 && token == BA_JSON_FAILED; most++) {
    allocations_left = most;
    token = read_all(&reading, text, sizeof(text) - 1, true, NULL, NULL);
    if(token == BA_JSON_FAILED) {
      assert_int_equal(reading.scanner.error.kind, BA_NOMEM);
      failures++;
    }
  }
  ba_alloc_hook(NULL);
  assert_int_equal(token, BA_JSON_END);
  assert_true(failures > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mends_strings),
      cmocka_unit_test(mends_numbers),
      cmocka_unit_test(still_refuses),
      cmocka_unit_test(mends_nothing_where_nothing_is_wrong),
      cmocka_unit_test(survives_every_failed_allocation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
