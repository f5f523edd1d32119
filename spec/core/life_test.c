/* Beginnings and ends: mailboxes, the I/O thread, fork, exit, signals, and an
 * allocation that fails at every place in turn. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/alloc.h"
#include "batchapi/batchapi.h"
#include "batchapi/clock.h"
#include "support/run.h"
#include "support/server.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void echoes(struct exchange *exchange)
{
  if(strcmp(exchange->path, "/hang") == 0)
    wait_for_hangup(exchange);
  else
    reply(exchange, 200, "ETag: \"1\"\r\n", "hello");
}

static struct ba_request *get(struct server *server, const char *path)
{
  return make_request("GET", server_url(server, path), 0, BA_REPEAT_SAFE);
}

static void the_thread_comes_back_after_the_last_mailbox(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  for(int i = 0; i < 3; i++) {
    struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
    struct ba_client *client = plain_client();
    struct ba_outcome out;
    struct ba_call *call = run_request(client, mailbox, get(server, "/"), &out);
    assert_true(out.ok);
    assert_false(out.reused);
    ba_call_release(call);
    ba_mailbox_delete(mailbox);
    ba_client_release(client);
  }
  server_stop(server);
}

static void a_deleted_mailbox_cancels_its_calls(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  struct ba_mailbox *first = ba_mailbox_new(NULL), *second = ba_mailbox_new(NULL);
  struct ba_client *client = plain_client();
  struct ba_call *orphan = ba_call_start(client, first, get(server, "/hang"), NULL);
  assert_true(server_waits_for(server, 1));
  ba_mailbox_delete(first);
  double until = ba_now() + 10;
  while(!(ba_call_news(orphan) & BA_CALL_DONE) && ba_now() < until)
    ba_mailbox_wait(second, 0.01);
  struct ba_outcome out;
  assert_true(ba_call_news(orphan) & BA_CALL_DONE);
  ba_call_outcome(orphan, &out);
  assert_int_equal(out.error->kind, BA_CANCELLED);
  ba_call_release(orphan);
  /* and the last one ends what is left, without being asked about it */
  struct ba_call *left = ba_call_start(client, second, get(server, "/hang"), NULL);
  assert_true(server_waits_for(server, 2));
  ba_mailbox_delete(second);
  ba_call_release(left);
  ba_client_release(client);
  server_stop(server);
}

static bool readable(int fd)
{
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  return poll(&poll_fd, 1, 0) == 1;
}

static void the_descriptor_tells_the_truth(void **state)
{
  (void)state;
  struct server *server = server_start(echoes, NULL);
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client *client = plain_client();
  struct ba_call *calls[3];
  uint64_t ids[8];
  int fd = ba_mailbox_fd(mailbox);
  for(int i = 0; i < 3; i++)
    calls[i] = ba_call_start(client, mailbox, get(server, "/"), NULL);
  size_t seen = 0;
  while(seen < 3) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 10000), 1);
    size_t count = ba_mailbox_drain(mailbox, ids, 1);
    seen += count;
    if(count == 0)
      assert_false(readable(fd));
  }
  assert_false(readable(fd));
  for(int i = 0; i < 3; i++)
    ba_call_release(calls[i]);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  server_stop(server);
}

/* A descriptor that stays readable with nothing to fetch turns a host's loop
 * into a busy one. */
static void a_withdrawn_notice_leaves_the_descriptor_quiet(void **state)
{
  (void)state;
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_notice first = {.id = ba_new_id()}, second = {.id = ba_new_id()};
  int fd = ba_mailbox_fd(mailbox);
  ba_mailbox_post(mailbox, &first);
  ba_mailbox_post(mailbox, &second);
  assert_true(readable(fd));
  ba_mailbox_withdraw(mailbox, &second);
  assert_true(readable(fd));
  ba_mailbox_withdraw(mailbox, &first);
  assert_false(readable(fd));
  ba_mailbox_post(mailbox, &first);
  assert_true(readable(fd));
  ba_mailbox_withdraw(mailbox, &first);
  ba_mailbox_delete(mailbox);
}

static void on_alarm(int number)
{
  (void)number;
}

static void a_signal_ends_a_wait(void **state)
{
  (void)state;
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct sigaction action = {.sa_handler = on_alarm}, before;
  struct itimerval soon = {.it_value.tv_usec = 50000, .it_interval.tv_usec = 50000};
  struct itimerval never = {0};
  sigaction(SIGALRM, &action, &before);
  setitimer(ITIMER_REAL, &soon, NULL);
  double start = ba_now();
  assert_false(ba_mailbox_wait(mailbox, 10));
  assert_true(ba_now() - start < 5);
  setitimer(ITIMER_REAL, &never, NULL);
  sigaction(SIGALRM, &before, NULL);
  ba_mailbox_delete(mailbox);
}

/* ThreadSanitizer does not follow a child that starts threads. */
static bool fork_is_watched(void)
{
#ifdef __SANITIZE_THREAD__
  return true;
#else
  return false;
#endif
}

static int child_status(pid_t child)
{
  int status = -1;
  for(int i = 0; i < 1000; i++) {
    if(waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    poll(NULL, 0, 10);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1000;
}

static int in_child(struct server *server, struct ba_mailbox *mailbox, struct ba_client *client,
                    struct ba_call *inherited)
{
  struct ba_outcome out;
  if(!(ba_call_news(inherited) & BA_CALL_DONE))
    return 2;
  ba_call_outcome(inherited, &out);
  if(out.error->kind != BA_CLOSED)
    return 3;
  ba_call_release(inherited);
  struct ba_call *call = ba_call_start(client, mailbox, get(server, "/"), NULL);
  if(!call || !finish(mailbox, call, &out) || !out.ok || out.reused)
    return 4;
  ba_call_release(call);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  return 0;
}

static void a_child_has_an_engine_of_its_own(void **state)
{
  (void)state;
  if(fork_is_watched())
    skip();
  struct server *server = server_start(echoes, NULL);
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client *client = plain_client();
  struct ba_outcome out;
  for(int i = 0; i < 5; i++) {
    unsigned before = server_requests(server);
    struct ba_call *call = ba_call_start(client, mailbox, get(server, "/hang"), NULL);
    assert_true(server_waits_for(server, before + 1));
    struct ba_call *warm = run_request(client, mailbox, get(server, "/"), &out);
    ba_call_release(warm);
    pid_t child = fork();
    if(child == 0)
      _exit(in_child(server, mailbox, client, call));
    assert_int_equal(child_status(child), 0);
    /* the parent's call still hangs, its kept connection still works */
    assert_false(ba_call_news(call) & BA_CALL_DONE);
    struct ba_call *next = run_request(client, mailbox, get(server, "/"), &out);
    assert_true(out.ok && out.reused);
    ba_call_release(next);
    ba_call_release(call);
  }
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  server_stop(server);
}

/* Leaves with 20 calls in flight to the server whose port comes through the pipe. */
static void leave_in_flight(int pipe_end)
{
  int port = 0;
  char url[64];
  if(read(pipe_end, &port, sizeof(port)) != (ssize_t)sizeof(port))
    _exit(8);
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/hang", port);
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client *client = plain_client();
  for(int i = 0; i < 20; i++)
    ba_call_start(client, mailbox, make_request("GET", url, 0, BA_REPEAT_SAFE), NULL);
  ba_mailbox_wait(mailbox, 0.1);
  exit(7); /* and nothing is freed */
}

/* The child is made before the server's threads: gcc 12's AddressSanitizer
 * hands a lock of its allocator that one of them holds down to a child, where
 * nobody gives it back. */
static void exit_with_calls_in_flight_is_clean(void **state)
{
  (void)state;
  if(fork_is_watched())
    skip();
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if(child == 0)
    leave_in_flight(ends[0]);
  struct server *server = server_start(echoes, NULL);
  int port = server_port(server);
  assert_int_equal(write(ends[1], &port, sizeof(port)), sizeof(port));
  assert_int_equal(child_status(child), 7);
  close(ends[0]);
  close(ends[1]);
  server_stop(server);
}

/* ---- many threads --------------------------------------------------------------- */

static struct server *shared_server;
static atomic_int good;

static void *uses_its_own_mailbox(void *user)
{
  struct ba_client *client = user;
  for(int round = 0; round < 5; round++) {
    struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
    for(int i = 0; i < 5; i++) {
      struct ba_outcome out;
      struct ba_call *call = run_request(client, mailbox, get(shared_server, "/"), &out);
      atomic_fetch_add(&good, out.ok);
      ba_call_release(call);
    }
    struct ba_call *dropped = ba_call_start(client, mailbox, get(shared_server, "/hang"), NULL);
    ba_call_release(dropped);
    ba_mailbox_delete(mailbox);
  }
  return NULL;
}

static void many_states_share_the_engine(void **state)
{
  (void)state;
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  shared_server = server_start(echoes, NULL);
  struct ba_client *client = plain_client();
  for(int i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, uses_its_own_mailbox, client), 0);
  for(int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(good, THREADS * 25);
  ba_client_release(client);
  server_stop(shared_server);
}

/* ---- allocations ------------------------------------------------------------------ */

static atomic_long alive, countdown;

static void *failing(void *user, void *block, size_t size)
{
  (void)user;
  if(size == 0) {
    atomic_fetch_sub(&alive, 1);
    free(block);
    return NULL;
  }
  if(atomic_fetch_sub(&countdown, 1) == 1)
    return NULL;
  void *got = realloc(block, size);
  if(got && !block)
    atomic_fetch_add(&alive, 1);
  return got;
}

static bool build(struct ba_request *request, bool stream, const char *file)
{
  static const char *const finals[] = {"x", NULL};
  static const char *const paths[] = {"error.code", NULL};
  static const int statuses[] = {429, 0};
  struct ba_request_options options;
  ba_request_options_init(&options);
  options.timeout = 10;
  options.max_retries = 1;
  options.record_attempts = true;
  options.final_codes = finals;
  options.code_paths = paths;
  options.unaccepted = statuses;
  bool ok = ba_request_set_options(request, &options, NULL) &&
            ba_request_header(request, "X-A", "b", 1, NULL);
  if(stream)
    return ok && ba_request_body_stream(request, 4, true, NULL) &&
           ba_request_to_stream(request, NULL);
  return ok && ba_request_part(request, "a", "b", 1, NULL, NULL, NULL) &&
         ba_request_part_file(request, "f", "/proc/self/exe", "n", "t/t", NULL) &&
         ba_request_to_file(request, file, NULL);
}

static void wait_done(struct ba_mailbox *mailbox, struct ba_call *call)
{
  double until = ba_now() + 20;
  bool written = false;
  for(;;) {
    unsigned news = ba_call_news(call);
    struct ba_attempt attempt;
    struct ba_buffer chunk = {0};
    while(ba_call_next_attempt(call, &attempt))
      ;
    if(ba_call_read(call, &chunk))
      ba_buffer_free(&chunk);
    if(news & BA_CALL_DONE)
      return;
    if(news & BA_CALL_RESTART)
      written = false;
    if((news & BA_CALL_WRITABLE) && !written && ba_call_write(call, "body", 4) == 4) {
      ba_call_write_end(call);
      written = true;
    }
    uint64_t ids[8];
    ba_mailbox_wait(mailbox, 0.01);
    ba_mailbox_drain(mailbox, ids, 8);
    if(ba_now() > until)
      fail_msg("a call hangs");
  }
}

/* The whole life of a client and a call; true if everything succeeded. */
static bool whole_life(const char *url, bool stream, const char *file)
{
  struct ba_client_settings settings = {.proxy = "", .limits = {{.name = "read", .capacity = 2}}};
  struct ba_error err = {0};
  bool ok = false;
  struct ba_mailbox *mailbox = ba_mailbox_new(&err);
  struct ba_credential *credential = mailbox ? ba_credential_bearer("t", 1, &err) : NULL;
  bool bound = credential && ba_credential_bind(credential, url, false, &err);
  settings.credential = credential;
  struct ba_client *base = bound ? ba_client_new(&settings, &err) : NULL;
  struct ba_client *client = base ? ba_client_derive(base, &settings, &err) : NULL;
  struct ba_request *request = client ? ba_request_new("POST", url, &err) : NULL;
  if(request && !build(request, stream, file)) {
    ba_request_delete(request);
    request = NULL;
  }
  struct ba_call *call = request ? ba_call_start(client, mailbox, request, &err) : NULL;
  if(call) {
    struct ba_outcome out;
    wait_done(mailbox, call);
    ba_call_outcome(call, &out);
    ok = out.ok;
    if(!ok && out.error->kind != BA_NOMEM)
      fail_msg("an allocation failed, and it says %s: %s", ba_kind_name(out.error->kind),
               out.error->message);
    ba_call_release(call);
  }
  ba_client_release(client);
  ba_client_release(base);
  ba_credential_release(credential);
  ba_mailbox_delete(mailbox);
  return ok;
}

static void fails_once(struct exchange *exchange)
{
  if(exchange->total % 2)
    reply(exchange, 503, "Retry-After-Ms: 1\r\n", "{\"error\":{\"code\":\"y\"}}");
  else
    reply(exchange, 200, "ETag: \"1\"\r\n", "hello");
}

static void every_allocation_may_fail(void **state)
{
  (void)state;
  char file[] = "/tmp/ba-sweep-XXXXXX";
  int fd = mkstemp(file);
  close(fd);
  struct ba_allocator allocator = {failing, NULL};
  for(int stream = 0; stream < 2; stream++) {
    long n = 0;
    bool ok = false;
    while(!ok && n < 2000) {
      struct server *server = server_start(fails_once, NULL);
      char url[200];
      snprintf(url, sizeof(url), "%s", server_url(server, "/"));
      alive = 0;
      countdown = ++n;
      ba_alloc_hook(&allocator);
      ok = whole_life(url, stream, file);
      long left = countdown;
      countdown = -1;
      ba_alloc_hook(NULL);
      if(alive != 0)
        fail_msg("allocation %ld failed, and %ld blocks are left", n, (long)alive);
      ok = ok && left > 0; /* a record that could not be made is not a failure */
      server_stop(server);
    }
    assert_true(ok);
    assert_true(n > 40);
    print_message("%ld allocations\n", n);
  }
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
      cmocka_unit_test(exit_with_calls_in_flight_is_clean),
      cmocka_unit_test(the_thread_comes_back_after_the_last_mailbox),
      cmocka_unit_test(a_deleted_mailbox_cancels_its_calls),
      cmocka_unit_test(the_descriptor_tells_the_truth),
      cmocka_unit_test(a_withdrawn_notice_leaves_the_descriptor_quiet),
      cmocka_unit_test(a_signal_ends_a_wait),
      cmocka_unit_test(a_child_has_an_engine_of_its_own),
      cmocka_unit_test(many_states_share_the_engine),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, load, NULL);
}
