/* What a client is, for client.c, which owns it, and for the files that carry
 * its calls (call.c, flow.c, exchange.c, engine.c). */
#ifndef BA_CLIENT_STATE_H
#define BA_CLIENT_STATE_H

#include "batchapi/client.h"
#include "engine/limiter.h"
#include "wire/network.h"

#include <stdatomic.h>

struct ba_counters {
  _Atomic uint64_t requests, attempts, succeeded, failed;
  _Atomic uint64_t connections_opened, connections_reused;
  _Atomic uint64_t bytes_sent, bytes_received;
  _Atomic uint64_t retries[BA_RETRY_REASONS];
  _Atomic uint64_t token_requests;
};

/* What derived clients have in common. */
struct ba_shared {
  unsigned references;                         /* LOCK */
  struct ba_shared *previous_made, *next_made; /* LOCK: all of the process, for fork */
  struct ba_counters counters;
  struct ba_limits limits; /* I/O */
};

enum { BA_ALLOWED_MAX = 128 };

struct ba_client {
  unsigned references; /* LOCK */
  bool closed;         /* LOCK */
  struct ba_shared *shared;
  unsigned max_connections;
  struct ba_network network;
  struct ba_credential *credential;
  char allowed[BA_ALLOWED_MAX]; /* I/O: scheme and authority the credential goes to */
};

static inline void ba_count(_Atomic uint64_t *counter, uint64_t by)
{
  atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

void ba_client_retain_locked(struct ba_client *client);
bool ba_client_release_locked(struct ba_client *client); /* true: it was the last one */
void ba_client_free(struct ba_client *client);           /* outside the lock */
/* Under the lock: may calls of it begin and go on? */
static inline bool ba_client_is_open(const struct ba_client *client)
{
  return !client->closed;
}
/* I/O: may its credential go to that URL? */
bool ba_client_allows(struct ba_client *client, const char *url);
void ba_clients_in_child(void);

#endif
