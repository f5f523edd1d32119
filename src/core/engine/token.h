/* Fetching tokens for the calls that wait for one (I/O thread). However many
 * calls wait for one credential, one exchange runs, or one of them is asked. */
#ifndef BA_TOKEN_H
#define BA_TOKEN_H

#include "wire/internal.h"

/* May an attempt begin, as far as its credential is concerned? */
bool ba_token_ready(struct ba_call *call);
/* Puts the call in wait; ba_flow_next() is called when there is a token, or
 * the call ends with the reason why there is none. */
void ba_token_wait(struct ba_call *call);
void ba_token_abandon(struct ba_call *call); /* it waits no more; may not have waited */
/* While it is held no exchange begins and none is looked for: calls that end
 * in one go would each look through those that are left. */
void ba_token_hold(bool hold);
void ba_token_answered(struct ba_call *call); /* ba_call_token_put() was called */
/* The server refused the token of the attempt that has just ended: true if
 * another may help. */
bool ba_token_refused(struct ba_call *call);
/* In the child: the parent's exchanges are not ours to wait for. */
void ba_token_after_fork(void);

#endif
