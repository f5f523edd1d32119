/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "support/run.h"
#include "support/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct ba_mailbox *mailbox;
static struct ba_client *client;

static int set_up(void **state)
{
  (void)state;
  struct ba_error err = {0};
  if(!ba_engine_load(&err))
    fail_msg("%s", err.message);
  mailbox = ba_mailbox_new(&err);
  client = plain_client();
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  return 0;
}

static void echoes(struct exchange *exchange)
{
  char text[2048];
  snprintf(text, sizeof(text), "%s %s %zu %.100s", exchange->method, exchange->path,
           exchange->body_length, exchange->body);
  reply(exchange, 200, "X-Echo: Yes\r\nETag: \"1\"\r\n", text);
}

static void a_get_comes_back(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/a"), 0, BA_REPEAT_SAFE), &out);
  assert_true(out.ok);
  assert_int_equal(out.status, 200);
  assert_string_equal(out.body, "GET /a 0 ");
  assert_string_equal(out.http_version, "1.1");
  assert_int_equal(out.attempts, 1);
  assert_true(out.maybe_sent);
  assert_int_equal(out.header_count, 3);
  assert_string_equal(out.headers[1].name, "x-echo");
  assert_string_equal(out.headers[1].value, "Yes");
  ba_call_release(call);
  server_stop(server);
}

static void a_body_goes_and_the_connection_is_kept(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  for(int i = 0; i < 3; i++) {
    struct ba_outcome out;
    struct ba_request *request = make_request("POST", server_url(server, "/p"), 0, BA_REPEAT_SAFE);
    assert_true(ba_request_body(request, "hello", 5, NULL));
    struct ba_call *call = run_request(client, mailbox, request, &out);
    assert_string_equal(out.body, "POST /p 5 hello");
    assert_int_equal(out.reused, i > 0);
    ba_call_release(call);
  }
  assert_int_equal(server_connections(server), 1);
  server_stop(server);
}

/* Handles keep the URL that they had last, parsed. */
static void each_call_goes_to_its_own_url(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL), *other = server_start(echoes, NULL);
  const struct {
    struct server *server;
    const char *path, *answer; /* NULL: it is no URL */
  } cases[] = {
      {server, "/a", "GET /a 0 "},       {server, "/a", "GET /a 0 "},
      {server, "/b?x=1", "GET /b?x=1 "}, {other, "/b?x=1", "GET /b?x=1 "},
      {server, ":port", NULL},           {other, "/b?x=1", "GET /b?x=1 "},
      {server, "/a", "GET /a 0 "},       {server, "/c/../d", "GET /d 0 "},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_outcome out;
    unsigned before = server_requests(cases[i].server);
    const char *url = server_url(cases[i].server, cases[i].path);
    struct ba_call *call =
        run_request(client, mailbox, make_request("GET", url, 0, BA_REPEAT_SAFE), &out);
    if(cases[i].answer)
      assert_memory_equal(out.body, cases[i].answer, strlen(cases[i].answer));
    else
      assert_int_equal(out.error->kind, BA_INVALID);
    assert_int_equal(server_requests(cases[i].server) - before, cases[i].answer != NULL);
    ba_call_release(call);
  }
  assert_int_equal(server_connections(server), 1);
  server_stop(other);
  server_stop(server);
}

static void fails_first(struct exchange *exchange)
{
  if(exchange->total < 3)
    reply(exchange, 503, "Retry-After: 0\r\n", "later");
  else
    reply(exchange, 200, "", "now");
}

static void a_503_is_repeated(void **state)
{
  (void)state;
  struct server *server = server_start(fails_first, NULL);
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/"), 2, BA_REPEAT_SAFE), &out);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 3);
  assert_string_equal(out.body, "now");
  ba_call_release(call);
  server_stop(server);
}

static void hangs(struct exchange *exchange)
{
  wait_for_hangup(exchange);
}

static void a_cancelled_call_ends_at_once(void **state)
{
  (void)state;
  struct server *server = server_start(hangs, NULL);
  struct ba_outcome out;
  struct ba_call *call = ba_call_start(
      client, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), NULL);
  assert_true(server_waits_for(server, 1));
  ba_call_cancel(call);
  assert_true(finish(mailbox, call, &out));
  assert_false(out.ok);
  assert_int_equal(out.error->kind, BA_CANCELLED);
  assert_true(out.maybe_sent);
  ba_call_release(call);
  server_stop(server);
}

static void the_deadline_ends_a_call(void **state)
{
  (void)state;
  struct server *server = server_start(hangs, NULL);
  struct ba_outcome out;
  struct ba_request *request = make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE);
  struct ba_request_options options;
  ba_request_options_init(&options);
  options.timeout = 0.2;
  assert_true(ba_request_set_options(request, &options, NULL));
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_int_equal(out.error->kind, BA_TIMEOUT);
  assert_true(out.elapsed >= 0.2 && out.elapsed < 2);
  ba_call_release(call);
  server_stop(server);
}

static void a_released_call_is_forgotten(void **state)
{
  (void)state;
  struct server *server = server_start(hangs, NULL);
  struct ba_call *call = ba_call_start(
      client, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), NULL);
  assert_true(server_waits_for(server, 1));
  ba_call_release(call);
  server_stop(server);
}

static void nobody_listens(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  char url[256];
  snprintf(url, sizeof(url), "%s", server_url(server, "/"));
  server_stop(server);
  struct ba_outcome out;
  struct ba_call *call =
      run_request(client, mailbox, make_request("POST", url, 1, BA_REPEAT_NEVER_SENT), &out);
  assert_int_equal(out.error->kind, BA_CONNECT);
  assert_false(out.maybe_sent);
  assert_int_equal(out.attempts, 2); /* nothing was sent: even this class repeats */
  ba_call_release(call);
}

static void a_closed_client_ends_its_calls(void **state)
{
  (void)state;
  struct server *server = server_start(hangs, NULL);
  struct ba_client *other = plain_client();
  struct ba_error err = {0};
  struct ba_outcome out;
  struct ba_call *call = ba_call_start(
      other, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), NULL);
  assert_true(server_waits_for(server, 1));
  ba_client_close(other);
  assert_true(finish(mailbox, call, &out));
  assert_int_equal(out.error->kind, BA_CLOSED);
  ba_call_release(call);
  assert_null(ba_call_start(other, mailbox,
                            make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), &err));
  assert_int_equal(err.kind, BA_CLOSED);
  ba_client_release(other);
  server_stop(server);
}

static void folds_and_trails(struct exchange *exchange)
{
  send_text(exchange, "HTTP/1.1 200 OK\r\nX-Folded: one\r\n \t two\r\n\tthree\r\nX-Plain: p\r\n"
                      "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                      "4\r\nbody\r\n0\r\nX-Sum: a\r\nX-More: b\r\n\r\n");
}

static const char *value_of(const struct ba_header_view *views, size_t count, const char *name)
{
  for(size_t i = 0; i < count; i++) {
    if(strcmp(views[i].name, name) == 0)
      return views[i].value;
  }
  return NULL;
}

static void folded_lines_and_trailers_are_kept(void **state)
{
  (void)state;
  struct server *server = server_start(folds_and_trails, NULL);
  for(int round = 0; round < 2; round++) { /* the second finds the first one's memory */
    struct ba_outcome out;
    struct ba_call *call = run_request(
        client, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), &out);
    assert_true(out.ok);
    assert_string_equal(out.body, "body");
    assert_string_equal(value_of(out.headers, out.header_count, "x-folded"), "one two three");
    assert_string_equal(value_of(out.headers, out.header_count, "x-plain"), "p");
    assert_null(value_of(out.headers, out.header_count, "x-sum"));
    assert_int_equal(out.trailer_count, 2);
    assert_string_equal(value_of(out.trailers, out.trailer_count, "x-sum"), "a");
    assert_string_equal(value_of(out.trailers, out.trailer_count, "x-more"), "b");
    ba_call_release(call);
  }
  server_stop(server);
}

/* A process that has no descriptor left is told so, and not that the server
 * cannot be reached or its name not be found. */
static void out_of_descriptors_is_said_as_what_it_is(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), &out);
  ba_call_release(call); /* the thread runs */
  char urls[2][64];
  int port = server_port(server);
  snprintf(urls[0], sizeof(urls[0]), "http://127.0.0.2:%d/", port);
  snprintf(urls[1], sizeof(urls[1]), "http://some-host.test:%d/", port);
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  int lowest = dup(0);
  close(lowest);
  none = before;
  none.rlim_cur = (rlim_t)lowest;
  for(int i = 0; i < 2; i++) {
    struct ba_request *request = make_request("GET", urls[i], 0, BA_REPEAT_SAFE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int plugs[16], plugged = 0; /* what another thread has closed meanwhile */
    while(plugged < 16 && (plugs[plugged] = dup(0)) >= 0)
      plugged++;
    call = run_request(client, mailbox, request, &out);
    while(plugged > 0)
      close(plugs[--plugged]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if(out.error->kind != BA_IO || strcmp(out.error->code, "EMFILE") != 0)
      fail_msg("%s: %s: %s", urls[i], ba_kind_name(out.error->kind), out.error->message);
    assert_true(out.retryable);
    assert_false(out.maybe_sent);
    ba_call_release(call);
  }
  server_stop(server);
}

static void refuses_to_connect(struct exchange *exchange)
{
  reply(exchange, strstr(exchange->path, "secret.test") ? 407 : 503, "", "");
}

static void a_proxys_refusal_is_told_as_such(void **state)
{
  (void)state;
  static const struct {
    const char *url, *code, *message;
  } cases[] = {{"https://secret.test/", "proxy_auth", "the proxy answered CONNECT with 407"},
               {"https://other.test/", "proxy", "the proxy answered CONNECT with 503"}};
  struct server *server = server_start(refuses_to_connect, NULL);
  struct ba_client_settings settings = {.proxy = server_url(server, "")};
  struct ba_client *behind = ba_client_new(&settings, NULL);
  for(int i = 0; i < 3; i++) {
    struct ba_outcome out;
    struct ba_client_settings nowhere = {.proxy = "http://no-proxy.invalid:1"};
    struct ba_client *used = i < 2 ? behind : ba_client_new(&nowhere, NULL);
    struct ba_call *call =
        run_request(used, mailbox, make_request("GET", cases[i % 2].url, 0, BA_REPEAT_SAFE), &out);
    assert_int_equal(out.error->kind, BA_CONNECT);
    assert_string_equal(out.error->code, i < 2 ? cases[i].code : "proxy");
    if(i < 2 && !strstr(out.error->message, cases[i].message))
      fail_msg("%s", out.error->message);
    assert_false(out.maybe_sent);
    ba_call_release(call);
    if(used != behind)
      ba_client_release(used);
  }
  ba_client_release(behind);
  server_stop(server);
}

static void what_frames_a_request_is_not_the_callers(void **state)
{
  (void)state;
  static const char *const names[] = {"Content-Length", "host", "TRANSFER-ENCODING", "Connection"};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    struct ba_error err = {0};
    struct ba_request *request = make_request("GET", "http://localhost/", 0, BA_REPEAT_SAFE);
    assert_false(ba_request_header(request, names[i], "1", 1, &err));
    assert_int_equal(err.kind, BA_INVALID);
    ba_request_delete(request);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_get_comes_back),
      cmocka_unit_test(a_body_goes_and_the_connection_is_kept),
      cmocka_unit_test(each_call_goes_to_its_own_url),
      cmocka_unit_test(a_503_is_repeated),
      cmocka_unit_test(a_cancelled_call_ends_at_once),
      cmocka_unit_test(the_deadline_ends_a_call),
      cmocka_unit_test(a_released_call_is_forgotten),
      cmocka_unit_test(nobody_listens),
      cmocka_unit_test(a_closed_client_ends_its_calls),
      cmocka_unit_test(folded_lines_and_trailers_are_kept),
      cmocka_unit_test(out_of_descriptors_is_said_as_what_it_is),
      cmocka_unit_test(a_proxys_refusal_is_told_as_such),
      cmocka_unit_test(what_frames_a_request_is_not_the_callers),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
