/* Libcurls that lack something. What curl_version_info() says is put in its place
 * (CMakeLists.txt wraps it); the library below stays what it is. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/libcurl.h"
#include "batchapi/version.h"
#include "http/unpack.h"
#include "support/run.h"
#include "support/tls_server.h"

#include <curl/curl.h>
#include <string.h>

curl_version_info_data *__real_curl_version_info(CURLversion age);
curl_version_info_data *__wrap_curl_version_info(CURLversion age);

static struct tls_server *server;
static unsigned pretended; /* version number; 0: the true one */
static const char *pretended_text;
static int lacking; /* bits */

curl_version_info_data *__wrap_curl_version_info(CURLversion age)
{
  static curl_version_info_data info;
  info = *__real_curl_version_info(age);
  info.features &= ~lacking;
  if(pretended) {
    info.version_num = pretended;
    info.version = pretended_text;
  }
  return &info;
}

static void pretend(unsigned version, const char *text, int without)
{
  pretended = version;
  pretended_text = text;
  lacking = without;
  ba_curl_look();
}

static void an_old_libcurl_is_refused_by_name(void **state)
{
  (void)state;
  struct ba_error err = {0};
  pretend(CURL_VERSION_BITS(7, 79, 1), "7.79.1", 0);
  assert_false(ba_curl_check(&err));
  assert_int_equal(err.kind, BA_INVALID);
  assert_string_equal(err.message,
                      "batchapi needs libcurl 7.80.0, and this is 7.79.1 (CURLOPT_PREREQFUNCTION)");
  pretend(CURL_VERSION_BITS(7, 80, 0), "7.80.0", CURL_VERSION_SSL);
  assert_false(ba_curl_check(&err));
  assert_string_equal(err.message, "batchapi: this libcurl (7.80.0) was built without TLS");
  pretend(0, NULL, 0);
  assert_true(ba_curl_check(&err));
}

/* What each option of a client needs; each is refused at the client. */
static void what_is_missing_is_said_at_the_client(void **state)
{
  (void)state;
  static const struct {
    int bit;
    struct ba_client_settings settings;
    const char *message;
  } cases[] = {
      {CURL_VERSION_HTTP2,
       {.http_version = "2"},
       "http_version \"2\": this libcurl (8.5.0) was "
       "built without HTTP/2"},
      {CURL_VERSION_UNIX_SOCKETS,
       {.unix_socket = "/tmp/s"},
       "unix_socket: this libcurl (8.5.0) "
       "was built without unix sockets"},
      {CURL_VERSION_HTTPS_PROXY,
       {.proxy = "HTTPS://127.0.0.1:1"},
       "proxy: this libcurl (8.5.0) "
       "was built without proxies "
       "over TLS"},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_error err = {0};
    pretend(CURL_VERSION_BITS(8, 5, 0), "8.5.0", cases[i].bit);
    assert_null(ba_client_new(&cases[i].settings, &err));
    assert_int_equal(err.kind, BA_INVALID);
    assert_string_equal(err.code, "libcurl");
    assert_string_equal(err.message, cases[i].message);
    pretend(CURL_VERSION_BITS(8, 5, 0), "8.5.0", 0);
    struct ba_client *client = ba_client_new(&cases[i].settings, &err);
    assert_non_null(client);
    ba_client_release(client);
  }
}

static void an_encoding_that_nobody_can_unpack_is_not_asked_for(void **state)
{
  (void)state;
  static const struct {
    int bit;
    const char *asked, *message; /* NULL: it is taken */
  } cases[] = {
      {CURL_VERSION_BROTLI, "br",
       "Accept-Encoding: br: this libcurl (8.5.0) was built without brotli"},
      {CURL_VERSION_BROTLI, "gzip;q=1, BR;q=0.5",
       "Accept-Encoding: br: this libcurl (8.5.0) was "
       "built without brotli"},
      {CURL_VERSION_ZSTD, "gzip,zstd",
       "Accept-Encoding: zstd: this libcurl (8.5.0) was built "
       "without zstd"},
      {CURL_VERSION_BROTLI, "zstd, bread", NULL},
      {CURL_VERSION_ZSTD, "br", NULL},
      {CURL_VERSION_ZSTD | CURL_VERSION_BROTLI, "gzip, deflate", NULL},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_error err = {0};
    struct ba_request *request = make_request("GET", "http://127.0.0.1/", 0, BA_REPEAT_SAFE);
    pretend(CURL_VERSION_BITS(8, 5, 0), "8.5.0", cases[i].bit);
    bool taken =
        ba_request_header(request, "accept-encoding", cases[i].asked, strlen(cases[i].asked), &err);
    assert_int_equal(taken, cases[i].message == NULL);
    if(!taken)
      assert_string_equal(err.message, cases[i].message);
    ba_request_delete(request);
  }
  pretend(0, NULL, 0);
}

/* The protocol of a call over TLS to a server that has both. */
static void check_protocol(const char *expected)
{
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client_settings settings = {.ca_file = tls_file(server, "ca.pem"), .proxy = ""};
  struct ba_client *client = ba_client_new(&settings, NULL);
  struct ba_outcome out;
  struct ba_request *request =
      make_request("GET", tls_url(server, TLS_H2, "/close"), 0, BA_REPEAT_SAFE);
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_true(out.ok);
  assert_memory_equal(out.body, expected, strlen(expected));
  ba_call_release(call);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
}

/* A client that does not name a version gets the best there is. */
static void without_http2_calls_go_by_http_1_1(void **state)
{
  (void)state;
  pretend(0, NULL, CURL_VERSION_HTTP2);
  check_protocol("HTTP/1.1 ");
  pretend(0, NULL, 0);
  check_protocol("HTTP/2.0 ");
}

static void both_versions_are_told(void **state)
{
  (void)state;
  pretend(CURL_VERSION_BITS(9, 1, 0), "9.1.0", 0);
  struct ba_two_versions versions = ba_curl_versions();
  assert_string_equal(versions.built, LIBCURL_VERSION);
  assert_string_equal(versions.running, "9.1.0");
  pretend(0, NULL, 0);
}

static void encodings_are_read_by_element(void **state)
{
  (void)state;
  assert_true(ba_accepts("br", "br"));
  assert_true(ba_accepts("gzip , Br;q=0.1", "br"));
  assert_true(ba_accepts(",,\tzstd", "zstd"));
  assert_false(ba_accepts("", "br"));
  assert_false(ba_accepts("brotli, xbr, b r", "br"));
  assert_false(ba_accepts("b", "br"));
}

static int start(void **state)
{
  (void)state;
  server = tls_start();
  return ba_engine_load(NULL) ? 0 : -1;
}

static int stop(void **state)
{
  (void)state;
  tls_stop(server);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_old_libcurl_is_refused_by_name),
      cmocka_unit_test(what_is_missing_is_said_at_the_client),
      cmocka_unit_test(an_encoding_that_nobody_can_unpack_is_not_asked_for),
      cmocka_unit_test(without_http2_calls_go_by_http_1_1),
      cmocka_unit_test(both_versions_are_told),
      cmocka_unit_test(encodings_are_read_by_element),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
