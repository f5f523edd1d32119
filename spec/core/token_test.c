/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

/* Calls that wait for a token, on the engine: one exchange for all, and what a
 * fork does to one that is under way. */
#include "batchapi/batchapi.h"
#include "batchapi/credential.h"
#include "batchapi/oauth.h"
#include "support/run.h"
#include "support/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 100 };

static struct ba_mailbox *mailbox;

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned token_requests, refused;
  unsigned busy;     /* token requests to answer with 503 */
  unsigned accepted; /* number of the token that is good */
  bool hold_first;   /* the first token request waits */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int set_up(void **unused)
{
  (void)unused;
  struct ba_error err = {0};
  if(!ba_engine_load(&err))
    fail_msg("%s", err.message);
  mailbox = ba_mailbox_new(&err);
  state.token_requests = state.refused = state.busy = 0;
  state.accepted = 1;
  state.hold_first = false;
  return mailbox ? 0 : -1;
}

static int tear_down(void **unused)
{
  (void)unused;
  ba_mailbox_delete(mailbox);
  return 0;
}

static void give_token(struct exchange *exchange)
{
  char text[200];
  pthread_mutex_lock(&state.lock);
  unsigned number = ++state.token_requests;
  bool busy = state.busy > 0;
  if(busy)
    state.busy--;
  while(state.hold_first && number == 1)
    pthread_cond_wait(&state.changed, &state.lock);
  if(!busy)
    state.accepted = number;
  pthread_mutex_unlock(&state.lock);
  snprintf(text, sizeof(text), "{\"access_token\":\"token-%u\",\"expires_in\":900}", number);
  if(busy)
    reply(exchange, 503, "Retry-After: 0\r\n", "busy");
  else
    reply(exchange, 200, "", text);
}

static void answers(struct exchange *exchange)
{
  char good[40];
  if(strcmp(exchange->path, "/token") == 0) {
    give_token(exchange);
    return;
  }
  pthread_mutex_lock(&state.lock);
  snprintf(good, sizeof(good), "Bearer token-%u", state.accepted);
  bool ok = strcmp(request_header(exchange, "Authorization"), good) == 0;
  state.refused += !ok;
  pthread_mutex_unlock(&state.lock);
  reply(exchange, ok ? 200 : 401, "", "{}");
}

static struct ba_credential *credential_of(struct server *server)
{
  struct ba_error err = {0};
  const struct ba_oauth_refresh_options options = {.token_url = server_url(server, "/token"),
                                                   .client_id = "client",
                                                   .refresh_token = "refresh",
                                                   .refresh_token_length = 7};
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, &err);
  if(!credential || !ba_credential_bind(credential, server_url(server, "/"), false, &err))
    fail_msg("%s", err.message);
  return credential;
}

static struct ba_client *client_with(struct ba_credential *credential)
{
  struct ba_client_settings settings = {.proxy = "", .credential = credential};
  struct ba_client *client = ba_client_new(&settings, NULL);
  assert_non_null(client);
  return client;
}

static struct ba_client *client_of(struct server *server)
{
  struct ba_credential *credential = credential_of(server);
  struct ba_client *client = client_with(credential);
  ba_credential_release(credential);
  return client;
}

/* Starts them all, then waits for all; each must succeed. */
static void many_at_once(struct ba_client *client, struct server *server)
{
  struct ba_call *calls[CALLS];
  struct ba_error err = {0};
  const int count = getenv("BATCHAPI_SLOW") ? CALLS / 5 : CALLS;
  for(int i = 0; i < count; i++) {
    struct ba_request *request =
        make_request("POST", server_url(server, "/work"), 1, BA_REPEAT_NEVER_SENT);
    calls[i] = ba_call_start(client, mailbox, request, &err);
    assert_non_null(calls[i]);
  }
  for(int i = 0; i < count; i++) {
    struct ba_outcome out;
    assert_true(finish(mailbox, calls[i], &out));
    if(!out.ok)
      fail_msg("%s", out.error->message);
    ba_call_release(calls[i]);
  }
}

static void revoke_all(void)
{
  pthread_mutex_lock(&state.lock);
  state.accepted = 0;
  pthread_mutex_unlock(&state.lock);
}

static void a_hundred_calls_make_one_request_and_one_renewal(void **unused)
{
  (void)unused;
  struct server *server = server_start(answers, NULL);
  struct ba_client *client = client_of(server);
  many_at_once(client, server);
  assert_int_equal(state.token_requests, 1);
  assert_int_equal(state.refused, 0);
  revoke_all();
  many_at_once(client, server);
  assert_int_equal(state.token_requests, 2);
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  assert_int_equal(stats.token_requests, 2);
  ba_client_release(client);
  server_stop(server);
}

static void also_when_the_endpoint_is_busy_first(void **unused)
{
  (void)unused;
  struct server *server = server_start(answers, NULL);
  struct ba_client *client = client_of(server);
  state.busy = 1;
  many_at_once(client, server);
  assert_int_equal(state.token_requests, 2);
  revoke_all();
  state.busy = 1;
  many_at_once(client, server);
  assert_int_equal(state.token_requests, 4);
  ba_client_release(client);
  server_stop(server);
}

static void release_first(void)
{
  pthread_mutex_lock(&state.lock);
  state.hold_first = false;
  pthread_cond_broadcast(&state.changed);
  pthread_mutex_unlock(&state.lock);
}

#ifndef __SANITIZE_THREAD__
/* In the child: the same client fetches a token of its own. */
static int child_asks(struct ba_client *client, struct server *server)
{
  struct ba_outcome out;
  struct ba_mailbox *own = ba_mailbox_new(NULL);
  if(!own)
    return 2;
  struct ba_call *call = run_request(
      client, own, make_request("GET", server_url(server, "/work"), 0, BA_REPEAT_SAFE), &out);
  int status = out.ok ? 0 : 3;
  if(!out.ok)
    fprintf(stderr, "child: %s\n", out.error->message);
  ba_call_release(call);
  ba_mailbox_delete(own);
  return status;
}

static void a_child_does_not_wait_for_its_parents_exchange(void **unused)
{
  (void)unused;
  struct server *server = server_start(answers, NULL);
  struct ba_client *client = client_of(server);
  struct ba_error err = {0};
  state.hold_first = true;
  struct ba_call *call = ba_call_start(
      client, mailbox, make_request("GET", server_url(server, "/work"), 1, BA_REPEAT_SAFE), &err);
  assert_non_null(call);
  assert_true(server_waits_for(server, 1)); /* the token request, held */
  int *result =
      mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(result != MAP_FAILED);
  *result = -1;
  pid_t child = fork();
  assert_true(child >= 0);
  if(child == 0) {
    *result = child_asks(client, server);
    kill(getpid(),
         SIGKILL); /* no exit: what it inherited is not its to free, and valgrind would look */
  }
  assert_int_equal(waitpid(child, NULL, 0), child);
  assert_int_equal(*result, 0);
  munmap(result, sizeof(*result));
  release_first();
  struct ba_outcome out;
  assert_true(finish(mailbox, call, &out));
  assert_true(out.ok);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

#endif

/* A request that goes without the credential. */
static struct ba_request *unproven(struct server *server)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new("GET", server_url(server, "/free"), NULL);
  ba_request_options_init(&options);
  options.no_credential = true;
  assert_true(request && ba_request_set_options(request, &options, NULL));
  return request;
}

static void a_closed_client_leaves_the_fetch_to_the_others(void **unused)
{
  (void)unused;
  struct server *server = server_start(answers, NULL);
  struct ba_credential *credential = credential_of(server);
  struct ba_client *closed = client_with(credential), *other = client_with(credential);
  struct ba_error err = {0};
  struct ba_outcome out;
  state.hold_first = true;
  struct ba_call *first = ba_call_start(
      closed, mailbox, make_request("GET", server_url(server, "/work"), 1, BA_REPEAT_SAFE), &err);
  assert_true(first && server_waits_for(server, 1));
  struct ba_call *second = ba_call_start(
      other, mailbox, make_request("GET", server_url(server, "/work"), 1, BA_REPEAT_SAFE), &err);
  assert_non_null(second);
  ba_client_close(closed);
  assert_true(finish(mailbox, first, &out));
  assert_int_equal(out.error->kind, BA_CLOSED);
  release_first();
  assert_true(finish(mailbox, second, &out));
  if(!out.ok)
    fail_msg("%s", out.error->message);
  ba_call_release(first);
  ba_call_release(second);
  ba_client_release(closed);
  ba_client_release(other);
  ba_credential_release(credential);
  server_stop(server);
}

/* The thread is stopped while a token is on its way: the exchange, which ends
 * first, is not begun again for those that still wait. */
static void the_last_mailbox_may_go_while_a_token_is_fetched(void **unused)
{
  (void)unused;
  struct server *server = server_start(answers, NULL);
  struct ba_credential *credential = credential_of(server);
  struct ba_client *client = client_with(credential);
  state.hold_first = true;
  struct ba_call *call = ba_call_start(
      client, mailbox, make_request("GET", server_url(server, "/work"), 0, BA_REPEAT_SAFE), NULL);
  assert_true(call && server_waits_for(server, 1));
  ba_mailbox_delete(mailbox);
  mailbox = ba_mailbox_new(NULL);
  ba_call_release(call);
  release_first();
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

/* All of them wait for one token, and the last that came ends first. */
static void a_client_with_many_calls_closes_at_once(void **unused)
{
  (void)unused;
  enum { MOST = 30000 };
  static struct ba_call *calls[MOST];
  int count = getenv("BATCHAPI_SLOW") ? MOST / 10 : MOST;
  struct server *server = server_start(answers, NULL);
  struct ba_credential *credential = credential_of(server);
  struct ba_client *client = client_with(credential);
  state.hold_first = true;
  for(int i = 0; i < count; i++)
    calls[i] = ba_call_start(
        client, mailbox, make_request("GET", server_url(server, "/work"), 0, BA_REPEAT_SAFE), NULL);
  struct ba_outcome out;
  ba_call_release(run_request(client, mailbox, unproven(server), &out)); /* all are waiting now */
  clock_t begun = clock(); /* of the process: others may use the machine */
  ba_client_close(client);
  for(int i = count - 1; i >= 0; i--) {
    assert_true(finish(mailbox, calls[i], &out));
    assert_int_equal(out.error->kind, BA_CLOSED);
    ba_call_release(calls[i]);
  }
  double took = (double)(clock() - begun) / CLOCKS_PER_SEC;
  if(took > 1)
    fail_msg("%d calls took %.1f s of the processor to end", count, took);
  release_first();
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

#define engine_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      engine_test(a_hundred_calls_make_one_request_and_one_renewal),
      engine_test(also_when_the_endpoint_is_busy_first),
#ifndef __SANITIZE_THREAD__ /* which cannot start threads in a child */
      engine_test(a_child_does_not_wait_for_its_parents_exchange),
#endif
      engine_test(a_closed_client_leaves_the_fetch_to_the_others),
      engine_test(the_last_mailbox_may_go_while_a_token_is_fetched),
      engine_test(a_client_with_many_calls_closes_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
