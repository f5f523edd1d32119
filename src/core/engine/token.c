#include "engine/token.h"

#include "auth/jwt.h"
#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "batchapi/http_date.h"

#include <string.h>

struct ba_token_fetch {
  struct ba_token_fetch *next;
  struct ba_credential *credential;
  struct ba_token_wait *first, *last; /* who waits */
  struct ba_token_wait *asked;        /* who was asked, and has not answered */
  bool exchanging;                    /* an exchange is on the wire */
  bool due;                           /* to be driven when it is not held any more */
};

static struct ba_token_fetch *all; /* I/O */
static bool held;                  /* I/O */
static bool (*carry)(struct ba_token_fetch *fetch, struct ba_token_wait *via, struct ba_error *err);

static void drive(struct ba_token_fetch *fetch, double now);

void ba_token_carried_by(bool (*by)(struct ba_token_fetch *fetch, struct ba_token_wait *via,
                                    struct ba_error *err))
{
  carry = by;
}

struct ba_credential *ba_token_credential(const struct ba_token_fetch *fetch)
{
  return fetch->credential;
}

bool ba_token_is_ready(struct ba_credential *credential, double now)
{
  return ba_credential_state(credential, now) == BA_CREDENTIAL_READY &&
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
 * who goes on may come back here. */
static void release_all(struct ba_token_fetch *fetch, const struct ba_error *failure)
{
  struct ba_token_wait *waiting = fetch->first;
  for(struct ba_token_wait *wait = waiting; wait; wait = wait->next)
    wait->fetch = NULL;
  fetch->first = fetch->last = fetch->asked = NULL;
  if(!fetch->exchanging)
    forget(fetch);
  while(waiting) {
    struct ba_token_wait *wait = waiting;
    waiting = wait->next;
    wait->previous = wait->next = NULL;
    if(failure)
      wait->waiter->failed(wait, failure);
    else
      wait->waiter->ready(wait);
  }
}

/* A signed assertion is refused when its times are, and no server says so. */
static void blame_clock(const struct ba_token_fetch *fetch, const char *date,
                        struct ba_error *failure)
{
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
static void tell_whether_it_passes(struct ba_token_fetch *fetch,
                                   const struct ba_token_answer *answer,
                                   const struct ba_error *failure)
{
  bool passes = answer->error ? answer->retryable : failure->kind == BA_DECODE;
  for(struct ba_token_wait *wait = fetch->first; wait; wait = wait->next)
    wait->waiter->passes(wait, passes, answer->retry_after);
}

void ba_token_exchanged(struct ba_token_fetch *fetch, const struct ba_token_answer *answer,
                        double now)
{
  struct ba_error failure;
  const struct ba_error *why = answer->error;
  fetch->exchanging = false;
  if(why && (why->kind == BA_CLOSED || why->kind == BA_CANCELLED)) {
    drive(fetch, now); /* its client was closed; others may still want the token */
    return;
  }
  if(ba_credential_feed(fetch->credential, answer->status, answer->body, answer->length, why, now,
                        &failure)) {
    drive(fetch, now);
  } else {
    blame_clock(fetch, answer->date, &failure);
    tell_whether_it_passes(fetch, answer, &failure);
    release_all(fetch, &failure);
  }
}

/* Whose transport carries the exchange: that of one who waits, and whose client
 * is not being closed. NULL: there is none. */
static struct ba_token_wait *open_transport(const struct ba_token_fetch *fetch)
{
  struct ba_token_wait *wait = fetch->first;
  while(wait && !wait->waiter->is_open(wait))
    wait = wait->next;
  return wait;
}

static void exchange(struct ba_token_fetch *fetch)
{
  struct ba_error failure;
  struct ba_token_wait *via = open_transport(fetch);
  if(!via)
    return;
  fetch->exchanging = true; /* it may be over before carry() returns */
  if(carry(fetch, via, &failure))
    return;
  fetch->exchanging = false;
  release_all(fetch, &failure);
}

/* One of those that wait does what is to be done. */
static void ask_first(struct ba_token_fetch *fetch, bool renewed)
{
  if(fetch->asked)
    return;
  fetch->asked = fetch->first;
  fetch->asked->waiter->asked(fetch->asked, renewed);
}

static void drive(struct ba_token_fetch *fetch, double now)
{
  fetch->due = held;
  if(held || fetch->exchanging)
    return;
  if(!fetch->first) {
    forget(fetch);
    return;
  }
  switch(ba_credential_state(fetch->credential, now)) {
  case BA_CREDENTIAL_READY:
    /* Who has the new refresh token has it before the access token is used: a
     * program that ends in between would have neither. */
    if(ba_credential_has_renewed(fetch->credential))
      ask_first(fetch, true);
    else
      release_all(fetch, NULL);
    return;
  case BA_CREDENTIAL_FETCH:
    exchange(fetch);
    return;
  case BA_CREDENTIAL_ASK:
    ask_first(fetch, false);
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

void ba_token_hold(bool hold, double now)
{
  struct ba_token_fetch *fetch;
  held = hold;
  while(!held && (fetch = first_due()) != NULL)
    drive(fetch, now);
}

void ba_tokens_in_child(void)
{
  held = false;
  while(all)
    forget(all);
}

bool ba_token_wait(struct ba_token_wait *wait, struct ba_credential *credential, double now)
{
  struct ba_token_fetch *fetch = fetch_for(credential);
  if(!fetch)
    return false;
  wait->fetch = fetch;
  wait->next = NULL;
  wait->previous = fetch->last;
  if(fetch->last)
    fetch->last->next = wait;
  else
    fetch->first = wait;
  fetch->last = wait;
  drive(fetch, now);
  return true;
}

void ba_token_abandon(struct ba_token_wait *wait, double now)
{
  struct ba_token_fetch *fetch = wait->fetch;
  if(!fetch)
    return;
  if(wait->previous)
    wait->previous->next = wait->next;
  else
    fetch->first = wait->next;
  if(wait->next)
    wait->next->previous = wait->previous;
  else
    fetch->last = wait->previous;
  wait->previous = wait->next = NULL;
  wait->fetch = NULL;
  if(fetch->asked == wait)
    fetch->asked = NULL;
  drive(fetch, now);
}

void ba_token_answered(struct ba_token_wait *wait, const struct ba_error *failure, double now)
{
  struct ba_token_fetch *fetch = wait->fetch;
  struct ba_error expired;
  if(!fetch || fetch->asked != wait)
    return;
  fetch->asked = NULL;
  if(!failure && ba_credential_state(fetch->credential, now) == BA_CREDENTIAL_ASK) {
    ba_error_set(&expired, BA_AUTH, NULL, "the token function gave a token that has expired");
    failure = &expired;
  }
  if(failure)
    release_all(fetch, failure);
  else
    drive(fetch, now);
}
