/* Secrets in what a server sends back: found however they are spelled, and in
 * time that grows with the text alone, for the I/O thread does it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "auth/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void redacts(const char *secret, const char *text, const char *expected)
{
  char *copy = strdup(text);
  assert_non_null(copy);
  ba_secret_redact(secret, strlen(secret), copy, strlen(copy));
  assert_string_equal(copy, expected);
  free(copy);
}

static void a_secret_that_looks_encoded_is_found_as_it_is(void **state)
{
  (void)state;
  redacts("abc%25def", "k=abc%25def;", "k=*********;");
  redacts("abc%25def", "k=abc%2525def;", "k=***********;");
  redacts("abc\\u0041d", "abc\\u0041d", "**********");
  redacts("abc\\u0041d", "abc\\\\u0041d", "***********");
  redacts("1+1=two+", "1+1=two+ 1%2B1%3Dtwo%2b", "******** **************");
  redacts("one two", "one+two one%20two", "******* *********");
}

static void letters_beyond_ascii_are_found_escaped(void **state)
{
  (void)state;
  redacts("p\xC3\xA4ssword", "{\"p\":\"p\\u00e4ssword\"}", "{\"p\":\"*************\"}");
  redacts("p\xC3\xA4ssword", "p%C3%A4ssword", "*************");
  redacts("\xE2\x82\xAC-price", "\\u20AC-price", "************");
}

static void a_cut_secret_is_found_at_the_end_only(void **state)
{
  (void)state;
  redacts("0123456789abcdef", "x 0123456789ab", "x ************");
  redacts("0123456789abcdef", "x 0123456", "x 0123456");
  redacts("0123456789abcdef", "0123456789ab x", "0123456789ab x");
  redacts("0123456789ab/def", "x 0123456789ab%2", "x **************");
  redacts("0123456789ab/def", "x 0123456789ab\\/d", "x ***************");
  redacts("aaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaa", "aaaaaa***************");
}

static void every_occurrence_is_found(void **state)
{
  (void)state;
  redacts("abcabc", "abcabcabcabc abcabc", "************ ******");
  redacts("abab", "xababax", "x****ax");
  char text[] = "before\0secret\0after";
  ba_secret_redact("secret", 6, text, sizeof(text));
  assert_memory_equal(text, "before\0******\0after", sizeof(text));
}

/* The longest of three, less what the machine did meanwhile. */
static double shortest(const char *secret, const char *unit, size_t length)
{
  size_t size = strlen(unit);
  char *text = malloc(length);
  assert_non_null(text);
  double best = 1e9;
  for(int round = 0; round < 3; round++) {
    for(size_t i = 0; i < length; i++)
      text[i] = unit[i % size];
    clock_t start = clock(); /* of the process: others may use the machine */
    ba_secret_redact(secret, strlen(secret), text, length);
    double took = (double)(clock() - start) / CLOCKS_PER_SEC;
    best = took < best ? took : best;
  }
  free(text);
  return best;
}

static bool slow_build(void)
{
  return getenv("BATCHAPI_SLOW") != NULL;
}

/* What a hostile server would send: the secret's own beginnings, escapes
 * without end, and nothing that ends in a NUL. */
static void a_large_answer_takes_a_moment(void **state)
{
  (void)state;
  enum { LENGTH = 1 << 20 };
  static const char plain[] = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz";
  char same[2001];
  memset(same, 'a', sizeof(same) - 1);
  same[sizeof(same) - 2] = 'b';
  same[sizeof(same) - 1] = '\0';
  const char *const units[] = {"sk-proj-0123456789abcdefghijklmnopqrstuvwxy", "%73%6B", "\\u0073k",
                               "\\\"", "{\"a\":1}"};
  double limit = slow_build() ? 3 : 0.15;
  for(size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    double took = shortest(plain, units[i], LENGTH);
    if(took > limit)
      fail_msg("a MiB of %s took %.3f s", units[i], took);
  }
  const char *const alike[] = {"a", "%61", "\\u0061"};
  for(size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++) {
    double took = shortest(same, alike[i], LENGTH);
    if(took > limit)
      fail_msg("a MiB of %s took %.3f s", alike[i], took);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_secret_that_looks_encoded_is_found_as_it_is),
      cmocka_unit_test(letters_beyond_ascii_are_found_escaped),
      cmocka_unit_test(a_cut_secret_is_found_at_the_end_only),
      cmocka_unit_test(every_occurrence_is_found),
      cmocka_unit_test(a_large_answer_takes_a_moment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
