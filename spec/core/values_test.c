/* The engine's readers of single values, and its pure decisions. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/batchapi.h"
#include "batchapi/http_date.h"
#include "engine/timers.h"
#include "http/headers.h"
#include "http/retry.h"
#include "http/url.h"
#include "wire/request.h"

#include <curl/curl.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t THEN = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */

static void the_three_date_forms_are_read(void **state)
{
  (void)state;
  static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"};
  for(size_t i = 0; i < 3; i++) {
    int64_t out = 0;
    assert_true(ba_http_date(forms[i], THEN, &out));
    assert_int_equal(out, THEN);
  }
  int64_t out;
  assert_true(ba_http_date("Wed, 24 Nov 2027 07:00:00 GMT", 0, &out));
  assert_int_equal(out, 1827039600);
  assert_true(ba_http_date("Thu, 29 Feb 2024 23:59:60 GMT", 0, &out));
}

static void two_digit_years_are_near(void **state)
{
  (void)state;
  int64_t now = 1795500000, out; /* November 2026 */
  assert_true(ba_http_date("Tuesday, 24-Nov-26 08:00:00 GMT", now, &out));
  assert_true(llabs(out - now) < 86400 * 366);
  assert_true(ba_http_date("Sunday, 06-Nov-94 08:49:37 GMT", now, &out));
  assert_int_equal(out, THEN); /* 68 years ahead otherwise */
}

static void other_dates_are_refused(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "",
      "tomorrow",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 08:49:37 CET",
      "Sun, 31 Feb 1994 08:49:37 GMT",
      "Sun, 29 Feb 2023 08:49:37 GMT",
      "Sun, 06 Foo 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 24:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 GMT and more",
      "Sun, 6 Nov 1994 08:49:37 GMT",
      "1994-11-06T08:49:37Z",
  };
  for(size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    int64_t out;
    if(ba_http_date(wrong[i], THEN, &out))
      fail_msg("taken: %s", wrong[i]);
  }
}

static double asked(const char *lines)
{
  struct ba_head head = {0};
  ba_head_init(&head, 4096);
  assert_true(ba_head_line(&head, "HTTP/1.1 429 No\r\n", 17, NULL));
  while(*lines) {
    size_t length = strcspn(lines, "\n") + 1;
    assert_true(ba_head_line(&head, lines, length, NULL));
    lines += length;
  }
  double seconds = ba_retry_after(&head, (double)THEN - 20);
  ba_head_free(&head);
  return seconds;
}

static void retry_after_is_read(void **state)
{
  (void)state;
  assert_true(asked("") == -1);
  assert_true(asked("Retry-After: 7\r\n") == 7);
  assert_true(fabs(asked("Retry-After: 0.25\r\n") - 0.25) < 1e-9);
  assert_true(asked("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n") == 20);
  assert_true(asked("Retry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n") == 0); /* past */
  assert_true(asked("retry-after-ms: 1500\r\nretry-after: 9\r\n") == 1.5);
  assert_true(asked("retry-after-ms: soon\r\nretry-after: 9\r\n") == 9);
  static const char *const wrong[] = {"-5", "1e9", "0x10", "nan", "inf", "", "7 s", "."};
  for(size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    char line[64];
    snprintf(line, sizeof(line), "Retry-After: %s\r\n", wrong[i]);
    if(asked(line) != -1)
      fail_msg("taken: %s", wrong[i]);
  }
}

static void backoff_doubles_up_to_a_bound(void **state)
{
  (void)state;
  assert_true(ba_backoff(0, 1) == 0.5);
  assert_true(ba_backoff(1, 1) == 1);
  assert_true(ba_backoff(4, 1) == 8);
  assert_true(ba_backoff(4000000000u, 1) == 8);
  assert_true(ba_backoff(2, 0.25) == 0.5);
}

static void classes_differ_in_what_they_repeat(void **state)
{
  (void)state;
  struct ba_failure failure = {.transient = true, .should_retry = -1};
  assert_true(ba_retry_allowed(BA_REPEAT_SAFE, &failure));
  assert_false(ba_retry_allowed(BA_REPEAT_NEVER_SENT, &failure));
  failure.unaccepted = true;
  assert_true(ba_retry_allowed(BA_REPEAT_NEVER_SENT, &failure));
  failure.should_retry = 0;
  assert_false(ba_retry_allowed(BA_REPEAT_SAFE, &failure));
  assert_false(ba_retry_allowed(BA_REPEAT_NEVER_SENT, &failure));
  failure = (struct ba_failure){.should_retry = 1};
  assert_true(ba_retry_allowed(BA_REPEAT_SAFE, &failure));
  assert_false(ba_retry_allowed(BA_REPEAT_NEVER_SENT, &failure));
}

static bool feed(struct ba_head *head, const char *line)
{
  return ba_head_line(head, line, strlen(line), NULL);
}

static void a_head_is_read_line_by_line(void **state)
{
  (void)state;
  struct ba_head head = {0};
  ba_head_init(&head, 1024);
  assert_true(feed(&head, "HTTP/1.1 100 Continue\r\n") && feed(&head, "X-Early: 1\r\n") &&
              feed(&head, "\r\n"));
  assert_true(feed(&head, "HTTP/2 200 \r\n") && feed(&head, "X-Name:  a b \t\r\n") &&
              feed(&head, "x-empty:\r\n") && feed(&head, "no colon\r\n"));
  assert_false(head.closed);
  assert_true(feed(&head, "\r\n") && feed(&head, "X-Trailer: 1\r\n"));
  assert_true(head.closed);
  assert_int_equal(head.status, 200);
  assert_string_equal(head.version, "2");
  assert_int_equal(head.count, 2);
  assert_string_equal(ba_head_get(&head, "x-name"), "a b");
  assert_string_equal(ba_head_get(&head, "x-empty"), "");
  assert_null(ba_head_get(&head, "x-early"));
  assert_null(ba_head_get(&head, "x-trailer"));
  ba_head_free(&head);
}

static void a_head_has_a_cap(void **state)
{
  (void)state;
  struct ba_head head = {0};
  struct ba_error err = {0};
  ba_head_init(&head, 64);
  assert_true(feed(&head, "HTTP/1.1 200 OK\r\n") && feed(&head, "A: 1\r\n"));
  for(int i = 0; i < 6; i++)
    feed(&head, "X: yyyyyyyy\r\n");
  assert_false(ba_head_line(&head, "X: yyyyyyyy\r\n", 13, &err));
  assert_int_equal(err.kind, BA_TOO_LARGE);
  ba_head_free(&head);
}

static void validators_are_strong_or_none(void **state)
{
  (void)state;
  static const struct {
    const char *lines[2], *validator;
  } cases[] = {
      {{"ETag: \"a\"\r\n", "Last-Modified: x\r\n"}, "\"a\""},
      {{"ETag: W/\"a\"\r\n", "X: 1\r\n"}, NULL},
      {{"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Last-Modified: Sun, 06 Nov 1994 08:49:36 GMT\r\n"},
       "Sun, 06 Nov 1994 08:49:36 GMT"},
      {{"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
       NULL},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_head head = {0};
    ba_head_init(&head, 1024);
    assert_true(feed(&head, "HTTP/1.1 200 OK\r\n") && feed(&head, cases[i].lines[0]) &&
                feed(&head, cases[i].lines[1]));
    const char *validator = ba_head_validator(&head);
    if(cases[i].validator)
      assert_string_equal(validator, cases[i].validator);
    else
      assert_null(validator);
    ba_head_free(&head);
  }
}

static void content_ranges_are_read(void **state)
{
  (void)state;
  int64_t first, last, total;
  assert_true(ba_content_range("bytes 5-9/10", &first, &last, &total));
  assert_true(first == 5 && last == 9 && total == 10);
  assert_true(ba_content_range("Bytes 0-0/*", &first, &last, &total));
  assert_true(total == -1);
  static const char *const wrong[] = {"",
                                      "bytes",
                                      "bytes */10",
                                      "bytes 5-4/10",
                                      "bytes 5-10/10",
                                      "bytes 5-9",
                                      "items 5-9/10",
                                      "bytes -9/10",
                                      "bytes 5-9/10 x",
                                      "bytes 99999999999999999999-9/10"};
  for(size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    if(ba_content_range(wrong[i], &first, &last, &total))
      fail_msg("taken: %s", wrong[i]);
  }
}

static void urls_lose_their_secrets(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {
      {"https://u:p@host/a?x=1&api_key=S&b=2#f", "https://host/a?x=1&api_key=***&b=2"},
      {"https://host/a@b", "https://host/a@b"},
      {"https://host?Token=S", "https://host?Token=***"},
      {"http://u@h", "http://h"},
      {"http://h/p?flag&sig=S", "http://h/p?flag&sig=***"},
  };
  for(size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    char *shown = ba_url_redact(pairs[i][0]);
    assert_string_equal(shown, pairs[i][1]);
    ba_free(shown);
  }
}

static void origins_are_compared(void **state)
{
  (void)state;
  assert_true(ba_url_same_origin("https://Host/a", "https://host:443/b"));
  assert_false(ba_url_same_origin("https://host/", "http://host/"));
  assert_false(ba_url_same_origin("https://host/", "https://host:444/"));
  assert_false(ba_url_same_origin("https://host/", "https://host.evil/"));
  assert_false(ba_url_same_origin("not a url", "not a url"));
  char *target = ba_url_resolve("https://host/a/b?c", "../d#x");
  assert_string_equal(target, "https://host/d");
  ba_free(target);
  target = ba_url_resolve("https://host/a", "//other/z");
  assert_string_equal(target, "https://other/z");
  ba_free(target);
}

static double fired[64];
static size_t fired_count;

static void note(struct ba_timer *timer)
{
  fired[fired_count++] = timer->at;
}

static void timers_fire_in_order(void **state)
{
  (void)state;
  struct ba_timers timers = {0};
  struct ba_timer all[64] = {0};
  assert_true(ba_timers_reserve(&timers, 64));
  for(size_t i = 0; i < 64; i++) {
    all[i].fire = note;
    ba_timers_set(&timers, &all[i], (double)(i * 37 % 64));
  }
  for(size_t i = 0; i < 64; i += 3)
    ba_timers_set(&timers, &all[i], (double)(i * 11 % 64)); /* moved */
  for(size_t i = 1; i < 64; i += 3)
    ba_timers_clear(&timers, &all[i]);
  size_t left = timers.count;
  ba_timers_run(&timers, 31);
  for(size_t i = 1; i < fired_count; i++)
    assert_true(fired[i - 1] <= fired[i]);
  assert_true(fired[fired_count - 1] <= 31);
  assert_true(ba_timers_left(&timers, 31, 100) > 0);
  ba_timers_run(&timers, 64);
  assert_int_equal(fired_count, left);
  assert_true(ba_timers_left(&timers, 64, 100) == 100);
  ba_timers_free(&timers);
}

static void requests_refuse_what_would_break_http(void **state)
{
  (void)state;
  struct ba_error err = {0};
  assert_null(ba_request_new("GET /", "http://h/", &err));
  assert_null(ba_request_new("GET", "ftp://h/", &err));
  assert_null(ba_request_new("GET", "http://h/a b", &err));
  assert_null(ba_request_new("GET", "http://h/\r\nX: 1", &err));
  assert_int_equal(err.kind, BA_INVALID);
  struct ba_request *request = ba_request_new("GET", "http://h/", &err);
  assert_non_null(request);
  assert_false(ba_request_header(request, "X", "a\r\nY: b", 7, &err));
  assert_false(ba_request_header(request, "X", "a\0b", 3, &err));
  assert_false(ba_request_header(request, "X:", "a", 1, &err));
  assert_false(ba_request_header(request, "", "a", 1, &err));
  assert_true(ba_request_header(request, "X", "", 0, &err));
  assert_true(ba_request_body(request, "a", 1, &err));
  assert_false(ba_request_body_file(request, "/x", &err));
  assert_true(ba_request_to_stream(request, &err));
  assert_false(ba_request_to_file(request, "/x", &err));
  ba_request_delete(request);
}

static void requests_share_what_they_have_in_common(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_request *base = ba_request_new("POST", NULL, &err);
  assert_non_null(base);
  assert_true(ba_request_header(base, "Content-Type", "application/json", 16, &err));
  struct ba_request_options options;
  ba_request_options_init(&options);
  const char *codes[] = {"insufficient_quota", NULL};
  options.final_codes = codes;
  options.repeat = BA_REPEAT_NEVER_SENT;
  assert_true(ba_request_set_options(base, &options, &err));
  assert_null(ba_request_like(base, "http://h/a b", NULL, 0, &err));
  assert_int_equal(err.kind, BA_INVALID);
  char body[] = "{}";
  struct ba_request *first = ba_request_like(base, "http://h/1", body, 2, &err);
  struct ba_request *second = ba_request_like(base, "http://h/2", NULL, 0, &err);
  assert_non_null(first);
  assert_non_null(second);
  body[0] = 'x'; /* it was copied */
  ba_request_delete(base);
  assert_string_equal(first->method, "POST");
  assert_string_equal(first->url, "http://h/1");
  assert_memory_equal(first->source.bytes, "{}", 2);
  assert_int_equal(first->body, BA_BODY_MEMORY);
  assert_true(first->has_type);
  assert_int_equal(first->options.repeat, BA_REPEAT_NEVER_SENT);
  ba_request_delete(first);
  assert_int_equal(second->body, BA_BODY_NONE);
  assert_string_equal(second->headers->data, "Content-Type: application/json");
  assert_string_equal(second->final_codes[0], "insufficient_quota");
  ba_request_delete(second);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_three_date_forms_are_read),
      cmocka_unit_test(two_digit_years_are_near),
      cmocka_unit_test(other_dates_are_refused),
      cmocka_unit_test(retry_after_is_read),
      cmocka_unit_test(backoff_doubles_up_to_a_bound),
      cmocka_unit_test(classes_differ_in_what_they_repeat),
      cmocka_unit_test(a_head_is_read_line_by_line),
      cmocka_unit_test(a_head_has_a_cap),
      cmocka_unit_test(validators_are_strong_or_none),
      cmocka_unit_test(content_ranges_are_read),
      cmocka_unit_test(urls_lose_their_secrets),
      cmocka_unit_test(origins_are_compared),
      cmocka_unit_test(timers_fire_in_order),
      cmocka_unit_test(requests_refuse_what_would_break_http),
      cmocka_unit_test(requests_share_what_they_have_in_common),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
