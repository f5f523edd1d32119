#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "json/path.h"

static bool at(const char *json, const char *path, char *out, size_t size)
{
  return ba_json_string_at(json, strlen(json), path, out, size);
}

static void finds_strings_and_numbers(void **state)
{
  (void)state;
  char out[32];
  assert_true(at("{\"error\":{\"code\":\"x\\u00e9\"}}", "error.code", out, sizeof(out)));
  assert_string_equal(out, "x\xC3\xA9");
  assert_true(at(" { \"a\" : [ 1 , {\"b\": -2.50e1 } ] } ", "a.1.b", out, sizeof(out)));
  assert_string_equal(out, "-2.50e1");
  assert_true(at("[7,8]", "1", out, sizeof(out)));
  assert_string_equal(out, "8");
  assert_true(at("\"top\"", "", out, sizeof(out)));
  assert_string_equal(out, "top");
}

static void refuses_what_is_not_there(void **state)
{
  (void)state;
  char out[32] = "before";
  assert_false(at("{\"error\":{\"kode\":1}}", "error.code", out, sizeof(out)));
  assert_string_equal(out, "");
  assert_false(at("{\"error\":\"text\"}", "error.code", out, sizeof(out)));
  assert_false(at("{\"error\":{\"code\":{}}}", "error.code", out, sizeof(out)));
  assert_false(at("{\"error\":{\"code\":null}}", "error.code", out, sizeof(out)));
  assert_false(at("[]", "0", out, sizeof(out)));
  assert_false(at("[1]", "0x", out, sizeof(out)));
  assert_false(at("", "a", out, sizeof(out)));
}

static void refuses_a_broken_document(void **state)
{
  (void)state;
  char out[32];
  assert_false(at("{\"a\":\"x\"", "a", out, sizeof(out)));
  assert_false(at("{\"a\":\"x\"} x", "a", out, sizeof(out)));
  assert_false(at("<html>", "a", out, sizeof(out)));
  char deep[2048];
  memset(deep, '[', sizeof(deep) - 1);
  deep[sizeof(deep) - 1] = '\0';
  assert_false(at(deep, "0.0", out, sizeof(out)));
}

static void takes_the_last_of_repeated_keys(void **state)
{
  (void)state;
  char out[32];
  assert_true(at("{\"a\":\"x\",\"a\":\"y\"}", "a", out, sizeof(out)));
  assert_string_equal(out, "y");
  assert_false(at("{\"a\":\"x\",\"a\":null}", "a", out, sizeof(out)));
  assert_false(at("{\"a\":{\"b\":1},\"a\":{}}", "a.b", out, sizeof(out)));
}

static void cuts_between_characters(void **state)
{
  (void)state;
  char out[4];
  assert_true(at("{\"a\":\"ab\xC3\xA9\"}", "a", out, sizeof(out)));
  assert_string_equal(out, "ab");
  assert_false(ba_json_string_at("1", 1, "", out, 0));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_strings_and_numbers),
      cmocka_unit_test(refuses_what_is_not_there),
      cmocka_unit_test(refuses_a_broken_document),
      cmocka_unit_test(takes_the_last_of_repeated_keys),
      cmocka_unit_test(cuts_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
