/* A child of fork: what the parent's calls held is free there, and what it
 * starts runs; the parent notices nothing. */
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

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD = 2, QUEUED = 4 };

/* ThreadSanitizer does not follow a child that starts threads. */
static bool fork_is_watched(void)
{
#ifdef __SANITIZE_THREAD__
  return true;
#else
  return false;
#endif
}

static void hangs_or_answers(struct exchange *exchange)
{
  if(strcmp(exchange->path, "/hang") == 0)
    wait_for_hangup(exchange);
  else
    reply(exchange, 200, "", "hello");
}

static struct ba_client *limited_client(void)
{
  struct ba_client_settings settings = {
      .proxy = "",
      .max_connections = HELD,
      .limits = {{.name = "read", .capacity = 2}, {.name = "all", .per_minute = 1000}}};
  struct ba_client *client = ba_client_new(&settings, NULL);
  assert_non_null(client);
  return client;
}

static struct ba_request *get(struct server *server, const char *path, unsigned per_minute)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new("GET", server_url(server, path), NULL);
  ba_request_options_init(&options);
  options.timeout = 10;
  options.max_retries = 0;
  options.weights[0] = 1;
  options.weights[1] = per_minute;
  assert_true(request && ba_request_set_options(request, &options, NULL));
  return request;
}

static int child_status(pid_t child)
{
  int status = -1;
  for(int i = 0; i < 1500; i++) {
    if(waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    poll(NULL, 0, 10);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1000;
}

/* The parent's calls hold every place, stand in line, and one of them waits
 * for the minute to pass: nothing of that is the child's affair. */
static int uses_the_clients_limits(struct server *server, struct ba_client *client,
                                   struct ba_mailbox *mailbox)
{
  struct ba_call *calls[QUEUED];
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  if(stats.in_flight || stats.queued)
    return 2;
  for(int i = 0; i < QUEUED; i++)
    calls[i] = ba_call_start(client, mailbox, get(server, "/", 1), NULL);
  for(int i = 0; i < QUEUED; i++) {
    struct ba_outcome out;
    if(!calls[i] || !finish(mailbox, calls[i], &out))
      return 3;
    if(!out.ok)
      return 4;
    ba_call_release(calls[i]);
  }
  return 0;
}

static void a_child_finds_the_limits_free(void **state)
{
  (void)state;
  if(fork_is_watched())
    skip();
  struct server *server = server_start(hangs_or_answers, NULL);
  struct ba_mailbox *mailbox = ba_mailbox_new(NULL);
  struct ba_client *client = limited_client();
  struct ba_call *held[HELD], *queued[QUEUED];
  for(int i = 0; i < HELD; i++)
    held[i] = ba_call_start(client, mailbox, get(server, "/hang", 490), NULL);
  assert_true(server_waits_for(server, HELD));
  for(int i = 0; i < QUEUED; i++)
    queued[i] = ba_call_start(client, mailbox, get(server, "/hang", 900), NULL);
  struct ba_client_stats stats = {0};
  double until = ba_now() + 10;
  while(stats.queued < QUEUED && ba_now() < until) {
    poll(NULL, 0, 1);
    ba_client_stats(client, &stats);
  }
  assert_int_equal(stats.queued, QUEUED);
  pid_t child = fork();
  if(child == 0)
    _exit(uses_the_clients_limits(server, client, mailbox));
  assert_int_equal(child_status(child), 0);
  ba_client_stats(client, &stats);
  assert_int_equal(stats.in_flight, HELD);
  assert_int_equal(stats.queued, QUEUED);
  for(int i = 0; i < QUEUED; i++)
    ba_call_release(queued[i]);
  for(int i = 0; i < HELD; i++)
    ba_call_release(held[i]);
  ba_client_release(client);
  ba_mailbox_delete(mailbox);
  server_stop(server);
}

static int load(void **state)
{
  (void)state;
  return ba_engine_load(NULL) ? 0 : -1;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_child_finds_the_limits_free),
  };
  return cmocka_run_group_tests(tests, load, NULL);
}
