#include "engine/client_state.h"

#include "batchapi/alloc.h"
#include "engine/queue.h"

#include <stdio.h>
#include <string.h>

static struct ba_shared *made; /* LOCK: what all clients have in common with others */

static bool copy_settings(struct ba_client *client, const struct ba_client_settings *settings,
                          struct ba_error *err)
{
  const struct ba_network_settings network = {
      .proxy = settings->proxy,
      .ca_file = settings->ca_file,
      .client_cert = settings->client_cert,
      .client_key = settings->client_key,
      .unix_socket = settings->unix_socket,
      .http_version = settings->http_version,
      .user_agent = settings->user_agent,
      .home = settings->home,
  };
  client->max_connections =
      settings->max_connections ? settings->max_connections : BA_DEFAULT_MAX_CONNECTIONS;
  if(!ba_network_fill(&client->network, &network, err))
    return false;
  if(!settings->credential)
    return true;
  client->credential = ba_credential_retain(settings->credential);
  return ba_network_guard_proxies(&client->network, client->credential, err);
}

static void shared_free(struct ba_shared *shared)
{
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    ba_free(shared->limits.limiters[i].name);
  ba_free(shared);
}

static void link_shared_locked(struct ba_shared *shared)
{
  shared->next_made = made;
  if(made)
    made->previous_made = shared;
  made = shared;
}

/* One reference less. True: it was the last one, and nothing knows it now. */
static bool drop_shared_locked(struct ba_shared *shared)
{
  if(--shared->references)
    return false;
  if(shared->previous_made)
    shared->previous_made->next_made = shared->next_made;
  else
    made = shared->next_made;
  if(shared->next_made)
    shared->next_made->previous_made = shared->previous_made;
  return true;
}

void ba_clients_in_child(void)
{
  for(struct ba_shared *shared = made; shared; shared = shared->next_made)
    ba_limits_in_child(&shared->limits);
}

void ba_client_free(struct ba_client *client)
{
  ba_network_free(&client->network);
  ba_credential_release(client->credential);
  ba_lock();
  bool last = drop_shared_locked(client->shared);
  ba_unlock();
  if(last)
    shared_free(client->shared);
  ba_free(client);
}

static struct ba_client *client_new(struct ba_shared *shared,
                                    const struct ba_client_settings *settings, struct ba_error *err)
{
  struct ba_client *client = ba_calloc(1, sizeof(*client));
  if(!client) {
    ba_error_nomem(err);
    return NULL;
  }
  client->references = 1;
  client->shared = shared;
  ba_lock();
  shared->references++;
  ba_unlock();
  if(!copy_settings(client, settings, err)) {
    ba_client_free(client);
    return NULL;
  }
  return client;
}

static struct ba_shared *shared_new(const struct ba_client_settings *settings, struct ba_error *err)
{
  struct ba_shared *shared = ba_calloc(1, sizeof(*shared));
  if(!shared) {
    ba_error_nomem(err);
    return NULL;
  }
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    shared->limits.limiters[i].capacity = settings->limits[i].capacity;
    shared->limits.limiters[i].per_minute = settings->limits[i].per_minute;
    if(settings->limits[i].name &&
       !(shared->limits.limiters[i].name = ba_strdup(settings->limits[i].name))) {
      shared_free(shared);
      ba_error_nomem(err);
      return NULL;
    }
  }
  return shared;
}

struct ba_client *ba_client_new(const struct ba_client_settings *settings, struct ba_error *err)
{
  struct ba_shared *shared = shared_new(settings, err);
  if(!shared)
    return NULL;
  shared->references = 1;
  ba_lock();
  link_shared_locked(shared);
  ba_unlock();
  struct ba_client *client = client_new(shared, settings, err);
  ba_lock();
  bool orphan = drop_shared_locked(shared);
  ba_unlock();
  if(orphan)
    shared_free(shared);
  return client;
}

struct ba_client *ba_client_derive(struct ba_client *base,
                                   const struct ba_client_settings *settings, struct ba_error *err)
{
  return client_new(base->shared, settings, err);
}

/* 6.8 % of a small call's instructions: parsing a URL costs more than the rest
 * of a call's beginning; most of a client's URLs
 * begin alike, and what was allowed stays so. */
bool ba_client_allows(struct ba_client *client, const char *url)
{
  const char *rest = strstr(url, "://");
  size_t length = rest ? (size_t)(rest - url) + 3 + strcspn(rest + 3, "/?#") : BA_ALLOWED_MAX;
  if(length < BA_ALLOWED_MAX && strncmp(client->allowed, url, length) == 0 &&
     client->allowed[length] == '\0')
    return true;
  if(!ba_credential_allows(client->credential, url))
    return false;
  if(length < BA_ALLOWED_MAX)
    snprintf(client->allowed, BA_ALLOWED_MAX, "%.*s", (int)length, url);
  return true;
}

void ba_client_retain_locked(struct ba_client *client)
{
  client->references++;
}

bool ba_client_release_locked(struct ba_client *client)
{
  return --client->references == 0;
}

void ba_client_close(struct ba_client *client)
{
  ba_lock();
  bool before = client->closed;
  client->closed = true;
  ba_unlock();
  if(!before)
    ba_queue_sweep();
}

void ba_client_release(struct ba_client *client)
{
  if(!client)
    return;
  ba_client_close(client);
  ba_lock();
  bool last = ba_client_release_locked(client);
  ba_unlock();
  if(last)
    ba_client_free(client);
}

static uint64_t counted(_Atomic uint64_t *counter)
{
  return atomic_load_explicit(counter, memory_order_relaxed);
}

void ba_client_stats(struct ba_client *client, struct ba_client_stats *out)
{
  struct ba_shared *shared = client->shared;
  struct ba_counters *counters = &shared->counters;
  out->requests = counted(&counters->requests);
  out->attempts = counted(&counters->attempts);
  out->succeeded = counted(&counters->succeeded);
  out->failed = counted(&counters->failed);
  out->connections_opened = counted(&counters->connections_opened);
  out->connections_reused = counted(&counters->connections_reused);
  out->bytes_sent = counted(&counters->bytes_sent);
  out->bytes_received = counted(&counters->bytes_received);
  for(size_t i = 0; i < BA_RETRY_REASONS; i++)
    out->retries[i] = counted(&counters->retries[i]);
  out->token_requests = counted(&counters->token_requests);
  out->in_flight = atomic_load_explicit(&shared->limits.placed, memory_order_relaxed);
  out->queued = atomic_load_explicit(&shared->limits.queued, memory_order_relaxed);
}
