/* Bodies that are read or fed while the call runs. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/clock.h"
#include "support/run.h"
#include "support/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 16 << 20 };

static struct ba_mailbox *mailbox;
static struct ba_client *client;
static char *content;
static atomic_size_t sent; /* bytes the server got rid of */
static atomic_int broken;

static int begin(void **state)
{
  (void)state;
  sent = 0;
  broken = 0;
  return 0;
}

static void pours(struct exchange *exchange)
{
  char head[128];
  snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"1\"\r\n\r\n",
           SIZE);
  send_text(exchange, head);
  for(size_t at = 0; at < SIZE; at += 65536) {
    if(!send_bytes(exchange, content + at, 65536))
      return;
    atomic_fetch_add(&sent, 65536);
  }
}

static struct ba_call *open_stream(struct server *server, double stall, double timeout)
{
  struct ba_request_options options;
  struct ba_request *request = make_request("GET", server_url(server, "/"), 2, BA_REPEAT_SAFE);
  ba_request_options_init(&options);
  options.stall_timeout = stall;
  options.timeout = timeout;
  assert_true(ba_request_set_options(request, &options, NULL));
  assert_true(ba_request_to_stream(request, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  assert_non_null(call);
  return call;
}

/* Reads all; every byte must be the next one of the content. */
static size_t read_all(struct ba_call *call, struct ba_outcome *out)
{
  size_t at = 0;
  double until = ba_now() + 20;
  for(;;) {
    bool done = ba_call_news(call) & BA_CALL_DONE;
    struct ba_buffer chunk = {0};
    while(ba_call_read(call, &chunk)) {
      if(at + chunk.length > SIZE || memcmp(chunk.bytes, content + at, chunk.length) != 0)
        fail_msg("other bytes after %zu", at);
      at += chunk.length;
      ba_buffer_free(&chunk);
    }
    if(done)
      break;
    uint64_t ids[8];
    ba_mailbox_wait(mailbox, 0.2);
    ba_mailbox_drain(mailbox, ids, 8);
    if(ba_now() > until)
      fail_msg("the stream did not end after %zu bytes", at);
  }
  ba_call_outcome(call, out);
  return at;
}

static void wait_until_quiet(void)
{
  size_t before;
  do {
    before = sent;
    ba_mailbox_wait(mailbox, 0.1);
    uint64_t ids[8];
    ba_mailbox_drain(mailbox, ids, 8);
    struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL);
  } while(sent != before);
}

/* The reader does nothing for longer than the stall timeout: the server is
 * held back by the bounded buffer, and that is not a stall. */
static void a_slow_reader_holds_the_server_back(void **state)
{
  (void)state;
  struct server *server = server_start(pours, NULL);
  struct ba_call *call = open_stream(server, 0.3, 30);
  server_waits_for(server, 1);
  wait_until_quiet();
  assert_true(sent < SIZE); /* the rest waits in the sockets */
  double until = ba_now() + 0.8;
  while(ba_now() < until) {
    struct timespec pause = {.tv_nsec = 50000000};
    nanosleep(&pause, NULL);
  }
  assert_false(ba_call_news(call) & BA_CALL_DONE);
  struct ba_outcome out;
  assert_int_equal(read_all(call, &out), SIZE);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 1);
  ba_call_release(call);
  server_stop(server);
}

static void cut_twice(struct exchange *exchange)
{
  char head[256];
  size_t from = 0;
  sscanf(request_header(exchange, "range"), "bytes=%zu-", &from);
  if(from)
    snprintf(head, sizeof(head),
             "HTTP/1.1 206 Part\r\nContent-Length: %zu\r\nContent-Range: bytes %zu-%d/%d\r\n"
             "ETag: \"1\"\r\n\r\n",
             SIZE - from, from, SIZE - 1, SIZE);
  else
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"1\"\r\n\r\n",
             SIZE);
  send_text(exchange, head);
  size_t until = exchange->total < 3 ? SIZE / 4 * exchange->total : SIZE;
  send_bytes(exchange, content + from, until - from);
  exchange->close = exchange->total < 3;
}

static void a_cut_off_stream_goes_on_and_repeats_nothing(void **state)
{
  (void)state;
  struct server *server = server_start(cut_twice, NULL);
  struct ba_outcome out;
  struct ba_call *call = open_stream(server, 10, 30);
  assert_int_equal(read_all(call, &out), SIZE);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 3);
  ba_call_release(call);
  server_stop(server);
}

static void always_whole(struct exchange *exchange)
{
  char head[256];
  snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"1\"\r\n\r\n",
           SIZE);
  send_text(exchange, head);
  send_bytes(exchange, content, exchange->total < 2 ? SIZE / 2 : SIZE);
  exchange->close = exchange->total < 2;
}

static void what_was_read_is_skipped_where_ranges_are_not_honoured(void **state)
{
  (void)state;
  struct server *server = server_start(always_whole, NULL);
  struct ba_outcome out;
  struct ba_call *call = open_stream(server, 10, 30);
  assert_int_equal(read_all(call, &out), SIZE);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 2);
  ba_call_release(call);
  server_stop(server);
}

static void stops_in_the_middle(struct exchange *exchange)
{
  send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
  wait_for_hangup(exchange);
}

static void silence_is_a_stall(void **state)
{
  (void)state;
  struct server *server = server_start(stops_in_the_middle, NULL);
  struct ba_request_options options;
  struct ba_request *request = make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE);
  ba_request_options_init(&options);
  options.stall_timeout = 0.4;
  options.timeout = -1;
  options.max_retries = 0;
  assert_true(ba_request_set_options(request, &options, NULL));
  struct ba_outcome out;
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_int_equal(out.error->kind, BA_TIMEOUT);
  assert_non_null(strstr(out.error->message, "stall_timeout"));
  assert_true(out.elapsed > 0.39 && out.elapsed < 1);
  ba_call_release(call);
  server_stop(server);
}

/* ---- uploads ---------------------------------------------------------------- */

enum { UPLOAD = 900000 }; /* the test server keeps that much of a body */

static void takes(struct exchange *exchange)
{
  if(!exchange->whole || exchange->body_length != UPLOAD ||
     memcmp(exchange->body, content, UPLOAD) != 0)
    atomic_fetch_add(&broken, 1);
  reply(exchange, 200, "", request_header(exchange, "transfer-encoding"));
}

static struct ba_call *open_upload(struct server *server, int64_t length, bool restartable)
{
  struct ba_request *request = make_request("POST", server_url(server, "/"), 2, BA_REPEAT_SAFE);
  assert_true(ba_request_body_stream(request, length, restartable, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  assert_non_null(call);
  return call;
}

/* Gives `size` bytes in odd pieces, from the start whenever told so. */
static void produce(struct ba_call *call, size_t size, struct ba_outcome *out)
{
  size_t at = 0, piece = 1;
  bool ended = false;
  double until = ba_now() + 20;
  for(;;) {
    unsigned news = ba_call_news(call);
    if(news & BA_CALL_DONE)
      break;
    if(news & BA_CALL_RESTART) {
      at = 0;
      ended = false;
    }
    while(at < size) {
      size_t wanted = piece < size - at ? piece : size - at;
      size_t taken = ba_call_write(call, content + at, wanted);
      at += taken;
      piece = piece * 7 % 50021 + 1;
      if(taken < wanted)
        break;
    }
    if(at == size && !ended) {
      ba_call_write_end(call);
      ended = true;
    }
    uint64_t ids[8];
    ba_mailbox_wait(mailbox, 0.2);
    ba_mailbox_drain(mailbox, ids, 8);
    if(ba_now() > until)
      fail_msg("the upload did not end");
  }
  ba_call_outcome(call, out);
}

static void a_producer_feeds_a_body(void **state)
{
  (void)state;
  struct server *server = server_start(takes, NULL);
  for(int known = 0; known < 2; known++) {
    struct ba_outcome out;
    struct ba_call *call = open_upload(server, known ? UPLOAD : -1, false);
    produce(call, UPLOAD, &out);
    assert_true(out.ok);
    assert_string_equal(out.body, known ? "" : "chunked");
    assert_int_equal(broken, 0);
    ba_call_release(call);
  }
  server_stop(server);
}

static void takes_the_second(struct exchange *exchange)
{
  if(exchange->total == 1)
    reply(exchange, 503, "", "");
  else
    takes(exchange);
}

static void a_restartable_body_begins_again(void **state)
{
  (void)state;
  struct server *server = server_start(takes_the_second, NULL);
  struct ba_outcome out;
  struct ba_call *call = open_upload(server, -1, true);
  produce(call, UPLOAD, &out);
  assert_true(out.ok);
  assert_int_equal(out.attempts, 2);
  assert_int_equal(broken, 0);
  ba_call_release(call);
  server_stop(server);
}

static void a_body_that_cannot_begin_again_is_sent_once(void **state)
{
  (void)state;
  struct server *server = server_start(takes_the_second, NULL);
  struct ba_outcome out;
  struct ba_call *call = open_upload(server, UPLOAD, false);
  produce(call, UPLOAD, &out);
  assert_int_equal(out.status, 503);
  assert_int_equal(out.attempts, 1);
  ba_call_release(call);
  server_stop(server);
}

static void a_wrong_length_is_not_taken_for_whole(void **state)
{
  (void)state;
  struct server *server = server_start(takes, NULL);
  static const size_t sizes[] = {UPLOAD - 1, UPLOAD + 1};
  for(int i = 0; i < 2; i++) {
    struct ba_outcome out;
    struct ba_call *call = open_upload(server, UPLOAD, true);
    produce(call, sizes[i], &out);
    assert_false(out.ok);
    assert_int_equal(out.error->kind, BA_IO);
    ba_call_release(call);
  }
  server_stop(server);
}

static void a_failed_producer_cuts_the_request_off(void **state)
{
  (void)state;
  struct server *server = server_start(takes, NULL);
  struct ba_outcome out;
  struct ba_error why = {0};
  ba_error_set(&why, BA_INVALID, "mine", "the producer gave up");
  struct ba_call *call = open_upload(server, -1, true);
  while(!(ba_call_news(call) & BA_CALL_WRITABLE)) {
    uint64_t ids[8];
    assert_true(ba_mailbox_wait(mailbox, 10));
    ba_mailbox_drain(mailbox, ids, 8);
  }
  assert_int_equal(ba_call_write(call, content, 1000), 1000);
  ba_call_write_fail(call, &why);
  assert_true(finish(mailbox, call, &out));
  assert_string_equal(out.error->message, "the producer gave up");
  assert_int_equal(out.error->kind, BA_INVALID);
  assert_int_equal(out.attempts, 1);
  ba_call_release(call);
  server_stop(server); /* joins: whatever it saw has been judged */
  assert_true(broken <= 1);
}

static int set_up(void **state)
{
  (void)state;
  content = malloc(SIZE);
  for(size_t i = 0; i < SIZE; i++)
    content[i] = (char)(i * 31 + i / 251);
  mailbox = ba_engine_load(NULL) ? ba_mailbox_new(NULL) : NULL;
  client = plain_client();
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  free(content);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(a_slow_reader_holds_the_server_back),
      TEST(a_cut_off_stream_goes_on_and_repeats_nothing),
      TEST(what_was_read_is_skipped_where_ranges_are_not_honoured),
      TEST(silence_is_a_stall),
      TEST(a_producer_feeds_a_body),
      TEST(a_restartable_body_begins_again),
      TEST(a_body_that_cannot_begin_again_is_sent_once),
      TEST(a_wrong_length_is_not_taken_for_whole),
      TEST(a_failed_producer_cuts_the_request_off),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
