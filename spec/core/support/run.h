/* Running calls from C tests. */
#ifndef SPEC_RUN_H
#define SPEC_RUN_H

#include "batchapi/batchapi.h"

/* A client without an environment's proxy. */
struct ba_client *plain_client(void);
/* Whose renewed refresh tokens finish() takes; NULL: nobody's. */
extern struct ba_credential *renewed_by_finish;
/* Waits (at most 20 s) until the call is done; gives its outcome. */
bool finish(struct ba_mailbox *mailbox, struct ba_call *call, struct ba_outcome *out);
/* Starts it and waits. The caller releases the call. */
struct ba_call *run_request(struct ba_client *client, struct ba_mailbox *mailbox,
                            struct ba_request *request, struct ba_outcome *out);
/* A request with short waits: timeout 10 s, retries as given. */
struct ba_request *make_request(const char *method, const char *url, int retries,
                                enum ba_repeat repeat);

#endif
