/* A server that thinks is silent and not stalled: between the last byte sent
 * and the answer's first one only the call's own deadline counts. */
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

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct ba_mailbox *mailbox;
static struct ba_client *client;
static char path[] = "/tmp/ba-silence-XXXXXX";

#define BODY "{\"a\":1}"

enum { NONE, MEMORY, FILE_BODY, PARTS, PRODUCED, BODIES };

static void thinks(struct exchange *exchange)
{
  struct timespec thought = {.tv_nsec = 450000000};
  nanosleep(&thought, NULL);
  reply(exchange, 200, "", "good");
}

static void never_answers(struct exchange *exchange)
{
  wait_for_hangup(exchange);
  exchange->close = true;
}

static void add_body(struct ba_request *request, int body)
{
  bool ok = true;
  if(body == MEMORY)
    ok = ba_request_body(request, BODY, sizeof(BODY) - 1, NULL);
  else if(body == FILE_BODY)
    ok = ba_request_body_file(request, path, NULL);
  else if(body == PARTS)
    ok = ba_request_part(request, "purpose", "batch", 5, NULL, NULL, NULL) &&
         ba_request_part_file(request, "file", path, NULL, NULL, NULL);
  else if(body == PRODUCED)
    ok = ba_request_body_stream(request, sizeof(BODY) - 1, true, NULL);
  assert_true(ok);
}

static struct ba_request *make(const char *url, int body, double timeout, double silent)
{
  struct ba_request_options options;
  struct ba_request *request =
      make_request(body == NONE ? "GET" : "POST", url, 0, BA_REPEAT_NEVER_SENT);
  ba_request_options_init(&options);
  options.stall_timeout = 0.2;
  options.silent_timeout = silent;
  options.timeout = timeout;
  options.max_retries = 0;
  assert_true(ba_request_set_options(request, &options, NULL));
  add_body(request, body);
  return request;
}

static struct ba_call *run(struct ba_request *request, int body, struct ba_outcome *out)
{
  if(body != PRODUCED)
    return run_request(client, mailbox, request, out);
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  assert_non_null(call);
  while(!(ba_call_news(call) & BA_CALL_WRITABLE)) {
    uint64_t ids[8];
    assert_true(ba_mailbox_wait(mailbox, 10));
    ba_mailbox_drain(mailbox, ids, 8);
  }
  assert_int_equal(ba_call_write(call, BODY, sizeof(BODY) - 1), sizeof(BODY) - 1);
  ba_call_write_end(call);
  assert_true(finish(mailbox, call, out));
  return call;
}

static void a_server_that_thinks_is_waited_for(void **state)
{
  (void)state;
  struct server *server = server_start(thinks, NULL);
  for(int body = NONE; body < BODIES; body++) {
    for(int bound = 0; bound < 2; bound++) {
      struct ba_outcome out;
      struct ba_request *request = make(server_url(server, "/"), body, bound ? 20 : -1, 20);
      struct ba_call *call = run(request, body, &out);
      assert_true(out.ok);
      assert_int_equal(out.attempts, 1);
      ba_call_release(call);
    }
  }
  server_stop(server);
}

static void only_the_deadline_ends_it(void **state)
{
  (void)state;
  struct server *server = server_start(never_answers, NULL);
  struct ba_outcome out;
  struct ba_call *call = run(make(server_url(server, "/"), MEMORY, 0.8, 0.3), MEMORY, &out);
  assert_int_equal(out.error->kind, BA_TIMEOUT);
  assert_non_null(strstr(out.error->message, "(timeout)"));
  assert_true(out.maybe_sent && out.elapsed > 0.79);
  ba_call_release(call);
  server_stop(server);
}

static void without_one_the_time_counts_from_the_last_byte(void **state)
{
  (void)state;
  struct server *server = server_start(never_answers, NULL);
  for(int body = NONE; body < BODIES; body++) {
    struct ba_outcome out;
    struct ba_call *call = run(make(server_url(server, "/"), body, -1, 0.4), body, &out);
    assert_int_equal(out.error->kind, BA_TIMEOUT);
    assert_non_null(strstr(out.error->message, "last byte sent"));
    assert_true(out.maybe_sent && out.elapsed > 0.39 && out.elapsed < 5);
    ba_call_release(call);
  }
  server_stop(server);
}

static void a_server_that_reads_no_more_is_stalled(void **state)
{
  (void)state;
  enum { LARGE = 32 << 20 };
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  int deaf = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(deaf, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(deaf, 4), 0);
  assert_int_equal(getsockname(deaf, (struct sockaddr *)&address, &size), 0);
  char url[64];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(address.sin_port));
  struct ba_request *request = make(url, NONE, 20, 20);
  char *bytes = calloc(1, LARGE);
  assert_non_null(bytes);
  assert_true(ba_request_body(request, bytes, LARGE, NULL));
  free(bytes);
  struct ba_outcome out;
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_int_equal(out.error->kind, BA_TIMEOUT);
  assert_non_null(strstr(out.error->message, "stall_timeout"));
  assert_true(out.elapsed < 10);
  ba_call_release(call);
  close(deaf);
}

static int set_up(void **state)
{
  (void)state;
  int file = mkstemp(path);
  assert_true(file >= 0);
  assert_int_equal(write(file, BODY, sizeof(BODY) - 1), sizeof(BODY) - 1);
  close(file);
  mailbox = ba_engine_load(NULL) ? ba_mailbox_new(NULL) : NULL;
  client = plain_client();
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  unlink(path);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server_that_thinks_is_waited_for),
      cmocka_unit_test(only_the_deadline_ends_it),
      cmocka_unit_test(without_one_the_time_counts_from_the_last_byte),
      cmocka_unit_test(a_server_that_reads_no_more_is_stalled),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
