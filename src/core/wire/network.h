/* How a client's requests travel: versions, proxies, certificates. Made with
 * the client, never changed; whoever carries a request reads it. */
#ifndef BA_NETWORK_H
#define BA_NETWORK_H

#include "batchapi/error.h"
#include "http/origin.h"

#include <stdint.h>

enum ba_version { BA_VERSION_ANY, BA_VERSION_1_1, BA_VERSION_2, BA_VERSIONS };

struct ba_network {
  uint64_t serial; /* never used twice, unlike an address */
  enum ba_version http_version;
  char *proxy_http, *proxy_https, *no_proxy; /* "" for none */
  char *ca_file, *ca_dir, *client_cert, *client_key, *unix_socket;
  char *user_agent;         /* the whole header line */
  char home[BA_ORIGIN_MAX]; /* "": none was named */
};

/* As in struct ba_client_settings (client.h). */
struct ba_network_settings {
  const char *proxy, *ca_file, *client_cert, *client_key, *unix_socket;
  const char *http_version, *user_agent, *home;
};

/* Of a zeroed one; what it was given is freed by its owner, also on failure. */
bool ba_network_fill(struct ba_network *network, const struct ba_network_settings *settings,
                     struct ba_error *err);
void ba_network_free(struct ba_network *network);
/* Is that URL at the client's own origin? */
bool ba_network_at_home(const struct ba_network *network, const char *url);

struct ba_credential;
/* What a proxy is told is nobody else's business, nor a message's. */
bool ba_network_guard_proxies(const struct ba_network *network, struct ba_credential *credential,
                              struct ba_error *err);

#endif
