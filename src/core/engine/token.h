/* Tokens for those who wait for one. However many wait for one credential, one
 * exchange with its server runs, or one of them is asked. Whoever carries the
 * exchange on the wire is above this file (exchange.c). I/O thread only. */
#ifndef BA_TOKEN_H
#define BA_TOKEN_H

#include "batchapi/credential.h"

struct ba_token_fetch;
struct ba_token_wait;

/* What one who waits is told. */
struct ba_token_waiter {
  void (*ready)(struct ba_token_wait *wait); /* there is a token */
  void (*failed)(struct ba_token_wait *wait, const struct ba_error *why);
  /* Why the exchange failed may pass, or not: told before failed(). */
  void (*passes)(struct ba_token_wait *wait, bool passes, double retry_after);
  /* It is the one that is asked for a token; or that must hand a renewed refresh
   * token on. ba_token_answered() follows. */
  void (*asked)(struct ba_token_wait *wait, bool renewed);
  /* May an exchange go over its transport? */
  bool (*is_open)(struct ba_token_wait *wait);
};

/* Lies with whoever waits; zeroed but for the waiter, it waits for nothing. */
struct ba_token_wait {
  const struct ba_token_waiter *waiter;
  struct ba_token_fetch *fetch;
  struct ba_token_wait *previous, *next;
};

/* What an exchange came to. */
struct ba_token_answer {
  const struct ba_error *error; /* NULL: a whole answer below 300 */
  int status;                   /* 0: none */
  const char *body;
  size_t length;
  const char *date; /* of its head; or NULL */
  bool retryable;
  double retry_after;
};

/* Is there a token that may be used now? */
bool ba_token_is_ready(struct ba_credential *credential, double now);
/* Puts it in line for one. False: no memory. */
bool ba_token_wait(struct ba_token_wait *wait, struct ba_credential *credential, double now);
void ba_token_abandon(struct ba_token_wait *wait, double now); /* may not have waited */
/* While it is held no exchange begins and none is looked for: calls that end
 * in one go would each look through those that are left. */
void ba_token_hold(bool hold, double now);
/* What was asked for is there, or will not come. */
void ba_token_answered(struct ba_token_wait *wait, const struct ba_error *failure, double now);

/* Who carries an exchange over the transport of one who waits: it begins, and
 * ba_token_exchanged() is called when it is over, or false. Set once. */
void ba_token_carried_by(bool (*carry)(struct ba_token_fetch *fetch, struct ba_token_wait *via,
                                       struct ba_error *err));
struct ba_credential *ba_token_credential(const struct ba_token_fetch *fetch);
void ba_token_exchanged(struct ba_token_fetch *fetch, const struct ba_token_answer *answer,
                        double now);

/* In the child: the parent's exchanges are not ours to wait for. */
void ba_tokens_in_child(void);

#endif
