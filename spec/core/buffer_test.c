/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/buffer.h"

#include <string.h>

static void grows_up_to_its_cap(void **state)
{
  (void)state;
  struct ba_buffer buffer;
  struct ba_error err = {0};
  ba_buffer_init(&buffer, 1000);
  for(int i = 0; i < 100; i++)
    assert_true(ba_buffer_append(&buffer, "0123456789", 10, &err));
  assert_int_equal(buffer.length, 1000);
  assert_false(ba_buffer_append(&buffer, "x", 1, &err));
  assert_int_equal(err.kind, BA_TOO_LARGE);
  assert_int_equal(buffer.length, 1000);
  ba_buffer_free(&buffer);
}

static void formats(void **state)
{
  (void)state;
  struct ba_buffer buffer;
  ba_buffer_init(&buffer, 64);
  assert_true(ba_buffer_printf(&buffer, NULL, "%s-%d", "part", 7));
  assert_string_equal(buffer.bytes, "part-7");
  size_t length = 0;
  char *bytes = ba_buffer_take(&buffer, &length);
  assert_int_equal(length, 6);
  assert_null(buffer.bytes);
  ba_free(bytes);
}

static void an_empty_one_is_safe_to_free(void **state)
{
  (void)state;
  struct ba_buffer buffer = {0};
  ba_buffer_free(&buffer);
  ba_buffer_wipe(&buffer);
  assert_false(ba_buffer_puts(&buffer, "x", NULL));
}

static void a_message_is_cut_between_characters(void **state)
{
  (void)state;
  struct ba_error err;
  char text[BA_ERROR_MESSAGE_MAX * 2];
  memset(text, 0, sizeof(text));
  for(size_t i = 0; i + 2 < sizeof(text); i += 2)
    memcpy(text + i, "\xC3\xA9", 2);
  ba_error_set(&err, BA_IO, NULL, "x%s", text);
  size_t length = strlen(err.message);
  assert_int_equal(length % 2, 1); /* "x" and whole two-byte characters */
  ba_error_set(&err, BA_IO, NULL, "a\r\nb");
  assert_string_equal(err.message, "a  b");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(grows_up_to_its_cap),
      cmocka_unit_test(formats),
      cmocka_unit_test(an_empty_one_is_safe_to_free),
      cmocka_unit_test(a_message_is_cut_between_characters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
