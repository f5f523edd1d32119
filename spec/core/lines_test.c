/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/lines.h"

#include <stdlib.h>
#include <string.h>

static void expect_line(struct ba_lines *lines, const char *expected)
{
  const char *line;
  size_t length;
  struct ba_error err;
  assert_int_equal(ba_lines_next(lines, &line, &length, &err), BA_LINE_READY);
  assert_int_equal(length, strlen(expected));
  assert_memory_equal(line, expected, length);
}

static void expect(struct ba_lines *lines, enum ba_line expected)
{
  const char *line;
  size_t length;
  struct ba_error err;
  assert_int_equal(ba_lines_next(lines, &line, &length, &err), expected);
}

static void takes_bytes_in_all_three_ways(void **state)
{
  (void)state;
  struct ba_lines lines;
  struct ba_error err;
  ba_lines_init(&lines, 0);
  assert_true(ba_lines_push(&lines, "one\ntw", 6, &err));
  expect_line(&lines, "one");
  expect(&lines, BA_LINE_MORE);
  struct ba_buffer chunk;
  ba_buffer_init(&chunk, 100);
  assert_true(ba_buffer_puts(&chunk, "o\n\nthree\n", &err));
  assert_true(ba_lines_adopt(&lines, &chunk, &err));
  assert_null(chunk.bytes);
  expect_line(&lines, "two");
  expect_line(&lines, "three");
  assert_int_equal(lines.number, 4);
  expect(&lines, BA_LINE_MORE);
  assert_true(ba_buffer_puts(&chunk, "four\n", &err));
  char *memory = chunk.bytes;
  assert_true(ba_lines_adopt(&lines, &chunk, &err)); /* nothing is left: no copy */
  assert_ptr_equal(lines.buffer.bytes, memory);
  expect_line(&lines, "four");
  char *room = ba_lines_room(&lines, 4, &err);
  assert_non_null(room);
  memcpy(room, "five", 4);
  ba_lines_added(&lines, 4);
  expect(&lines, BA_LINE_MORE);
  ba_lines_finish(&lines);
  expect_line(&lines, "five");
  expect(&lines, BA_LINE_END);
  assert_int_equal(lines.offset, strlen("one\ntwo\n\nthree\nfour\nfive"));
  ba_lines_free(&lines);
}

static void keeps_memory_bounded(void **state)
{
  (void)state;
  struct ba_lines lines;
  struct ba_error err;
  char text[1000];
  memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\n';
  ba_lines_init(&lines, 2000);
  for(int i = 0; i < 10000; i++) {
    assert_true(ba_lines_push(&lines, text, sizeof(text), &err));
    expect(&lines, BA_LINE_READY);
  }
  assert_true(lines.buffer.capacity < 8000);
  ba_lines_free(&lines);
}

static void refuses_a_long_line_for_good(void **state)
{
  (void)state;
  struct ba_lines lines;
  struct ba_error err = {0};
  const char *line;
  size_t length;
  ba_lines_init(&lines, 3);
  assert_true(ba_lines_push(&lines, "123\n1234", 8, &err));
  expect_line(&lines, "123");
  for(int i = 0; i < 2; i++) {
    assert_int_equal(ba_lines_next(&lines, &line, &length, &err), BA_LINE_FAILED);
    assert_int_equal(err.kind, BA_TOO_LARGE);
  }
  ba_lines_free(&lines);
}

static void passes_over_a_long_line_where_the_end_is_sure(void **state)
{
  (void)state;
  static const char text[] = "123\n12345678\nab\n\n1234\nc\n123456789";
  const char *line;
  size_t length;
  for(size_t step = 1; step <= sizeof(text); step++) {
    struct ba_lines lines;
    struct ba_error err = {0};
    char seen[300] = "";
    ba_lines_init(&lines, 3);
    ba_lines_measure(&lines);
    for(size_t at = 0; at < sizeof(text) - 1 + step; at += step) {
      size_t left = at < sizeof(text) - 1 ? sizeof(text) - 1 - at : 0;
      enum ba_line got;
      if(left == 0)
        ba_lines_finish(&lines);
      else
        assert_true(ba_lines_push(&lines, text + at, left < step ? left : step, &err));
      while((got = ba_lines_next(&lines, &line, &length, &err)) != BA_LINE_MORE &&
            got != BA_LINE_END) {
        if(got == BA_LINE_READY)
          strncat(seen, line, length);
        else
          strcat(seen, err.message);
        strcat(seen, "|");
      }
    }
    assert_string_equal(seen, "123|line 2 has 8 bytes; max_line_bytes allows 3|ab|"
                              "line 5 has 4 bytes; max_line_bytes allows 3|c|"
                              "line 7 has 9 bytes; max_line_bytes allows 3|");
    assert_int_equal(lines.offset, sizeof(text) - 1);
    ba_lines_free(&lines);
  }
}

static int until_failure;

static void *failing_resize(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    free(block);
    return NULL;
  }
  return until_failure-- == 0 ? NULL : realloc(block, size);
}

static void keeps_what_it_has_when_memory_fails(void **state)
{
  (void)state;
  const struct ba_allocator failing = {failing_resize, NULL};
  struct ba_lines lines;
  struct ba_error err = {0};
  struct ba_buffer chunk;
  char text[1000];
  memset(text, 'x', sizeof(text));
  ba_buffer_init(&chunk, 1000);
  ba_lines_init(&lines, 0);
  assert_true(ba_lines_push(&lines, "one\ntwo\n", 8, &err));
  assert_true(ba_buffer_append(&chunk, text, sizeof(text), &err));
  until_failure = 0;
  ba_alloc_hook(&failing);
  assert_false(ba_lines_push(&lines, text, sizeof(text), &err));
  assert_int_equal(err.kind, BA_NOMEM);
  until_failure = 0;
  assert_false(ba_lines_adopt(&lines, &chunk, &err));
  assert_null(chunk.bytes);
  ba_alloc_hook(NULL);
  expect_line(&lines, "one");
  expect_line(&lines, "two");
  ba_lines_free(&lines);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_bytes_in_all_three_ways),
      cmocka_unit_test(keeps_memory_bounded),
      cmocka_unit_test(refuses_a_long_line_for_good),
      cmocka_unit_test(passes_over_a_long_line_where_the_end_is_sure),
      cmocka_unit_test(keeps_what_it_has_when_memory_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
