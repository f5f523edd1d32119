/* What a call promises beyond a single exchange: delays, codes, caps,
 * redirects, limits, tokens, records. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/clock.h"
#include "batchapi/oauth.h"
#include "support/run.h"
#include "support/server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct ba_mailbox *mailbox;

static struct ba_client *client_of(struct ba_client_settings settings)
{
  struct ba_error err = {0};
  settings.proxy = "";
  struct ba_client *client = ba_client_new(&settings, &err);
  if(!client)
    fail_msg("%s", err.message);
  return client;
}

/* ---- delays and codes --------------------------------------------------------- */

static void asks_for_an_hour(struct exchange *exchange)
{
  char body[1100];
  snprintf(body, sizeof(body), "{\"error\":{\"code\":\"slow_down\"},\"sent\":\"%s\"}",
           request_header(exchange, "authorization"));
  reply(exchange, 429, "Retry-After: 3600\r\n", body);
}

static void a_delay_beyond_the_deadline_fails_at_once(void **state)
{
  (void)state;
  struct server *server = server_start(asks_for_an_hour, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){0});
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/"), 5, BA_REPEAT_SAFE), &out);
  assert_int_equal(out.error->kind, BA_RATE_LIMIT);
  assert_true(out.retry_after == 3600);
  assert_true(out.retryable);
  assert_int_equal(out.attempts, 1);
  assert_true(out.elapsed < 2);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

static void asks_for_a_moment(struct exchange *exchange)
{
  if(exchange->total == 1)
    reply(exchange, 503, "Retry-After-Ms: 300\r\nRetry-After: 9\r\n", "");
  else
    reply(exchange, 200, "", "");
}

static void a_delay_is_obeyed(void **state)
{
  (void)state;
  struct server *server = server_start(asks_for_a_moment, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){0});
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/"), 1, BA_REPEAT_SAFE), &out);
  assert_true(out.ok);
  assert_true(out.elapsed >= 0.3 && out.elapsed < 2);
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  assert_int_equal(stats.requests, 1);
  assert_int_equal(stats.attempts, 2);
  assert_int_equal(stats.succeeded, 1);
  assert_int_equal(stats.retries[BA_RETRY_SERVER], 1);
  assert_int_equal(stats.connections_opened, 1);
  assert_int_equal(stats.connections_reused, 1);
  assert_true(stats.bytes_sent > 50 && stats.bytes_received > 50);
  assert_int_equal(stats.in_flight + stats.queued, 0);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

static void an_echoed_secret_is_hidden(void **state)
{
  (void)state;
  struct server *server = server_start(asks_for_an_hour, NULL);
  struct ba_credential *credential = ba_credential_bearer("S3CRET-S3CRET", 13, NULL);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), &out);
  assert_int_equal(out.status, 429);
  assert_non_null(strstr(out.body, "Bearer ***"));
  assert_null(strstr(out.body, "S3CRET"));
  ba_call_release(call);
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

static void a_wait_for_a_retry_can_be_cancelled(void **state)
{
  (void)state;
  struct server *server = server_start(asks_for_an_hour, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){0});
  struct ba_request *request = make_request("GET", server_url(server, "/"), 5, BA_REPEAT_SAFE);
  struct ba_request_options options;
  ba_request_options_init(&options);
  options.timeout = 7200;
  options.record_attempts = true;
  assert_true(ba_request_set_options(request, &options, NULL));
  struct ba_call *call = ba_call_start(client, mailbox, request, NULL);
  while(!(ba_call_news(call) & BA_CALL_ATTEMPTED)) {
    uint64_t ids[8];
    assert_true(ba_mailbox_wait(mailbox, 10));
    ba_mailbox_drain(mailbox, ids, 8);
  }
  struct ba_attempt attempt;
  assert_true(ba_call_next_attempt(call, &attempt));
  assert_true(attempt.retry_in >= 3600);
  assert_int_equal(attempt.status, 429);
  struct ba_outcome out;
  ba_call_cancel(call);
  assert_true(finish(mailbox, call, &out));
  assert_int_equal(out.error->kind, BA_CANCELLED);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

static void out_of_quota(struct exchange *exchange)
{
  if(strcmp(exchange->path, "/quota") == 0)
    reply(exchange, 429, "Retry-After: 0\r\n", "{\"error\":{\"code\":\"insufficient_quota\"}}");
  else if(strcmp(exchange->path, "/no") == 0)
    reply(exchange, 503, "x-should-retry: false\r\n", "{\"error\":{\"code\":\"down\"}}");
  else if(exchange->total % 2)
    reply(exchange, 400, "x-should-retry: true\r\n", "{}");
  else
    reply(exchange, 200, "", "");
}

static void the_service_has_the_last_word(void **state)
{
  (void)state;
  static const char *const finals[] = {"insufficient_quota", NULL};
  static const char *const paths[] = {"nothing.here", "error.code", NULL};
  static const struct {
    const char *path;
    enum ba_kind kind;
    const char *code;
    unsigned attempts;
  } cases[] = {{"/quota", BA_HTTP, "insufficient_quota", 1},
               {"/no", BA_HTTP, "down", 1},
               {"/yes", BA_OK, "", 2}};
  struct server *server = server_start(out_of_quota, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){0});
  for(size_t i = 0; i < 3; i++) {
    struct ba_outcome out;
    struct ba_request_options options;
    struct ba_request *request =
        make_request("GET", server_url(server, cases[i].path), 2, BA_REPEAT_SAFE);
    ba_request_options_init(&options);
    options.final_codes = finals;
    options.code_paths = paths;
    assert_true(ba_request_set_options(request, &options, NULL));
    struct ba_call *call = run_request(client, mailbox, request, &out);
    assert_int_equal(out.error->kind, cases[i].kind);
    assert_string_equal(out.error->code, cases[i].code);
    assert_int_equal(out.attempts, cases[i].attempts);
    assert_false(out.retryable && cases[i].kind == BA_HTTP);
    ba_call_release(call);
  }
  ba_client_release(client);
  server_stop(server);
}

/* ---- caps ------------------------------------------------------------------------ */

static const unsigned char bomb[] = {
#include "support/bomb.inc"
};

static void sends_much(struct exchange *exchange)
{
  static char body[200000];
  if(strcmp(exchange->path, "/bomb") == 0)
    reply_bytes(exchange, 200, "Content-Encoding: gzip\r\n", (const char *)bomb, sizeof(bomb));
  else if(strcmp(exchange->path, "/error-bomb") == 0)
    reply_bytes(exchange, 500, "Content-Encoding: gzip\r\n", (const char *)bomb, sizeof(bomb));
  else if(strcmp(exchange->path, "/chunked") == 0 || strcmp(exchange->path, "/refusal") == 0) {
    bool refused = exchange->path[1] == 'r';
    send_text(exchange, refused ? "HTTP/1.1 500 No\r\n" : "HTTP/1.1 200 OK\r\n");
    send_text(exchange, "Transfer-Encoding: chunked\r\n\r\n");
    for(int i = 0; i < (refused ? 1000 : 100); i++) {
      send_text(exchange, "800\r\n");
      send_bytes(exchange, body, 2048);
      send_text(exchange, "\r\n");
    }
    send_text(exchange, "0\r\n\r\n");
  } else if(strcmp(exchange->path, "/head") == 0 || strcmp(exchange->path, "/line") == 0) {
    bool one = exchange->path[1] == 'l';
    send_text(exchange, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    if(one)
      send_text(exchange, "X-Long: ");
    for(int i = 0; i < 3000; i++)
      send_text(exchange, one ? "0123456789012345678901234567890123456789012345678901234567890"
                              : "X-Many: 01234567890123456789012345678901234567890123456789\r\n");
    send_text(exchange, one ? "\r\n\r\n" : "\r\n");
  } else
    reply_bytes(exchange, 200, "", body, sizeof(body));
}

static void answers_have_caps(void **state)
{
  (void)state;
  static const struct {
    const char *path;
    size_t body_cap, head_cap;
    enum ba_kind kind;
    size_t body;
  } cases[] = {
      {"/length", 100000, 0, BA_TOO_LARGE, 0},       {"/chunked", 100000, 0, BA_TOO_LARGE, 0},
      {"/bomb", 1 << 19, 0, BA_TOO_LARGE, 0},        {"/bomb", 1 << 20, 0, BA_OK, 1 << 20},
      {"/error-bomb", 1 << 19, 0, BA_HTTP, 1 << 19}, {"/refusal", 0, 0, BA_HTTP, 1 << 20},
      {"/head", 0, 65536, BA_TOO_LARGE, 0},          {"/head", 0, 1 << 20, BA_OK, 0},
      {"/line", 0, 65536, BA_TOO_LARGE, 0},          {"/line", 0, 1 << 20, BA_TOO_LARGE, 0},
  };
  struct server *server = server_start(sends_much, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){0});
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_outcome out;
    struct ba_request_options options;
    struct ba_request *request =
        make_request("GET", server_url(server, cases[i].path), 0, BA_REPEAT_SAFE);
    ba_request_options_init(&options);
    options.max_retries = 0;
    options.max_body_bytes = cases[i].body_cap;
    options.max_header_bytes = cases[i].head_cap;
    assert_true(ba_request_set_options(request, &options, NULL));
    struct ba_call *call = run_request(client, mailbox, request, &out);
    if(out.error->kind != cases[i].kind)
      fail_msg("%zu %s: %s: %s", i, cases[i].path, ba_kind_name(out.error->kind),
               out.error->message);
    if(cases[i].kind != BA_TOO_LARGE)
      assert_int_equal(out.body_length, cases[i].body);
    ba_call_release(call);
  }
  ba_client_release(client);
  server_stop(server);
}

/* ---- redirects ---------------------------------------------------------------------- */

static struct server *other_server;

static void redirects(struct exchange *exchange)
{
  char header[1300];
  const char *target = strcmp(exchange->path, "/away") == 0 ? server_url(other_server, "/there")
                       : strcmp(exchange->path, "/login") == 0
                           ? server_url(other_server, "/idp/login?resume=1")
                       : strcmp(exchange->path, "/loop") == 0 ? "/loop"
                                                              : NULL;
  if(target) {
    snprintf(header, sizeof(header), "Location: %s\r\n", target);
    reply(exchange, 302, header, "");
  } else if(strcmp(exchange->path, "/near") == 0)
    reply(exchange, 307, "Location: there\r\n", "");
  else {
    char seen[3000];
    snprintf(seen, sizeof(seen), "%s", request_header(exchange, "authorization"));
    snprintf(seen + strlen(seen), 1000, "|%s", request_header(exchange, "x-private"));
    reply(exchange, 200, "", seen);
  }
}

static void run_redirect(struct ba_client *client, struct server *server, const char *path,
                         bool allow, struct ba_call **call, struct ba_outcome *out)
{
  struct ba_request_options options;
  struct ba_request *request = make_request("GET", server_url(server, path), 0, BA_REPEAT_SAFE);
  ba_request_options_init(&options);
  options.allow_redirects = allow;
  assert_true(ba_request_set_options(request, &options, NULL));
  assert_true(ba_request_header(request, "X-Private", "mine", 4, NULL));
  *call = run_request(client, mailbox, request, out);
}

static void redirects_are_followed_only_where_allowed(void **state)
{
  (void)state;
  struct server *server = server_start(redirects, NULL);
  other_server = server_start(redirects, NULL);
  struct ba_credential *credential = ba_credential_bearer("S3CRET", 6, NULL);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  ba_credential_release(credential);
  static const struct {
    const char *path;
    bool allow;
    int status;
    enum ba_kind kind;
    const char *body, *why;
  } cases[] = {
      {"/near", false, 307, BA_HTTP, "", "/there: this call follows no redirect"},
      {"/near", true, 200, BA_OK, "Bearer S3CRET|mine", NULL},
      {"/away", false, 302, BA_HTTP, "", ", which points to http://127.0.0.1:"},
      {"/away", true, 200, BA_OK, "|", NULL}, /* no credential, no header of ours */
      {"/login", false, 302, BA_AUTH, "", "/idp/login: this call follows no redirect"},
      {"/loop", true, 302, BA_HTTP, "", "/loop: that is one redirect too many"},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_outcome out;
    struct ba_call *call;
    run_redirect(client, server, cases[i].path, cases[i].allow, &call, &out);
    assert_int_equal(out.status, cases[i].status);
    assert_int_equal(out.error->kind, cases[i].kind);
    assert_string_equal(out.body, cases[i].body);
    assert_int_equal(out.attempts, 1);
    if(cases[i].why && !strstr(out.error->message, cases[i].why))
      fail_msg("%s: %s", cases[i].path, out.error->message);
    assert_null(strstr(out.error->message, "resume"));
    ba_call_release(call);
  }
  ba_client_release(client);
  server_stop(other_server);
  server_stop(server);
}

/* ---- limits ------------------------------------------------------------------------- */

static atomic_int now_inside, most_inside, most_writes, now_writes;

static void counts_inside(struct exchange *exchange)
{
  int inside = atomic_fetch_add(&now_inside, 1) + 1;
  if(inside > most_inside)
    most_inside = inside;
  bool write = strcmp(exchange->method, "POST") == 0;
  int writes = atomic_fetch_add(&now_writes, write) + write;
  if(writes > most_writes)
    most_writes = writes;
  struct timespec pause = {.tv_nsec = 5000000};
  nanosleep(&pause, NULL);
  atomic_fetch_sub(&now_writes, write);
  atomic_fetch_sub(&now_inside, 1);
  reply(exchange, 200, "", "");
}

static void limits_hold_and_let_everyone_through(void **state)
{
  (void)state;
  enum { CALLS = 120 };
  struct server *server = server_start(counts_inside, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){
      .max_connections = 10,
      .limits = {{.name = "read", .capacity = 8}, {.name = "write", .capacity = 3}}});
  struct ba_call *calls[CALLS];
  for(int i = 0; i < CALLS; i++) {
    struct ba_request_options options;
    bool write = i % 3 == 0;
    struct ba_request *request =
        make_request(write ? "POST" : "GET", server_url(server, "/"), 0, BA_REPEAT_SAFE);
    ba_request_options_init(&options);
    options.weights[0] = write ? 0 : 1 + (unsigned)i % 3;
    options.weights[1] = write ? (i % 6 ? 1 : 9) : 0; /* 9: more than there is; it goes alone */
    assert_true(ba_request_set_options(request, &options, NULL));
    calls[i] = ba_call_start(client, mailbox, request, NULL);
  }
  for(int i = 0; i < CALLS; i++) {
    struct ba_outcome out;
    assert_true(finish(mailbox, calls[i], &out));
    assert_true(out.ok);
    ba_call_release(calls[i]);
  }
  assert_true(most_inside <= 10 && most_inside > 3);
  assert_true(most_writes <= 3);
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  assert_int_equal(stats.in_flight + stats.queued, 0);
  ba_client_release(client);
  server_stop(server);
}

/* ---- tokens ---------------------------------------------------------------------------- */

static atomic_int good_token;

static void wants_a_token(struct exchange *exchange)
{
  char wanted[64];
  snprintf(wanted, sizeof(wanted), "Bearer token-%d", good_token);
  if(strcmp(request_header(exchange, "authorization"), wanted) == 0)
    reply(exchange, 200, "", "in");
  else
    reply(exchange, 401, "", "out");
}

/* Runs calls whose token comes from a function; `give` is the token's number,
 * 0: the function fails. Returns how often it was asked. */
static int run_with_function(struct ba_client *client, struct ba_credential *credential,
                             struct ba_call **calls, int count, int give)
{
  int asked = 0, left = count;
  double until = ba_now() + 20;
  while(left && ba_now() < until) {
    uint64_t ids[64];
    ba_mailbox_wait(mailbox, 0.2);
    ba_mailbox_drain(mailbox, ids, 64);
    left = 0;
    for(int i = 0; i < count; i++) {
      unsigned news = ba_call_news(calls[i]);
      left += !(news & BA_CALL_DONE);
      if(!(news & BA_CALL_ASK_TOKEN))
        continue;
      asked++;
      char token[32];
      struct ba_error why = {0};
      snprintf(token, sizeof(token), "token-%d", give);
      if(give)
        ba_credential_put(credential, token, strlen(token), 3600, ba_now(), NULL);
      else
        ba_error_set(&why, BA_AUTH, "nope", "no token today");
      ba_call_token_put(calls[i], give != 0, &why);
    }
  }
  (void)client;
  assert_int_equal(left, 0);
  return asked;
}

static void one_function_call_serves_all(void **state)
{
  (void)state;
  enum { CALLS = 20 };
  good_token = 7;
  struct server *server = server_start(wants_a_token, NULL);
  struct ba_credential *credential = ba_credential_function(NULL);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  static const int gives[] = {0, 7, 8};
  for(int round = 0; round < 3; round++) {
    struct ba_call *calls[CALLS];
    if(round == 2)
      good_token = 8; /* the server has changed its mind: 401, one renewal */
    for(int i = 0; i < CALLS; i++)
      calls[i] = ba_call_start(
          client, mailbox, make_request("POST", server_url(server, "/"), 0, BA_REPEAT_NEVER_SENT),
          NULL);
    assert_int_equal(run_with_function(client, credential, calls, CALLS, gives[round]), 1);
    for(int i = 0; i < CALLS; i++) {
      struct ba_outcome out;
      ba_call_outcome(calls[i], &out);
      assert_int_equal(out.ok, round > 0);
      if(!round) {
        assert_string_equal(out.error->message, "no token today");
        assert_int_equal(out.attempts, 0);
        assert_false(out.maybe_sent);
      }
      ba_call_release(calls[i]);
    }
  }
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

static void a_cancelled_asker_hands_the_question_on(void **state)
{
  (void)state;
  good_token = 1;
  struct server *server = server_start(wants_a_token, NULL);
  struct ba_credential *credential = ba_credential_function(NULL);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  struct ba_call *calls[2];
  for(int i = 0; i < 2; i++)
    calls[i] = ba_call_start(client, mailbox,
                             make_request("GET", server_url(server, "/"), 0, BA_REPEAT_SAFE), NULL);
  while(!(ba_call_news(calls[0]) & BA_CALL_ASK_TOKEN)) {
    uint64_t ids[8];
    assert_true(ba_mailbox_wait(mailbox, 10));
    ba_mailbox_drain(mailbox, ids, 8);
  }
  ba_call_cancel(calls[0]);
  assert_int_equal(run_with_function(client, credential, calls, 2, 1), 1);
  struct ba_outcome out;
  ba_call_outcome(calls[1], &out);
  assert_true(out.ok);
  ba_call_release(calls[0]);
  ba_call_release(calls[1]);
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

static atomic_int token_posts;

static void is_a_service_with_oauth(struct exchange *exchange)
{
  if(strcmp(exchange->path, "/token") != 0) {
    wants_a_token(exchange);
    return;
  }
  int count = atomic_fetch_add(&token_posts, 1);
  char answer[256];
  if(count == 0) {
    reply(exchange, 503, "Retry-After-Ms: 10\r\n", "");
    return;
  }
  snprintf(answer, sizeof(answer),
           "{\"access_token\":\"token-%d\",\"token_type\":\"bearer\",\"expires_in\":3600,"
           "\"refresh_token\":\"next\"}",
           good_token);
  reply(exchange, 200, "Content-Type: application/json\r\n",
        strstr(exchange->body, "refresh_token") ? answer : "{}");
}

/* The program keeps a refresh token that the call has news of; only then do calls go on. */
static bool take_renewed(struct ba_credential *credential, struct ba_call *call)
{
  struct ba_buffer fresh;
  ba_buffer_init(&fresh, 100);
  bool there = (ba_call_news(call) & BA_CALL_RENEWED) && ba_credential_renewed(credential, &fresh);
  if(there) {
    ba_credential_told(credential, &fresh);
    ba_call_token_put(call, true, NULL);
  }
  ba_buffer_free(&fresh);
  return there;
}

static void oauth_tokens_are_fetched_once(void **state)
{
  (void)state;
  enum { CALLS = 20 };
  good_token = 3;
  struct server *server = server_start(is_a_service_with_oauth, NULL);
  char token_url[256];
  snprintf(token_url, sizeof(token_url), "%s", server_url(server, "/token"));
  struct ba_oauth_refresh_options options = {.token_url = token_url,
                                             .client_id = "id",
                                             .client_secret = "secret",
                                             .client_secret_length = 6,
                                             .refresh_token = "first",
                                             .refresh_token_length = 5};
  struct ba_error err = {0};
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, &err);
  if(!credential)
    fail_msg("%s", err.message);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  for(int round = 0; round < 2; round++) {
    struct ba_call *calls[CALLS];
    bool renewed = false;
    good_token = 3 + round; /* the second round's first answers are 401 */
    for(int i = 0; i < CALLS; i++)
      calls[i] = ba_call_start(
          client, mailbox, make_request("POST", server_url(server, "/x"), 0, BA_REPEAT_NEVER_SENT),
          NULL);
    for(int i = 0; i < CALLS; i++) {
      struct ba_outcome out;
      double until = ba_now() + 20;
      unsigned news = 0;
      while(!(news & BA_CALL_DONE) && ba_now() < until) {
        uint64_t ids[64];
        for(int j = i; j < CALLS; j++)
          renewed = take_renewed(credential, calls[j]) || renewed;
        news = ba_call_news(calls[i]);
        if(!(news & BA_CALL_DONE))
          ba_mailbox_wait(mailbox, 0.2);
        ba_mailbox_drain(mailbox, ids, 64);
      }
      ba_call_outcome(calls[i], &out);
      if(!out.ok)
        fail_msg("%d: %s", round, out.error->message);
      ba_call_release(calls[i]);
    }
    assert_int_equal(renewed, round == 0);
    assert_false(ba_credential_has_renewed(credential));
    assert_int_equal(token_posts, 2 + round); /* the first was answered 503 */
  }
  struct ba_client_stats stats;
  ba_client_stats(client, &stats);
  assert_int_equal(stats.token_requests, 2);
  assert_true(stats.retries[BA_RETRY_AUTH] >= 1);
  assert_int_equal(stats.requests, 2 * CALLS);
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

/* ---- records ---------------------------------------------------------------------------- */

static void records_show_no_secret(void **state)
{
  (void)state;
  struct server *server = server_start(asks_for_a_moment, NULL);
  struct ba_credential *credential = ba_credential_bearer("S3CRET", 6, NULL);
  assert_true(ba_credential_bind(credential, server_url(server, "/"), false, NULL));
  struct ba_client *client = client_of((struct ba_client_settings){.credential = credential});
  struct ba_request_options options;
  struct ba_request *request =
      make_request("GET", server_url(server, "/x?api_key=S3CRET&a=1"), 2, BA_REPEAT_SAFE);
  ba_request_options_init(&options);
  options.record_attempts = true;
  assert_true(ba_request_set_options(request, &options, NULL));
  assert_true(ba_request_header(request, "X-Api-Key", "S3CRET", 6, NULL));
  assert_true(ba_request_header(request, "X-Plain", "seen", 4, NULL));
  struct ba_outcome out;
  struct ba_call *call = run_request(client, mailbox, request, &out);
  struct ba_attempt attempt;
  for(unsigned number = 1; number <= 2; number++) {
    bool plain = false;
    assert_true(ba_call_next_attempt(call, &attempt));
    assert_int_equal(attempt.number, number);
    assert_int_equal(attempt.status, number == 1 ? 503 : 200);
    assert_int_equal(attempt.kind, number == 1 ? BA_HTTP : BA_OK);
    assert_true(number == 1 ? attempt.retry_in > 0 : attempt.retry_in < 0);
    assert_null(strstr(attempt.url, "S3CRET"));
    assert_non_null(strstr(attempt.url, "a=1"));
    for(size_t i = 0; i < attempt.request_header_count; i++) {
      assert_null(strstr(attempt.request_headers[i].value, "S3CRET"));
      plain = plain || strcmp(attempt.request_headers[i].value, "seen") == 0;
    }
    assert_true(plain);
    assert_true(attempt.bytes_sent > 0 && attempt.bytes_received > 0);
  }
  assert_false(ba_call_next_attempt(call, &attempt));
  ba_call_release(call);
  ba_client_release(client);
  ba_credential_release(credential);
  server_stop(server);
}

/* ---- networks ---------------------------------------------------------------------------- */

static void names_its_host(struct exchange *exchange)
{
  char text[2200];
  snprintf(text, sizeof(text), "%s|%s", exchange->path, request_header(exchange, "host"));
  reply(exchange, 200, "", text);
}

static void unix_sockets_are_reached(void **state)
{
  (void)state;
  char path[] = "/tmp/ba-socket-XXXXXX";
  assert_non_null(mkdtemp(path));
  char name[64];
  snprintf(name, sizeof(name), "%s/s", path);
  struct server *server = server_start_unix(name, names_its_host, NULL);
  struct ba_client *client = client_of((struct ba_client_settings){.unix_socket = name});
  struct ba_outcome out;
  struct ba_call *call =
      run_request(client, mailbox, make_request("GET", "http://there/x", 0, BA_REPEAT_SAFE), &out);
  assert_string_equal(out.body, "/x|there");
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
  remove(name);
  remove(path);
}

static void ipv6_is_reached(void **state)
{
  (void)state;
  struct server *server = server_start_ipv6(names_its_host, NULL);
  if(!server)
    skip(); /* this machine has none */
  struct ba_client *client = client_of((struct ba_client_settings){0});
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/six"), 0, BA_REPEAT_SAFE), &out);
  assert_true(out.ok);
  assert_memory_equal(out.body, "/six|[::1]", 10);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

static void the_environments_proxies_are_not_for_this_machine(void **state)
{
  (void)state;
  struct server *server = server_start(names_its_host, NULL);
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("no_proxy", "nowhere.invalid", 1);
  struct ba_client *client = ba_client_new(&(struct ba_client_settings){0}, NULL);
  unsetenv("http_proxy");
  unsetenv("no_proxy");
  struct ba_outcome out;
  struct ba_call *call = run_request(
      client, mailbox, make_request("GET", server_url(server, "/x"), 0, BA_REPEAT_SAFE), &out);
  assert_true(out.ok);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

static void proxies_come_from_option_and_environment(void **state)
{
  (void)state;
  struct server *server = server_start(names_its_host, NULL);
  for(int from_environment = 0; from_environment < 3; from_environment++) {
    struct ba_client_settings settings = {0};
    char proxy[256];
    snprintf(proxy, sizeof(proxy), "%s", server_url(server, ""));
    if(from_environment) {
      setenv("http_proxy", proxy, 1);
      if(from_environment == 2)
        setenv("no_proxy", "nowhere.invalid", 1);
    } else
      settings.proxy = proxy;
    struct ba_client *client = ba_client_new(&settings, NULL);
    unsetenv("http_proxy");
    unsetenv("no_proxy");
    struct ba_outcome out;
    struct ba_call *call = run_request(
        client, mailbox, make_request("GET", "http://nowhere.invalid/x", 0, BA_REPEAT_SAFE), &out);
    if(from_environment == 2) {
      assert_int_equal(out.error->kind, BA_CONNECT); /* no_proxy: no such host */
      assert_false(out.maybe_sent);
    } else
      assert_string_equal(out.body, "http://nowhere.invalid/x|nowhere.invalid");
    ba_call_release(call);
    ba_client_release(client);
  }
  server_stop(server);
}

static void refuses_to_connect(struct exchange *exchange)
{
  reply(exchange, 407, "Proxy-Authenticate: Basic\r\n", "");
}

static void a_proxy_that_refuses_is_a_connect_failure(void **state)
{
  (void)state;
  struct server *server = server_start(refuses_to_connect, NULL);
  struct ba_client_settings settings = {.proxy = server_url(server, "")};
  struct ba_client *client = ba_client_new(&settings, NULL);
  struct ba_outcome out;
  struct ba_call *call =
      run_request(client, mailbox,
                  make_request("POST", "https://nowhere.invalid/x", 0, BA_REPEAT_NEVER_SENT), &out);
  assert_int_equal(out.error->kind, BA_CONNECT);
  assert_int_equal(out.status, 0);
  assert_false(out.maybe_sent);
  ba_call_release(call);
  ba_client_release(client);
  server_stop(server);
}

/* Each variable that may name a proxy, and what for; HTTP_PROXY in capitals
 * comes from a request where the program is a CGI. */
static void the_environment_has_a_proxy_for_each_scheme(void **state)
{
  (void)state;
  static const struct {
    const char *variable;
    bool http, https;
  } cases[] = {{"http_proxy", true, false},  {"https_proxy", false, true},
               {"HTTPS_PROXY", false, true}, {"all_proxy", true, true},
               {"ALL_PROXY", true, true},    {"HTTP_PROXY", false, false}};
  struct server *server = server_start(refuses_to_connect, NULL);
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for(int tls = 0; tls < 2; tls++) {
      setenv(cases[i].variable, server_url(server, ""), 1);
      struct ba_client *client = ba_client_new(&(struct ba_client_settings){0}, NULL);
      unsetenv(cases[i].variable);
      unsigned before = server_requests(server);
      const char *url = tls ? "https://nowhere.invalid/" : "http://nowhere.invalid/";
      struct ba_outcome out;
      struct ba_call *call =
          run_request(client, mailbox, make_request("GET", url, 0, BA_REPEAT_SAFE), &out);
      assert_false(out.ok);
      assert_int_equal(server_requests(server) - before, tls ? cases[i].https : cases[i].http);
      ba_call_release(call);
      ba_client_release(client);
    }
  }
  server_stop(server);
}

static int set_up(void **state)
{
  (void)state;
  static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "HTTP_PROXY",  "no_proxy",    "NO_PROXY"};
  for(size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++)
    unsetenv(proxies[i]); /* whoever runs the tests may have some */
  mailbox = ba_engine_load(NULL) ? ba_mailbox_new(NULL) : NULL;
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_mailbox_delete(mailbox);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_delay_beyond_the_deadline_fails_at_once),
      cmocka_unit_test(a_delay_is_obeyed),
      cmocka_unit_test(an_echoed_secret_is_hidden),
      cmocka_unit_test(a_wait_for_a_retry_can_be_cancelled),
      cmocka_unit_test(the_service_has_the_last_word),
      cmocka_unit_test(answers_have_caps),
      cmocka_unit_test(redirects_are_followed_only_where_allowed),
      cmocka_unit_test(limits_hold_and_let_everyone_through),
      cmocka_unit_test(one_function_call_serves_all),
      cmocka_unit_test(a_cancelled_asker_hands_the_question_on),
      cmocka_unit_test(oauth_tokens_are_fetched_once),
      cmocka_unit_test(records_show_no_secret),
      cmocka_unit_test(unix_sockets_are_reached),
      cmocka_unit_test(ipv6_is_reached),
      cmocka_unit_test(the_environments_proxies_are_not_for_this_machine),
      cmocka_unit_test(proxies_come_from_option_and_environment),
      cmocka_unit_test(a_proxy_that_refuses_is_a_connect_failure),
      cmocka_unit_test(the_environment_has_a_proxy_for_each_scheme),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
