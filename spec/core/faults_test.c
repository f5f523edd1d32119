/* The matrix: failure x class of operation x kind of body. All cases run at
 * once, each on a path of its own; the server fails a case's first request and
 * answers every later one, and counts. */
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
#include <unistd.h>

enum { CASES_MAX = 512 };

enum body { NONE, MEMORY, FILE_BODY, PARTS, PRODUCER, PRODUCER_ONCE, BODIES };
static const char *const body_names[BODIES] = {"none",      "memory",   "file",
                                               "multipart", "producer", "producer once"};
static const char BODY[] = "0123456789abcdef";

/* What comes of a first failure: the kind if it stays, and who may repeat. */
struct failure {
  const char *name;
  enum ba_kind kind;
  bool safe_repeats;  /* SAFE and IDEMPOTENT */
  bool never_repeats; /* NEVER_SENT */
  bool transient;
};
static const struct failure failures[] = {
    {"reset", BA_CONNECT, true, false, true},
    {"fin", BA_CONNECT, true, false, true},
    {"head-cut", BA_CONNECT, true, false, true},
    {"body-cut", BA_TRUNCATED, true, false, true},
    {"chunk-cut", BA_TRUNCATED, true, false, true},
    {"stall", BA_TIMEOUT, true, false, true},
    {"garbage", BA_DECODE, false, false, false},
    {"400", BA_HTTP, false, false, false},
    {"401", BA_AUTH, false, false, false},
    {"403", BA_AUTH, false, false, false},
    {"404", BA_HTTP, false, false, false},
    {"302", BA_HTTP, false, false, false},
    {"408", BA_HTTP, true, false, true},
    {"409", BA_HTTP, true, false, true},
    {"425", BA_HTTP, true, false, true},
    {"429", BA_RATE_LIMIT, true, true, true},
    {"500", BA_HTTP, true, false, true},
    {"503", BA_HTTP, true, false, true},
};
enum { FAILURES = sizeof(failures) / sizeof(failures[0]) };

struct scene {
  const struct failure *failure;
  enum ba_repeat repeat;
  enum body body;
  struct ba_call *call;
  bool done;
  atomic_int seen;
  atomic_int broken_bodies;
};
static struct scene scenes[CASES_MAX];
static size_t scene_count;

static void play(struct exchange *exchange, const char *name)
{
  int status = atoi(name);
  if(status == 302)
    reply(exchange, 302, "Location: /elsewhere\r\n", "");
  else if(status)
    reply(exchange, status, "", "no");
  else if(strcmp(name, "reset") == 0)
    reset(exchange);
  else if(strcmp(name, "stall") == 0) {
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    wait_for_hangup(exchange);
  } else if(strcmp(name, "head-cut") == 0)
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Le");
  else if(strcmp(name, "body-cut") == 0)
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
  else if(strcmp(name, "chunk-cut") == 0)
    send_text(exchange, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nonly ");
  else if(strcmp(name, "garbage") == 0)
    send_text(exchange, "I am no web server\r\n\r\n");
  if(!status)
    exchange->close = true;
}

static void answers(struct exchange *exchange)
{
  struct scene *scene = &scenes[atoi(exchange->path + 1)];
  const char *body = strstr(exchange->body, BODY);
  if(scene->body != NONE && (!exchange->whole || !body))
    atomic_fetch_add(&scene->broken_bodies, 1);
  if(atomic_fetch_add(&scene->seen, 1) == 0)
    play(exchange, scene->failure->name);
  else
    reply(exchange, 200, "", "good");
}

static void add_body(struct ba_request *request, enum body body, const char *file)
{
  bool ok = true;
  size_t length = sizeof(BODY) - 1;
  if(body == MEMORY)
    ok = ba_request_body(request, BODY, length, NULL);
  else if(body == FILE_BODY)
    ok = ba_request_body_file(request, file, NULL);
  else if(body == PARTS)
    ok = ba_request_part(request, "purpose", "batch", 5, NULL, NULL, NULL) &&
         ba_request_part_file(request, "file", file, NULL, NULL, NULL);
  else if(body != NONE)
    ok = ba_request_body_stream(request, (int64_t)length, body == PRODUCER, NULL);
  assert_true(ok);
}

static void feed(struct scene *scene)
{
  unsigned news = ba_call_news(scene->call);
  if(news & BA_CALL_DONE)
    scene->done = true;
  else if(news & BA_CALL_WRITABLE || news & BA_CALL_RESTART) {
    if(ba_call_write(scene->call, BODY, sizeof(BODY) - 1) == sizeof(BODY) - 1)
      ba_call_write_end(scene->call);
  }
}

static unsigned wrong;

static void check(const struct scene *scene)
{
  struct ba_outcome out;
  ba_call_outcome(scene->call, &out);
  bool repeats = scene->repeat == BA_REPEAT_NEVER_SENT ? scene->failure->never_repeats
                                                       : scene->failure->safe_repeats;
  if(scene->body == PRODUCER_ONCE)
    repeats = false;
  char what[800];
  snprintf(what, sizeof(what), "%s, class %d, body %s: %s, %u attempts, seen %d",
           scene->failure->name, scene->repeat, body_names[scene->body],
           out.ok ? "ok" : out.error->message, out.attempts, scene->seen);
  bool right = out.ok == repeats && out.attempts == (repeats ? 2u : 1u) &&
               scene->seen == (int)out.attempts && out.maybe_sent && !scene->broken_bodies &&
               (repeats || (out.error->kind == scene->failure->kind &&
                            out.retryable == scene->failure->transient));
  int status = atoi(scene->failure->name);
  if(status && !repeats)
    right = right && out.status == status && strcmp(out.body, status == 302 ? "" : "no") == 0;
  if(!right) {
    print_message("%s\n", what);
    wrong++;
  }
}

static void the_matrix(void **state)
{
  (void)state;
  char file[] = "/tmp/ba-faults-XXXXXX";
  int fd = mkstemp(file);
  assert_int_equal(write(fd, BODY, sizeof(BODY) - 1), sizeof(BODY) - 1);
  close(fd);
  struct server *server = server_start(answers, NULL);
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client_settings settings = {.proxy = "", .max_connections = 64};
  struct ba_client *client = ba_client_new(&settings, NULL);
  for(size_t f = 0; f < FAILURES; f++) {
    for(int repeat = BA_REPEAT_SAFE; repeat <= BA_REPEAT_NEVER_SENT; repeat++) {
      for(int body = NONE; body < BODIES; body++) {
        struct scene *scene = &scenes[scene_count];
        scene->failure = &failures[f];
        scene->repeat = repeat;
        scene->body = body;
        char path[32];
        snprintf(path, sizeof(path), "/%zu", scene_count++);
        struct ba_request *request =
            make_request(body == NONE ? "GET" : "POST", server_url(server, path), 2, repeat);
        struct ba_request_options options;
        ba_request_options_init(&options);
        options.repeat = repeat;
        options.stall_timeout = strcmp(failures[f].name, "stall") == 0 ? 3 : 20;
        options.timeout = 30;
        assert_true(ba_request_set_options(request, &options, NULL));
        add_body(request, body, file);
        scene->call = ba_call_start(client, mailbox, request, NULL);
        assert_non_null(scene->call);
      }
    }
  }
  size_t left = scene_count;
  double until = ba_now() + 60;
  while(left && ba_now() < until) {
    uint64_t ids[64];
    ba_mailbox_wait(mailbox, 1);
    ba_mailbox_drain(mailbox, ids, 64);
    left = 0;
    for(size_t i = 0; i < scene_count; i++) {
      if(!scenes[i].done)
        feed(&scenes[i]);
      left += !scenes[i].done;
    }
  }
  assert_int_equal(left, 0);
  for(size_t i = 0; i < scene_count; i++) {
    check(&scenes[i]);
    ba_call_release(scenes[i].call);
  }
  assert_int_equal(wrong, 0);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  server_stop(server);
  unlink(file);
}

static int load(void **state)
{
  (void)state;
  return ba_engine_load(NULL) ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_matrix),
  };
  return cmocka_run_group_tests(tests, load, NULL);
}
