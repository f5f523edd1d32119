/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "auth/secret.h"
#include "batchapi/base64.h"
#include "batchapi/credential.h"
#include "http/origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ba_credential *bearer(const char *token)
{
  struct ba_error err = {0};
  struct ba_credential *credential = ba_credential_bearer(token, strlen(token), &err);
  if(!credential)
    fail_msg("%s", err.message);
  return credential;
}

static void expect_line(struct ba_credential *credential, const char *expected)
{
  struct ba_buffer line;
  uint64_t generation = 7;
  ba_buffer_init_secret(&line, 4096);
  assert_true(ba_credential_line(credential, &line, &generation, NULL));
  assert_string_equal(line.bytes ? line.bytes : "", expected);
  ba_buffer_free(&line);
}

/* ---- header lines -------------------------------------------------------- */

static void each_kind_gives_its_line(void **state)
{
  (void)state;
  struct ba_credential *none = ba_credential_none(NULL);
  struct ba_credential *token = bearer("sk-1");
  struct ba_credential *basic = ba_credential_basic("Aladdin", 7, "open sesame", 11, NULL);
  struct ba_credential *header = ba_credential_header("X-Api-Key", "k:1", 3, NULL);
  expect_line(none, "");
  expect_line(token, "Authorization: Bearer sk-1");
  expect_line(basic, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617, 2 */
  expect_line(header, "X-Api-Key: k:1");
  assert_string_equal(ba_credential_kind(basic), "basic");
  assert_int_equal(ba_credential_state(token, 1e9), BA_CREDENTIAL_READY);
  assert_false(ba_credential_reject(token, 0));
  ba_credential_release(none);
  ba_credential_release(token);
  ba_credential_release(basic);
  ba_credential_release(header);
}

static void refused(struct ba_credential *credential, const struct ba_error *err, const char *words)
{
  assert_null(credential);
  assert_int_equal(err->kind, BA_INVALID);
  if(!strstr(err->message, words))
    fail_msg("expected '%s' in '%s'", words, err->message);
  assert_null(strstr(err->message, "secret"));
}

static void nothing_can_be_injected(void **state)
{
  (void)state;
  struct ba_error err = {0};
  refused(ba_credential_bearer("secret\r\nX: y", 12, &err), &err, "carriage return");
  refused(ba_credential_bearer("secret\n", 7, &err), &err, "line feed");
  refused(ba_credential_bearer("secret\0x", 8, &err), &err, "NUL");
  refused(ba_credential_bearer("secret\x1b", 7, &err), &err, "control character");
  refused(ba_credential_bearer("", 0, &err), &err, "empty");
  refused(ba_credential_basic("us\ner", 5, "secret", 6, &err), &err, "user name");
  refused(ba_credential_basic("us:er", 5, "secret", 6, &err), &err, "colon");
  refused(ba_credential_basic("user", 4, "sec\nret", 7, &err), &err, "line feed");
  refused(ba_credential_header("X-Key\r\nY", "secret", 6, &err), &err, "name contains");
  refused(ba_credential_header("X Key", "secret", 6, &err), &err, "name contains");
  refused(ba_credential_header("", "secret", 6, &err), &err, "name is empty");
  refused(ba_credential_header("content-length", "secret", 6, &err), &err, "Content-Length");
  refused(ba_credential_header("X-Key", "secret\rx", 8, &err), &err, "carriage return");
}

/* ---- origins ------------------------------------------------------------- */

static void origins_have_one_spelling(void **state)
{
  (void)state;
  static const char *const good[][2] = {
      {"https://api.example.com", "https://api.example.com:443"},
      {"HTTPS://API.Example.COM/v1?x#y", "https://api.example.com:443"},
      {"https://api.example.com:8443/v1", "https://api.example.com:8443"},
      {"http://127.0.0.1:80", "http://127.0.0.1:80"},
      {"http://[::1]/", "http://[::1]:80"},
      {"https://a_b.example.com:0443?q", "https://a_b.example.com:443"},
  };
  struct ba_origin origin;
  for(size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_true(ba_origin_parse(good[i][0], &origin, NULL));
    assert_string_equal(origin.text, good[i][1]);
  }
}

static void what_two_readers_could_read_differently_is_no_origin(void **state)
{
  (void)state;
  static const char *const bad[] = {
      "",
      "api.example.com",
      "ftp://api.example.com",
      "https:/api.example.com",
      "https://",
      "https:///v1",
      "https://user@api.example.com",
      "https://api.example.com@evil.example",
      "https://api.example.com\\@evil.example",
      "https://api.example.com%2eevil.example",
      "https://api.example.com:",
      "https://api.example.com:0",
      "https://api.example.com:65536",
      "https://api.example.com:99999999999",
      "https://api.example.com:80x",
      "https://api.example.com /",
      "https://api.example.com/a b",
      "https://api.example.com/a\r\nX: y",
      "https://[::1",
      "https://[]",
      "https://[::1]x",
      "https://\xC3\xA9xample.com",
  };
  struct ba_origin origin;
  for(size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    if(ba_origin_parse(bad[i], &origin, NULL))
      fail_msg("accepted: %s", bad[i]);
  }
}

static void loopback_is_recognised_narrowly(void **state)
{
  (void)state;
  struct ba_origin origin;
  static const char *const near[] = {"http://localhost", "http://127.0.0.1", "http://127.9.8.7:1",
                                     "http://[::1]:80"};
  static const char *const far[] = {"http://localhost.example.com",
                                    "http://127.0.0.1.example.com",
                                    "http://127.0.0.256",
                                    "http://127.1",
                                    "http://0.0.0.0",
                                    "http://[::2]",
                                    "http://126.0.0.1"};
  for(size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++)
    assert_true(ba_origin_parse(near[i], &origin, NULL) && origin.loopback);
  for(size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
    assert_true(ba_origin_parse(far[i], &origin, NULL) && !origin.loopback);
}

static void a_credential_goes_to_its_origin_only(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *token = bearer("sk-1");
  assert_false(ba_credential_allows(token, "https://api.example.com/v1")); /* not bound yet */
  assert_true(ba_credential_bind(token, "https://api.example.com/v1", false, &err));
  assert_true(ba_credential_bind(token, "https://api.example.com:443/v2", false, &err));
  assert_true(ba_credential_allows(token, "https://API.example.com/else"));
  assert_false(ba_credential_allows(token, "http://api.example.com/v1"));
  assert_false(ba_credential_allows(token, "https://api.example.com:444/v1"));
  assert_false(ba_credential_allows(token, "https://example.com/v1"));
  assert_false(ba_credential_allows(token, "https://api.example.com.evil.example/"));
  assert_false(ba_credential_allows(token, "https://api.example.com@evil.example/"));
  assert_false(ba_credential_bind(token, "https://other.example.com", false, &err));
  assert_int_equal(err.kind, BA_INVALID);
  assert_string_equal(err.code, "origin");
  assert_true(ba_credential_allows(token, "https://api.example.com/"));
  ba_credential_release(token);
}

static void plain_http_is_for_loopback(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *token = bearer("sk-1");
  assert_false(ba_credential_bind(token, "http://api.example.com", false, &err));
  assert_string_equal(err.code, "insecure");
  assert_true(ba_credential_bind(token, "http://api.example.com", true, &err));
  struct ba_credential *local = bearer("sk-1");
  assert_true(ba_credential_bind(local, "http://127.0.0.1:8080", false, &err));
  struct ba_credential *none = ba_credential_none(NULL);
  assert_true(ba_credential_bind(none, "http://api.example.com", false, &err));
  assert_true(ba_credential_allows(none, "http://anywhere.example"));
  ba_credential_release(token);
  ba_credential_release(local);
  ba_credential_release(none);
}

/* ---- files --------------------------------------------------------------- */

static struct ba_credential *from_file(const char *text, size_t length, mode_t mode,
                                       struct ba_error *err)
{
  char path[] = "/tmp/batchapi-key-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, length), length);
  fchmod(fd, mode);
  close(fd);
  struct ba_credential *credential = ba_credential_bearer_file(path, err);
  unlink(path);
  return credential;
}

static void a_key_file_loses_one_line_end(void **state)
{
  (void)state;
  struct ba_error err = {0};
  static const char *const texts[] = {"sk-1", "sk-1\n", "sk-1\r\n"};
  for(size_t i = 0; i < 3; i++) {
    struct ba_credential *credential = from_file(texts[i], strlen(texts[i]), 0600, &err);
    assert_non_null(credential);
    expect_line(credential, "Authorization: Bearer sk-1");
    assert_null(ba_credential_warning(credential, 0));
    ba_credential_release(credential);
  }
  refused(from_file("sk-1\n\n", 6, 0600, &err), &err, "line feed");
  refused(from_file("\n", 1, 0600, &err), &err, "is empty");
}

static void a_key_file_that_others_may_read_is_told(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *credential = from_file("sk-1", 4, 0640, &err);
  assert_non_null(strstr(ba_credential_warning(credential, 0), "readable by others"));
  assert_null(ba_credential_warning(credential, 1));
  ba_credential_release(credential);
}

static void a_key_file_that_others_may_write_is_refused(void **state)
{
  (void)state;
  static const mode_t modes[] = {0620, 0602, 0666};
  struct ba_error err = {0};
  for(size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
    refused(from_file("sk-1", 4, modes[i], &err), &err, "written by others");
}

static void a_key_file_may_be_a_link(void **state)
{
  (void)state;
  char path[] = "/tmp/batchapi-key-XXXXXX", link[64];
  struct ba_error err = {0};
  int fd = mkstemp(path);
  assert_int_equal(write(fd, "sk-linked", 9), 9);
  close(fd);
  snprintf(link, sizeof(link), "%s.link", path);
  assert_int_equal(symlink(path, link), 0);
  struct ba_credential *credential = ba_credential_bearer_file(link, &err);
  assert_non_null(credential);
  ba_credential_release(credential);
  unlink(link);
  unlink(path);
}

static void a_key_file_that_cannot_be_read_says_why(void **state)
{
  (void)state;
  struct ba_error err = {0};
  assert_null(ba_credential_bearer_file("/nonexistent/key", &err));
  assert_int_equal(err.kind, BA_IO);
  assert_string_equal(err.code, "ENOENT");
  assert_non_null(strstr(err.message, "api_key_file /nonexistent/key"));
  assert_null(ba_credential_bearer_file("/", &err));
  assert_string_equal(err.code, "EISDIR");
  char *big = malloc(BA_SECRET_MAX + 1);
  assert_non_null(big);
  memset(big, 'x', BA_SECRET_MAX + 1);
  assert_null(from_file(big, BA_SECRET_MAX + 1, 0600, &err));
  assert_int_equal(err.kind, BA_TOO_LARGE);
  free(big);
}

/* ---- a token function ---------------------------------------------------- */

static void a_functions_token_lives_its_time(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *credential = ba_credential_function(NULL);
  assert_int_equal(ba_credential_state(credential, 0), BA_CREDENTIAL_ASK);
  assert_true(ba_credential_put(credential, "tok-1", 5, 100, 1000, &err));
  expect_line(credential, "Authorization: Bearer tok-1");
  assert_int_equal(ba_credential_state(credential, 1069), BA_CREDENTIAL_READY);
  assert_int_equal(ba_credential_state(credential, 1071), BA_CREDENTIAL_ASK); /* 30 s before */
  assert_true(ba_credential_put(credential, "tok-2", 5, 10, 2000, &err));
  assert_int_equal(ba_credential_state(credential, 2004), BA_CREDENTIAL_READY);
  assert_int_equal(ba_credential_state(credential, 2006), BA_CREDENTIAL_ASK); /* half of 10 s */
  assert_true(ba_credential_put(credential, "tok-3", 5, 0, 3000, &err));
  assert_int_equal(ba_credential_state(credential, 1e12), BA_CREDENTIAL_READY);
  assert_false(ba_credential_put(credential, "tok\n4", 5, 0, 3000, &err));
  assert_int_equal(err.kind, BA_INVALID);
  ba_credential_release(credential);
}

static void many_rejections_of_one_token_renew_it_once(void **state)
{
  (void)state;
  struct ba_credential *credential = ba_credential_function(NULL);
  struct ba_buffer line;
  uint64_t first = 0, second = 0;
  ba_buffer_init_secret(&line, 1000);
  ba_credential_put(credential, "tok-1", 5, 0, 0, NULL);
  ba_credential_line(credential, &line, &first, NULL);
  assert_true(ba_credential_reject(credential, first));
  assert_true(ba_credential_reject(credential, first));
  assert_int_equal(ba_credential_state(credential, 0), BA_CREDENTIAL_ASK);
  ba_buffer_clear(&line);
  assert_false(ba_credential_line(credential, &line, &second, NULL));
  ba_credential_put(credential, "tok-2", 5, 0, 0, NULL);
  assert_true(ba_credential_reject(credential, first)); /* a late one changes nothing */
  assert_int_equal(ba_credential_state(credential, 0), BA_CREDENTIAL_READY);
  ba_credential_line(credential, &line, &second, NULL);
  assert_int_not_equal(first, second);
  ba_buffer_free(&line);
  ba_credential_release(credential);
}

/* ---- redaction ----------------------------------------------------------- */

static void redacts(struct ba_credential *credential, const char *text, const char *expected)
{
  char *copy = strdup(text);
  assert_non_null(copy);
  ba_credential_redact(credential, copy, strlen(copy));
  assert_string_equal(copy, expected);
  free(copy);
}

static void every_spelling_of_a_secret_is_overwritten(void **state)
{
  (void)state;
  struct ba_credential *token = bearer("se/cr et%20\"1");
  redacts(token, "a se/cr et%20\"1 b", "a ************* b");
  redacts(token, "se/cr et%20\"1se/cr et%20\"1", "**************************");
  redacts(token, "k=se%2Fcr%20et%2520%221&", "k=*********************&");
  redacts(token, "k=se%2fcr+et%2520%221&", "k=*******************&");
  redacts(token, "{\"k\":\"se\\/cr et%20\\\"1\"}", "{\"k\":\"***************\"}");
  redacts(token, "{\"k\":\"\\u0073e\\u002fcr et%20\\\"1\"}",
          "{\"k\":\"************************\"}");
  redacts(token, "cut se/cr et%2", "cut **********");
  redacts(token, "short se/cr", "short se/cr");
  redacts(token, "nothing", "nothing");
  ba_credential_release(token);
  struct ba_credential *tiny = bearer("abc");
  redacts(tiny, "abc abc", "abc abc");
  ba_credential_release(tiny);
}

static void a_password_is_overwritten_in_both_its_forms(void **state)
{
  (void)state;
  struct ba_credential *basic = ba_credential_basic("Aladdin", 7, "open sesame", 11, NULL);
  redacts(basic, "Aladdin says open sesame", "Aladdin says ***********");
  redacts(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic ****************************");
  ba_credential_release(basic);
}

/* ---- base64 -------------------------------------------------------------- */

static void base64_is_strict(void **state)
{
  (void)state;
  static const char *const pairs[][2] = {/* RFC 4648, 10 */
                                         {"", ""},
                                         {"f", "Zg=="},
                                         {"fo", "Zm8="},
                                         {"foo", "Zm9v"},
                                         {"foob", "Zm9vYg=="},
                                         {"fooba", "Zm9vYmE="},
                                         {"foobar", "Zm9vYmFy"}};
  struct ba_buffer out;
  ba_buffer_init(&out, 100);
  for(size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    ba_buffer_clear(&out);
    assert_true(ba_base64_encode(&out, pairs[i][0], strlen(pairs[i][0]), NULL));
    assert_string_equal(out.bytes, pairs[i][1]);
    ba_buffer_clear(&out);
    assert_true(ba_base64_decode(&out, pairs[i][1], strlen(pairs[i][1]), NULL));
    assert_string_equal(out.bytes, pairs[i][0]);
  }
  static const char *const bad[] = {"Zg", "Zg=", "Zh==", "Z===", "Zm9v!A==", "Zg==Zg==", "Zm9-"};
  for(size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_false(ba_base64_decode(&out, bad[i], strlen(bad[i]), NULL));
  assert_false(ba_base64url_decode(&out, "Zg==", 4, NULL));
  assert_false(ba_base64url_decode(&out, "Zm9+", 4, NULL));
  assert_false(ba_base64url_decode(&out, "Zh", 2, NULL));
  ba_buffer_clear(&out);
  assert_true(ba_base64url_decode(&out, "-_8", 3, NULL));
  assert_memory_equal(out.bytes, "\xFB\xFF", 2);
  ba_buffer_free(&out);
}

static void secrets_of_many_clients_are_hidden_the_newest_in_any_case(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *token = bearer("sk-1234");
  char secret[32];
  for(int i = 0; i < 100; i++) {
    assert_true(ba_credential_guard(token, "everybody's", 11, &err));
    snprintf(secret, sizeof(secret), "secret-%03d", i);
    assert_true(ba_credential_guard(token, secret, strlen(secret), &err));
  }
  redacts(token, "secret-084 secret-099 sk-1234", "********** ********** *******");
  redacts(token, "everybody's", "***********");
  ba_credential_release(token);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_kind_gives_its_line),
      cmocka_unit_test(nothing_can_be_injected),
      cmocka_unit_test(origins_have_one_spelling),
      cmocka_unit_test(what_two_readers_could_read_differently_is_no_origin),
      cmocka_unit_test(loopback_is_recognised_narrowly),
      cmocka_unit_test(a_credential_goes_to_its_origin_only),
      cmocka_unit_test(plain_http_is_for_loopback),
      cmocka_unit_test(a_key_file_loses_one_line_end),
      cmocka_unit_test(a_key_file_that_others_may_read_is_told),
      cmocka_unit_test(a_key_file_that_others_may_write_is_refused),
      cmocka_unit_test(a_key_file_may_be_a_link),
      cmocka_unit_test(a_key_file_that_cannot_be_read_says_why),
      cmocka_unit_test(a_functions_token_lives_its_time),
      cmocka_unit_test(many_rejections_of_one_token_renew_it_once),
      cmocka_unit_test(every_spelling_of_a_secret_is_overwritten),
      cmocka_unit_test(a_password_is_overwritten_in_both_its_forms),
      cmocka_unit_test(base64_is_strict),
      cmocka_unit_test(secrets_of_many_clients_are_hidden_the_newest_in_any_case),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
