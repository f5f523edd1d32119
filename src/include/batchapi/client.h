/* Clients: what calls share, limits, statistics, transport settings. */
#ifndef BA_CLIENT_H
#define BA_CLIENT_H

#include "credential.h"
#include "defaults.h"
#include "error.h"
#include "http.h"

#include <stdint.h>

/* NULL or 0 means the default named above. Strings are copied. */
struct ba_client_settings {
  unsigned max_connections;
  const char *proxy; /* URL; NULL: the environment's; "": none */
  /* PEM; NULL: that of CURL_CA_BUNDLE or SSL_CERT_FILE and SSL_CERT_DIR, else the
   * system's (CAPATH off when a bundle is readable) */
  const char *ca_file;
  const char *client_cert;  /* PEM file */
  const char *client_key;   /* PEM file */
  const char *unix_socket;  /* path */
  const char *http_version; /* NULL (best by ALPN), "1.1", "2" */
  const char *user_agent;
  struct ba_credential *credential; /* retained; NULL: none */
  /* URL: the client certificate is shown to its origin only; NULL: to all. */
  const char *home;
  struct ba_limit_settings {
    const char *name;    /* "read", "write": static or copied */
    unsigned capacity;   /* weight in flight at once; 0: no such bound */
    unsigned per_minute; /* weight started per 60 s, sliding; 0: no bound */
  } limits[BA_LIMITS_MAX];
};

struct ba_client;

struct ba_client *ba_client_new(const struct ba_client_settings *settings, struct ba_error *err);
/* Other settings, the same limiters and statistics. */
struct ba_client *ba_client_derive(struct ba_client *base,
                                   const struct ba_client_settings *settings, struct ba_error *err);
/* Ends its calls in flight as BA_CLOSED; idempotent. */
void ba_client_close(struct ba_client *client);
void ba_client_release(struct ba_client *client); /* closes too */

struct ba_client_stats {
  uint64_t requests, attempts, succeeded, failed;
  uint64_t connections_opened, connections_reused;
  uint64_t bytes_sent, bytes_received;
  uint64_t retries[BA_RETRY_REASONS];
  uint64_t token_requests;
  unsigned in_flight, queued;
};
void ba_client_stats(struct ba_client *client, struct ba_client_stats *out);

#endif
