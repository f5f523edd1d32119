#include "wire/internal.h"

#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "batchapi/base64.h"
#include "batchapi/libcurl.h"
#include "batchapi/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static struct ba_shared *made; /* LOCK: what all clients have in common with others */

static bool copy(char **out, const char *text)
{
  if(!text)
    return true;
  *out = ba_strdup(text);
  return *out != NULL;
}

/* The first of the names that is set to something. The environment is read
 * here, in the caller's thread, and never by the I/O thread: getenv() races
 * with a host that changes it. */
static const char *environment(const char *first, const char *second, const char *third,
                               const char *fourth)
{
  const char *names[] = {first, second, third, fourth};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    const char *value = names[i] ? getenv(names[i]) : NULL;
    if(value && *value)
      return value;
  }
  return "";
}

/* What the environment's proxies are not for: what no_proxy names, and this
 * machine itself, since a credential may go there over plain http. */
static bool copy_no_proxy(struct ba_client *client)
{
  static const char here[] = "localhost,127.0.0.1,127.0.0.0/8,::1";
  const char *others = environment("no_proxy", "NO_PROXY", NULL, NULL);
  if(strcmp(others, "*") == 0)
    return copy(&client->no_proxy, others);
  size_t size = sizeof(here) + 1 + strlen(others);
  client->no_proxy = ba_malloc(size);
  if(client->no_proxy)
    snprintf(client->no_proxy, size, "%s,%s", here, others);
  return client->no_proxy != NULL;
}

static bool copy_proxies(struct ba_client *client, const char *proxy)
{
  if(proxy)
    return copy(&client->proxy_http, proxy) && copy(&client->proxy_https, proxy) &&
           copy(&client->no_proxy, "");
  /* HTTP_PROXY in capitals is not read: a CGI's "Proxy:" header sets it. */
  const char *http = environment("http_proxy", "all_proxy", "ALL_PROXY", NULL);
  const char *https = environment("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY");
  /* libcurl reads the list for each request, also where there is no proxy. */
  bool none = !*http && !*https;
  return copy(&client->proxy_http, http) && copy(&client->proxy_https, https) &&
         (none ? copy(&client->no_proxy, "") : copy_no_proxy(client));
}

static void wipe_text(char *text)
{
  ba_wipe_free(text, text ? strlen(text) : 0);
}

static bool readable_file(const char *path, const char *what, struct ba_error *err)
{
  if(!path || access(path, R_OK) == 0)
    return true;
  int errnum = errno;
  char label[256];
  snprintf(label, sizeof(label), "%s %s", what, path);
  return ba_error_errno(err, errnum, label);
}

/* As OpenSSL's programs and curl's have it: CURL_CA_BUNDLE before the two of
 * OpenSSL. What cannot be read is refused, or others would be trusted than the
 * user thinks. */
static bool copy_authorities(struct ba_client *client, const char *ca_file, struct ba_error *err)
{
  if(ca_file)
    return copy(&client->ca_file, ca_file) || ba_error_nomem(err);
  const char *bundle = environment("CURL_CA_BUNDLE", NULL, NULL, NULL);
  const char *file = *bundle ? bundle : environment("SSL_CERT_FILE", NULL, NULL, NULL);
  const char *dir = *bundle ? "" : environment("SSL_CERT_DIR", NULL, NULL, NULL);
  if((*file && !readable_file(file, *bundle ? "CURL_CA_BUNDLE" : "SSL_CERT_FILE", err)) ||
     (*dir && !readable_file(dir, "SSL_CERT_DIR", err)))
    return false;
  return (copy(&client->ca_file, *file ? file : NULL) &&
          copy(&client->ca_dir, *dir ? dir : NULL)) ||
         ba_error_nomem(err);
}

static bool copy_home(struct ba_client *client, const char *url, struct ba_error *err)
{
  struct ba_origin origin;
  if(!url)
    return true;
  if(!ba_origin_parse(url, &origin, err))
    return false;
  memcpy(client->home, origin.text, sizeof(client->home));
  return true;
}

bool ba_client_at_home(const struct ba_client *client, const char *url)
{
  struct ba_origin origin;
  return !client->home[0] ||
         (ba_origin_parse(url, &origin, NULL) && strcmp(origin.text, client->home) == 0);
}

static int hex(char c)
{
  char lower = c | 0x20;
  return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* "user:password" of a proxy's URL, percent-decoded as libcurl does it. */
static bool proxy_pair(const char *url, struct ba_buffer *pair, struct ba_error *err)
{
  const char *at = strstr(url, "://");
  at = at ? at + 3 : url;
  const char *end = at + strcspn(at, "/?#");
  while(end > at && *end != '@')
    end--;
  for(; at < end; at++) {
    char c = *at;
    if(c == '%' && end - at > 2 && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
      c = (char)(hex(at[1]) << 4 | hex(at[2]));
      at += 2;
    }
    if(!ba_buffer_append(pair, &c, 1, err))
      return false;
  }
  return true;
}

/* What a proxy is told is nobody else's business, nor a message's. */
static bool guard_proxy(struct ba_client *client, const char *url, struct ba_error *err)
{
  struct ba_buffer pair, encoded;
  ba_buffer_init_secret(&pair, BA_SECRET_MAX);
  ba_buffer_init_secret(&encoded, BA_SECRET_MAX * 2);
  bool ok = proxy_pair(url, &pair, err);
  const char *colon = pair.length ? memchr(pair.bytes, ':', pair.length) : NULL;
  if(ok && colon)
    ok = ba_base64_encode(&encoded, pair.bytes, pair.length, err) &&
         ba_credential_guard(client->credential, colon + 1,
                             pair.length - (size_t)(colon + 1 - pair.bytes), err) &&
         ba_credential_guard(client->credential, encoded.bytes, encoded.length, err);
  ba_buffer_free(&pair);
  ba_buffer_free(&encoded);
  return ok;
}

static bool http_version(struct ba_client *client, const char *name, struct ba_error *err)
{
  if(!name)
    client->http_version = BA_VERSION_ANY;
  else if(strcmp(name, "1.1") == 0)
    client->http_version = BA_VERSION_1_1;
  else if(strcmp(name, "2") == 0)
    client->http_version = BA_VERSION_2;
  else
    return ba_error_set(err, BA_INVALID, NULL, "http_version is \"1.1\" or \"2\", not \"%s\"",
                        name);
  return client->http_version != BA_VERSION_2 ||
         ba_curl_require(BA_CURL_HTTP2, "http_version \"2\"", err);
}

/* Not every libcurl can go these ways; without them each call would fail. */
static bool can_go(const struct ba_client *client, struct ba_error *err)
{
  if(client->unix_socket && !ba_curl_require(BA_CURL_UNIX_SOCKETS, "unix_socket", err))
    return false;
  bool over_tls = strncasecmp(client->proxy_http, "https:", 6) == 0 ||
                  strncasecmp(client->proxy_https, "https:", 6) == 0;
  return !over_tls || ba_curl_require(BA_CURL_HTTPS_PROXY, "proxy", err);
}

/* The whole header line, as it is sent. */
static bool copy_agent(struct ba_client *client, const char *agent)
{
  char own[64];
  snprintf(own, sizeof(own), "batchapi/%s", ba_version());
  size_t size = sizeof("User-Agent: ") + strlen(agent ? agent : own);
  client->user_agent = ba_malloc(size);
  if(client->user_agent)
    snprintf(client->user_agent, size, "User-Agent: %s", agent ? agent : own);
  return client->user_agent != NULL;
}

static bool copy_settings(struct ba_client *client, const struct ba_client_settings *settings,
                          struct ba_error *err)
{
  static _Atomic uint64_t last_serial;
  client->serial = atomic_fetch_add(&last_serial, 1) + 1;
  client->max_connections =
      settings->max_connections ? settings->max_connections : BA_DEFAULT_MAX_CONNECTIONS;
  if(settings->user_agent && strpbrk(settings->user_agent, "\r\n"))
    return ba_error_set(err, BA_INVALID, NULL, "user_agent holds a line break");
  if(!http_version(client, settings->http_version, err) ||
     !readable_file(settings->ca_file, "ca_file", err) ||
     !readable_file(settings->client_cert, "client_cert", err) ||
     !readable_file(settings->client_key, "client_key", err))
    return false;
  if(!copy_authorities(client, settings->ca_file, err) || !copy_home(client, settings->home, err))
    return false;
  if(!copy_proxies(client, settings->proxy) || !copy(&client->client_cert, settings->client_cert) ||
     !copy(&client->client_key, settings->client_key) ||
     !copy(&client->unix_socket, settings->unix_socket) ||
     !copy_agent(client, settings->user_agent))
    return ba_error_nomem(err);
  if(!can_go(client, err))
    return false;
  if(!settings->credential)
    return true;
  client->credential = ba_credential_retain(settings->credential);
  return guard_proxy(client, client->proxy_http, err) &&
         guard_proxy(client, client->proxy_https, err);
}

static void shared_free(struct ba_shared *shared)
{
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    ba_free(shared->limiters[i].name);
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

void ba_clients_after_fork(void)
{
  for(struct ba_shared *shared = made; shared; shared = shared->next_made)
    ba_limits_after_fork(shared);
}

void ba_client_free(struct ba_client *client)
{
  wipe_text(client->proxy_http); /* the URL may hold a password */
  wipe_text(client->proxy_https);
  ba_free(client->no_proxy);
  ba_free(client->ca_file);
  ba_free(client->ca_dir);
  ba_free(client->client_cert);
  ba_free(client->client_key);
  ba_free(client->unix_socket);
  ba_free(client->user_agent);
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
    shared->limiters[i].capacity = settings->limits[i].capacity;
    shared->limiters[i].per_minute = settings->limits[i].per_minute;
    if(!copy(&shared->limiters[i].name, settings->limits[i].name)) {
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
    ba_engine_sweep();
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
  struct ba_counters *counters = &client->shared->counters;
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
  out->in_flight = atomic_load_explicit(&counters->in_flight, memory_order_relaxed);
  out->queued = atomic_load_explicit(&counters->queued, memory_order_relaxed);
}

const char *ba_retry_reason_name(enum ba_retry_reason reason)
{
  static const char *const names[BA_RETRY_REASONS] = {
      "connect", "tls", "reset", "timeout", "rate_limit", "server", "auth", "truncated",
  };
  return names[reason];
}
