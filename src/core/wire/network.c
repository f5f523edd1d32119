#include "wire/network.h"

#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "batchapi/base64.h"
#include "batchapi/credential.h"
#include "batchapi/libcurl.h"
#include "batchapi/version.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

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
static bool copy_no_proxy(struct ba_network *network)
{
  static const char here[] = "localhost,127.0.0.1,127.0.0.0/8,::1";
  const char *others = environment("no_proxy", "NO_PROXY", NULL, NULL);
  if(strcmp(others, "*") == 0)
    return copy(&network->no_proxy, others);
  size_t size = sizeof(here) + 1 + strlen(others);
  network->no_proxy = ba_malloc(size);
  if(network->no_proxy)
    snprintf(network->no_proxy, size, "%s,%s", here, others);
  return network->no_proxy != NULL;
}

static bool copy_proxies(struct ba_network *network, const char *proxy)
{
  if(proxy)
    return copy(&network->proxy_http, proxy) && copy(&network->proxy_https, proxy) &&
           copy(&network->no_proxy, "");
  /* HTTP_PROXY in capitals is not read: a CGI's "Proxy:" header sets it. */
  const char *http = environment("http_proxy", "all_proxy", "ALL_PROXY", NULL);
  const char *https = environment("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY");
  /* libcurl reads the list for each request, also where there is no proxy. */
  bool none = !*http && !*https;
  return copy(&network->proxy_http, http) && copy(&network->proxy_https, https) &&
         (none ? copy(&network->no_proxy, "") : copy_no_proxy(network));
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
static bool copy_authorities(struct ba_network *network, const char *ca_file, struct ba_error *err)
{
  if(ca_file)
    return copy(&network->ca_file, ca_file) || ba_error_nomem(err);
  const char *bundle = environment("CURL_CA_BUNDLE", NULL, NULL, NULL);
  const char *file = *bundle ? bundle : environment("SSL_CERT_FILE", NULL, NULL, NULL);
  const char *dir = *bundle ? "" : environment("SSL_CERT_DIR", NULL, NULL, NULL);
  if((*file && !readable_file(file, *bundle ? "CURL_CA_BUNDLE" : "SSL_CERT_FILE", err)) ||
     (*dir && !readable_file(dir, "SSL_CERT_DIR", err)))
    return false;
  return (copy(&network->ca_file, *file ? file : NULL) &&
          copy(&network->ca_dir, *dir ? dir : NULL)) ||
         ba_error_nomem(err);
}

static bool copy_home(struct ba_network *network, const char *url, struct ba_error *err)
{
  struct ba_origin origin;
  if(!url)
    return true;
  if(!ba_origin_parse(url, &origin, err))
    return false;
  memcpy(network->home, origin.text, sizeof(network->home));
  return true;
}

bool ba_network_at_home(const struct ba_network *network, const char *url)
{
  struct ba_origin origin;
  return !network->home[0] ||
         (ba_origin_parse(url, &origin, NULL) && strcmp(origin.text, network->home) == 0);
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
static bool guard_proxy(struct ba_credential *credential, const char *url, struct ba_error *err)
{
  struct ba_buffer pair, encoded;
  ba_buffer_init_secret(&pair, BA_SECRET_MAX);
  ba_buffer_init_secret(&encoded, BA_SECRET_MAX * 2);
  bool ok = proxy_pair(url, &pair, err);
  const char *colon = pair.length ? memchr(pair.bytes, ':', pair.length) : NULL;
  if(ok && colon)
    ok = ba_base64_encode(&encoded, pair.bytes, pair.length, err) &&
         ba_credential_guard(credential, colon + 1, pair.length - (size_t)(colon + 1 - pair.bytes),
                             err) &&
         ba_credential_guard(credential, encoded.bytes, encoded.length, err);
  ba_buffer_free(&pair);
  ba_buffer_free(&encoded);
  return ok;
}

static bool http_version(struct ba_network *network, const char *name, struct ba_error *err)
{
  if(!name)
    network->http_version = BA_VERSION_ANY;
  else if(strcmp(name, "1.1") == 0)
    network->http_version = BA_VERSION_1_1;
  else if(strcmp(name, "2") == 0)
    network->http_version = BA_VERSION_2;
  else
    return ba_error_set(err, BA_INVALID, NULL, "http_version is \"1.1\" or \"2\", not \"%s\"",
                        name);
  return network->http_version != BA_VERSION_2 ||
         ba_curl_require(BA_CURL_HTTP2, "http_version \"2\"", err);
}

/* Not every libcurl can go these ways; without them each call would fail. */
static bool can_go(const struct ba_network *network, struct ba_error *err)
{
  if(network->unix_socket && !ba_curl_require(BA_CURL_UNIX_SOCKETS, "unix_socket", err))
    return false;
  bool over_tls = strncasecmp(network->proxy_http, "https:", 6) == 0 ||
                  strncasecmp(network->proxy_https, "https:", 6) == 0;
  return !over_tls || ba_curl_require(BA_CURL_HTTPS_PROXY, "proxy", err);
}

/* The whole header line, as it is sent. */
static bool copy_agent(struct ba_network *network, const char *agent)
{
  char own[64];
  snprintf(own, sizeof(own), "batchapi/%s", ba_version());
  size_t size = sizeof("User-Agent: ") + strlen(agent ? agent : own);
  network->user_agent = ba_malloc(size);
  if(network->user_agent)
    snprintf(network->user_agent, size, "User-Agent: %s", agent ? agent : own);
  return network->user_agent != NULL;
}

bool ba_network_guard_proxies(const struct ba_network *network, struct ba_credential *credential,
                              struct ba_error *err)
{
  return guard_proxy(credential, network->proxy_http, err) &&
         guard_proxy(credential, network->proxy_https, err);
}

bool ba_network_fill(struct ba_network *network, const struct ba_network_settings *settings,
                     struct ba_error *err)
{
  static _Atomic uint64_t last_serial;
  network->serial = atomic_fetch_add(&last_serial, 1) + 1;
  if(settings->user_agent && strpbrk(settings->user_agent, "\r\n"))
    return ba_error_set(err, BA_INVALID, NULL, "user_agent holds a line break");
  if(!http_version(network, settings->http_version, err) ||
     !readable_file(settings->ca_file, "ca_file", err) ||
     !readable_file(settings->client_cert, "client_cert", err) ||
     !readable_file(settings->client_key, "client_key", err))
    return false;
  if(!copy_authorities(network, settings->ca_file, err) || !copy_home(network, settings->home, err))
    return false;
  if(!copy_proxies(network, settings->proxy) ||
     !copy(&network->client_cert, settings->client_cert) ||
     !copy(&network->client_key, settings->client_key) ||
     !copy(&network->unix_socket, settings->unix_socket) ||
     !copy_agent(network, settings->user_agent))
    return ba_error_nomem(err);
  return can_go(network, err);
}

void ba_network_free(struct ba_network *network)
{
  wipe_text(network->proxy_http); /* the URL may hold a password */
  wipe_text(network->proxy_https);
  ba_free(network->no_proxy);
  ba_free(network->ca_file);
  ba_free(network->ca_dir);
  ba_free(network->client_cert);
  ba_free(network->client_key);
  ba_free(network->unix_socket);
  ba_free(network->user_agent);
}
