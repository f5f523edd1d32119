/* What a call is, for the files that carry it through its life: call.c (made,
 * told of, freed), flow.c (what it does next), exchange.c (calls of our own)
 * and engine.c (the thread). Two kinds of data:
 *   LOCK  guarded by the lock of queue.h;
 *   I/O   touched by the I/O thread only, until the call is done.
 * What is set before a call starts and never again needs neither.
 *
 * Who counts on what: a call holds its client and its mailbox; a client holds
 * its shared part; nothing holds a call but its user, the engine, and the
 * queue of orders. */
#ifndef BA_CALL_STATE_H
#define BA_CALL_STATE_H

#include "batchapi/call.h"
#include "engine/client_state.h"
#include "engine/limiter.h"
#include "engine/queue.h"
#include "engine/records.h"
#include "engine/timers.h"
#include "engine/token.h"
#include "wire/transfer.h"

enum ba_command {
  BA_COMMAND_START = 1,
  BA_COMMAND_CANCEL = 2,
  BA_COMMAND_RESUME = 4, /* a paused direction may go on */
  BA_COMMAND_TOKEN = 8   /* the token function has answered */
};

enum ba_call_state {
  BA_CALL_NEW,
  BA_CALL_WAITS_TOKEN,
  BA_CALL_WAITS_TURN,
  BA_CALL_RUNS,
  BA_CALL_WAITS_RETRY,
  BA_CALL_ENDED
};

/* Of a call of our own, in the I/O thread: it is over; it is about to be repeated. */
struct ba_own_call {
  void (*ended)(struct ba_call *call, void *user);
  bool (*again)(struct ba_call *call, void *user, struct ba_error *err); /* or NULL */
};

struct ba_call {
  struct ba_notice notice; /* its id is the call's */
  struct ba_client *client;
  struct ba_mailbox *mailbox;    /* NULL: a call of our own */
  const struct ba_own_call *own; /* NULL: a user's */
  void *user;
  double started, deadline; /* monotonic; < 0: none */
  bool prepared;

  /* LOCK */
  unsigned references;
  unsigned news;
  struct ba_orders orders;
  bool owned; /* the user has not released it */
  bool done;
  bool token_ok;
  struct ba_error *token_error;
  struct ba_records records;
  struct ba_call *next_dead;

  /* I/O */
  enum ba_call_state state;
  struct ba_timers *timers;
  unsigned fresh_news; /* to be published */
  bool listed;         /* in the list of those */
  struct ba_call *next_fresh;
  struct ba_call *previous, *next; /* all that run */
  struct ba_call *next_swept;      /* to be ended in one go */
  bool orphan;                     /* of those: its mailbox has gone */
  struct ba_timer timer;
  struct ba_ticket ticket;
  struct ba_token_wait wait;
  struct ba_transfer transfer;
  unsigned attempts, retries;
  bool renewed; /* the 401 of this call was answered with a new token once */
  bool sent;    /* some attempt may have reached the server */
  double retry_after;

  /* the outcome */
  struct ba_error *error; /* NULL: none yet, or no memory for one */
  bool ok, retryable, reused;
  double ended_at;
  struct ba_header_view *views;
  size_t view_count, trailer_count, view_room; /* trailers lie behind the headers */
};

/* Consumes the request. Holds its client and its mailbox; one reference. NULL:
 * no memory, or it cannot be prepared. */
struct ba_call *ba_call_make(struct ba_client *client, struct ba_mailbox *mailbox,
                             struct ba_request *request, struct ba_error *err);
/* Keeps what went wrong last. Most calls need none: it has a block of its own. */
void ba_call_keep_error(struct ba_call *call, const struct ba_error *error);
const struct ba_error *ba_call_error(const struct ba_call *call); /* of one that failed */
/* I/O: what its attempt did, for statistics and for a record of it. */
void ba_call_take_stock(struct ba_call *call);
void ba_call_keep_record(struct ba_call *call, const struct ba_error *error, double retry_in);
/* I/O: it is over, all right or with that error. */
void ba_call_settle(struct ba_call *call, const struct ba_error *error);

/* One reference less. */
void ba_call_drop(struct ba_call *call);
void ba_call_drop_locked(struct ba_call *call, struct ba_call **dead);
void ba_call_free_list(struct ba_call *dead); /* outside the lock */

/* I/O: news, to be published before the thread sleeps; published. */
void ba_call_tell(struct ba_call *call, unsigned news);
void ba_calls_publish_locked(struct ba_call **dead);
void ba_call_command_locked(struct ba_call *call, unsigned command);
/* In a child of fork: the call ends here, whatever the I/O thread held of it is
 * out of reach; so do those whose end was not told yet. */
void ba_call_orphaned_locked(struct ba_call *call, const struct ba_error *why);
void ba_calls_in_child(const struct ba_error *why);

#endif
