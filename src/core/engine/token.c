#include "engine/token.h"

#include "auth/jwt.h"
#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "batchapi/http_date.h"

#include <string.h>

static const double EXCHANGE_TIMEOUT = 30;
enum { EXCHANGE_BODY_MAX = 1 << 20 };

struct ba_token_fetch {
  struct ba_token_fetch *next;
  struct ba_credential *credential;
  struct ba_call *first, *last; /* who waits */
  struct ba_call *exchange;     /* our own call on the wire */
  struct ba_call *asked;        /* whose token function runs */
  bool due;                     /* to be driven when it is not held any more */
};

static struct ba_token_fetch *all; /* I/O */
static bool held;                  /* I/O */

static void drive(struct ba_token_fetch *fetch);

bool ba_token_ready(struct ba_call *call)
{
  if(!call->proves)
    return true;
  struct ba_credential *credential = call->client->credential;
  return ba_credential_state(credential, ba_engine.now) == BA_CREDENTIAL_READY &&
         !ba_credential_has_renewed(credential);
}

static void forget(struct ba_token_fetch *fetch)
{
  struct ba_token_fetch **at = &all;
  while(*at != fetch)
    at = &(*at)->next;
  *at = fetch->next;
  ba_credential_release(fetch->credential);
  ba_free(fetch);
}

static struct ba_token_fetch *fetch_for(struct ba_credential *credential)
{
  for(struct ba_token_fetch *fetch = all; fetch; fetch = fetch->next) {
    if(fetch->credential == credential)
      return fetch;
  }
  struct ba_token_fetch *fetch = ba_calloc(1, sizeof(*fetch));
  if(!fetch)
    return NULL;
  fetch->credential = ba_credential_retain(credential);
  fetch->next = all;
  all = fetch;
  return fetch;
}

/* Whoever waits at this moment goes on, or ends. The list is taken off first:
 * a call that goes on may come back here. */
static void release_all(struct ba_token_fetch *fetch, const struct ba_error *failure)
{
  struct ba_call *waiting = fetch->first;
  for(struct ba_call *call = waiting; call; call = call->next_for_token)
    call->fetch = NULL;
  fetch->first = fetch->last = fetch->asked = NULL;
  bool idle = fetch->exchange == NULL;
  if(idle)
    forget(fetch);
  while(waiting) {
    struct ba_call *call = waiting;
    waiting = call->next_for_token;
    call->previous_for_token = call->next_for_token = NULL;
    if(failure)
      ba_flow_end(call, failure);
    else
      ba_flow_next(call);
  }
}

/* A signed assertion is refused when its times are, and no server says so. */
static void blame_clock(const struct ba_token_fetch *fetch, struct ba_call *exchange,
                        struct ba_error *failure)
{
  const char *date = ba_head_get(&exchange->head, "date");
  int64_t theirs, ours = (int64_t)ba_wall();
  if(failure->kind != BA_AUTH || !date || !ba_http_date(date, ours, &theirs) ||
     strcmp(ba_credential_kind(fetch->credential), "oauth_client") != 0)
    return;
  long long ahead = (long long)(ours - theirs);
  if(ahead >= -BA_ASSERTION_SKEW && ahead <= BA_ASSERTION_SKEW)
    return;
  struct ba_error why = *failure;
  ba_error_set(failure, why.kind, why.code, "%s (this machine's clock is %lld s %s the service's)",
               why.message, ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
}

/* Why the exchange failed may pass: then so may what waited for its token. A
 * page in the place of JSON is a gateway's. */
static void tell_whether_it_passes(struct ba_token_fetch *fetch, const struct ba_call *exchange,
                                   const struct ba_error *failure)
{
  bool passes = exchange->ok ? failure->kind == BA_DECODE : exchange->retryable;
  for(struct ba_call *call = fetch->first; call; call = call->next_for_token) {
    call->retryable = passes;
    call->retry_after = exchange->retry_after;
  }
}

/* The exchange is over: its answer goes to the credential. */
static void exchange_ended(struct ba_call *exchange, void *user)
{
  struct ba_token_fetch *fetch = user;
  struct ba_error failure;
  fetch->exchange = NULL;
  const struct ba_error *why = ba_call_error(exchange);
  bool stopped = why->kind == BA_CLOSED || why->kind == BA_CANCELLED;
  if(stopped && !exchange->ok) {
    drive(fetch); /* its client was closed; others may still want the token */
    return;
  }
  int status = exchange->ok || exchange->head.status >= 300 ? exchange->head.status : 0;
  const char *body = exchange->sink.body.bytes ? exchange->sink.body.bytes : "";
  if(ba_credential_feed(fetch->credential, status, body, exchange->sink.body.length,
                        exchange->ok ? NULL : why, ba_engine.now, &failure)) {
    drive(fetch);
  } else {
    blame_clock(fetch, exchange, &failure);
    tell_whether_it_passes(fetch, exchange, &failure);
    release_all(fetch, &failure);
  }
}

static struct ba_request *make_request(const struct ba_exchange *next, struct ba_error *err)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new(next->method, next->url, err);
  if(!request)
    return NULL;
  ba_request_options_init(&options);
  options.timeout = EXCHANGE_TIMEOUT;
  options.max_body_bytes = EXCHANGE_BODY_MAX;
  options.no_credential = true;
  bool ok = ba_request_set_options(request, &options, err) &&
            ba_request_header(request, "Accept", "application/json", 16, err);
  if(ok && next->body.length)
    ok = ba_request_header(request, "Content-Type", "application/x-www-form-urlencoded", 33, err) &&
         ba_request_body(request, next->body.bytes, next->body.length, err);
  if(!ok) {
    ba_request_delete(request);
    return NULL;
  }
  request->secret_body = true;
  return request;
}

/* A signed assertion is good once, even if its first answer was lost: an
 * attempt that is repeated carries a new one. */
static bool sign_anew(struct ba_call *exchange, void *user, struct ba_error *err)
{
  struct ba_token_fetch *fetch = user;
  struct ba_request *request = exchange->request;
  struct ba_exchange next = {0};
  if(!ba_credential_next(fetch->credential, (int64_t)ba_wall(), &next, err))
    return false;
  ba_wipe_free(request->source.bytes, (size_t)request->source.length);
  request->source.length = (int64_t)next.body.length;
  request->source.bytes = ba_buffer_take(&next.body, NULL);
  ba_exchange_free(&next);
  return true;
}

/* Whose transport carries the exchange: that of a call that waits, and whose
 * client is not being closed. NULL: there is none. */
static struct ba_client *open_client(const struct ba_token_fetch *fetch)
{
  struct ba_client *found = NULL;
  ba_lock();
  for(struct ba_call *call = fetch->first; call && !found; call = call->next_for_token) {
    if(!call->client->closed)
      found = call->client;
  }
  ba_unlock();
  return found;
}

static bool start_exchange(struct ba_token_fetch *fetch, struct ba_client *client,
                           struct ba_error *err)
{
  struct ba_exchange next = {0};
  if(!ba_credential_next(fetch->credential, (int64_t)ba_wall(), &next, err))
    return false;
  bool asks_token = next.body.length > 0; /* else discovery */
  struct ba_request *request = make_request(&next, err);
  ba_exchange_free(&next);
  struct ba_call *call = request ? ba_call_make(client, NULL, request, err) : NULL;
  if(!call)
    return false;
  if(asks_token)
    ba_count(&client->shared->counters.token_requests, 1);
  call->ended = exchange_ended;
  call->again = asks_token ? sign_anew : NULL;
  call->user = fetch;
  fetch->exchange = call;
  ba_flow_start(call); /* drops the one reference when it ends */
  return true;
}

/* One of those that wait does what is to be done. */
static void ask_first(struct ba_token_fetch *fetch, unsigned news)
{
  if(fetch->asked)
    return;
  fetch->asked = fetch->first;
  ba_engine_news(fetch->asked, news);
}

static void drive(struct ba_token_fetch *fetch)
{
  struct ba_error failure;
  struct ba_client *client;
  fetch->due = held;
  if(held || fetch->exchange)
    return;
  if(!fetch->first) {
    forget(fetch);
    return;
  }
  switch(ba_credential_state(fetch->credential, ba_engine.now)) {
  case BA_CREDENTIAL_READY:
    /* Who has the new refresh token has it before the access token is used: a
     * program that ends in between would have neither. */
    if(ba_credential_has_renewed(fetch->credential))
      ask_first(fetch, BA_CALL_RENEWED);
    else
      release_all(fetch, NULL);
    return;
  case BA_CREDENTIAL_FETCH:
    client = open_client(fetch);
    if(client && !start_exchange(fetch, client, &failure))
      release_all(fetch, &failure);
    return;
  case BA_CREDENTIAL_ASK:
    ask_first(fetch, BA_CALL_ASK_TOKEN);
    return;
  }
}

static struct ba_token_fetch *first_due(void)
{
  struct ba_token_fetch *fetch = all;
  while(fetch && !fetch->due)
    fetch = fetch->next;
  return fetch;
}

void ba_token_hold(bool hold)
{
  struct ba_token_fetch *fetch;
  held = hold;
  while(!held && (fetch = first_due()) != NULL)
    drive(fetch);
}

void ba_token_after_fork(void)
{
  held = false;
  while(all)
    forget(all);
}

void ba_token_wait(struct ba_call *call)
{
  struct ba_token_fetch *fetch = fetch_for(call->client->credential);
  if(!fetch) {
    struct ba_error error;
    ba_error_nomem(&error);
    ba_flow_end(call, &error);
    return;
  }
  call->fetch = fetch;
  call->next_for_token = NULL;
  call->previous_for_token = fetch->last;
  if(fetch->last)
    fetch->last->next_for_token = call;
  else
    fetch->first = call;
  fetch->last = call;
  drive(fetch);
}

void ba_token_abandon(struct ba_call *call)
{
  struct ba_token_fetch *fetch = call->fetch;
  if(!fetch)
    return;
  struct ba_call *before = call->previous_for_token, *after = call->next_for_token;
  if(before)
    before->next_for_token = after;
  else
    fetch->first = after;
  if(after)
    after->previous_for_token = before;
  else
    fetch->last = before;
  call->previous_for_token = call->next_for_token = NULL;
  call->fetch = NULL;
  if(fetch->asked == call)
    fetch->asked = NULL;
  drive(fetch);
}

void ba_token_answered(struct ba_call *call)
{
  struct ba_token_fetch *fetch = call->fetch;
  if(!fetch || fetch->asked != call)
    return;
  fetch->asked = NULL;
  ba_lock();
  bool ok = call->token_ok;
  struct ba_error failure;
  ba_error_nomem(&failure);
  if(call->token_error)
    failure = *call->token_error;
  ba_unlock();
  if(ok && ba_credential_state(fetch->credential, ba_engine.now) == BA_CREDENTIAL_ASK) {
    ok = false;
    ba_error_set(&failure, BA_AUTH, NULL, "the token function gave a token that has expired");
  }
  if(ok)
    drive(fetch);
  else
    release_all(fetch, &failure);
}

bool ba_token_refused(struct ba_call *call)
{
  return call->transfer.carries_token && !call->renewed &&
         ba_credential_reject(call->client->credential, call->transfer.generation);
}
