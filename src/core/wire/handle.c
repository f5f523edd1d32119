/* Easy handles are kept set up. Resetting one and setting twenty options again
 * for each request costs as much as a tenth of the request; most requests of a
 * client differ in URL, headers and body only. A handle remembers for whom and
 * for what shape of request it is set up, and is reset when that does not fit.
 * Callbacks get the handle, and find the transfer through it.
 *
 * What is saved of a small call's instructions, libcurl's counted (callgrind, 16
 * in flight): a handle that is set up already 17 %, a URL that is parsed already
 * 24 %, no copies of the CA's places where none can come 17 %. */
#include "wire/handle.h"

#include "batchapi/alloc.h"
#include "batchapi/libcurl.h"
#include "wire/multi.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* I/O: handles that wait for another attempt. */
static struct ba_handle *spare;
static unsigned spare_count;

static bool is_tls(const char *url)
{
  return strncasecmp(url, "https:", 6) == 0;
}

/* A default CApath switches libcurl's cache of the parsed CA file off: 20 to
 * 37 ms for each new connection. The file alone is enough where it is. */
static bool system_file_is_readable(void)
{
  static int known = -1;
  if(known < 0) {
    const char *path = curl_version_info(CURLVERSION_NOW)->cainfo;
    known = path && access(path, R_OK) == 0;
  }
  return known;
}

static CURLcode set_authorities(const struct ba_network *network, CURL *easy)
{
  CURLcode code = CURLE_OK;
  if(network->ca_file || network->ca_dir)
    code |= curl_easy_setopt(easy, CURLOPT_CAINFO, network->ca_file);
  if(network->ca_dir || network->ca_file || system_file_is_readable())
    code |= curl_easy_setopt(easy, CURLOPT_CAPATH, network->ca_dir);
  return code;
}

/* libcurl tells that a certificate is not believed, not who issued it. */
static CURLcode on_ssl(CURL *easy, void *ssl_context, void *user)
{
  struct ba_handle *handle = user;
  (void)easy;
  ba_tls_note_issuer(ssl_context, handle->issuer);
  return CURLE_OK;
}

static CURLcode set_tls(const struct ba_network *network, struct ba_handle *handle)
{
  CURL *easy = handle->easy;
  CURLcode code = set_authorities(network, easy) |
                  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) |
                  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl) |
                  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, handle);
  if(network->client_cert && handle->use.home)
    code |= curl_easy_setopt(easy, CURLOPT_SSLCERT, network->client_cert);
  if(network->client_key && handle->use.home)
    code |= curl_easy_setopt(easy, CURLOPT_SSLKEY, network->client_key);
  /* One connection that multiplexes rather than one per call, where the
   * server can; costs one round trip on the first calls where it cannot. */
  if(network->http_version != BA_VERSION_1_1)
    code |= curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  return code;
}

/* libcurl copies the CA's places, its defaults too, for each transfer: to the
 * server and to a proxy, with TLS or without. Where none can come, there are
 * none to copy. Whether libcurl takes that does not matter. */
static void drop_unused_ca(const char *proxy, bool tls, CURL *easy)
{
  if(!tls) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  }
  if(!*proxy) {
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  }
}

/* A libcurl that speaks HTTP/2 without TLS on a new connection only: a pool of
 * its own, which is dropped behind the attempt, and not CURLOPT_FORBID_REUSE.
 * Whether libcurl would have kept the connection tells whether the answer is
 * whole (ending.h). It has a place for TLS sessions, too: a handle without one
 * makes its own, and loses that when it is given another. */
static CURLcode set_alone(struct ba_handle *handle)
{
  handle->pool = curl_share_init();
  if(!handle->pool ||
     curl_share_setopt(handle->pool, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) != CURLSHE_OK ||
     curl_share_setopt(handle->pool, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
    return CURLE_OUT_OF_MEMORY;
  return curl_easy_setopt(handle->easy, CURLOPT_SHARE, handle->pool);
}

static void drop_pool(struct ba_handle *handle)
{
  if(!handle->pool)
    return;
  curl_easy_setopt(handle->easy, CURLOPT_SHARE, NULL);
  curl_share_cleanup(handle->pool);
  handle->pool = NULL;
}

static bool must_be_alone(enum ba_version version, bool tls)
{
  return version == BA_VERSION_2 && !tls && !ba_curl_has(BA_CURL_HTTP2_CLEAR_KEPT);
}

/* In clear, "the best both know" is HTTP/1.1, and is said so: whoever may speak
 * HTTP/2 is put on a connection of HTTP/1.1 that others are using, once its
 * server has written "HTTP/2 200" there (receive.c). */
static CURLcode set_version(enum ba_version version, bool tls, struct ba_handle *handle)
{
  const long curls[BA_VERSIONS] = {
      [BA_VERSION_ANY] =
          tls && ba_curl_has(BA_CURL_HTTP2) ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1,
      [BA_VERSION_1_1] = CURL_HTTP_VERSION_1_1,
      [BA_VERSION_2] = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
  };
  CURLcode code = curl_easy_setopt(handle->easy, CURLOPT_HTTP_VERSION, curls[version]);
  if(must_be_alone(version, tls))
    return code | set_alone(handle);
  CURLSH *share = ba_multi_share(version);
  if(!share)
    return CURLE_OUT_OF_MEMORY;
  return code | curl_easy_setopt(handle->easy, CURLOPT_SHARE, share);
}

static CURLcode set_network(const struct ba_network *network, struct ba_handle *handle)
{
  CURL *easy = handle->easy;
  bool tls = handle->use.tls;
  const char *proxy = tls ? network->proxy_https : network->proxy_http;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  drop_unused_ca(proxy, tls, easy);
  code |= curl_easy_setopt(easy, CURLOPT_NOPROXY, network->no_proxy);
  code |= curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  code |= set_version(network->http_version, tls, handle);
  code |= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  if(network->unix_socket)
    code |= curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, network->unix_socket);
  long wait = (long)(handle->use.connect_timeout * 1000);
  code |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, wait > 0 ? wait : 1L);
  return tls ? code | set_tls(network, handle) : code;
}

static CURLcode set_engine(struct ba_handle *handle)
{
  CURL *easy = handle->easy;
  return curl_easy_setopt(easy, CURLOPT_PRIVATE, handle) |
         curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) |
         curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->detail) |
         ba_sockets_set(easy, &handle->opened);
}

/* What must be the same for a handle to serve without a reset. Bodies that are
 * read by callbacks, and answers that go elsewhere than memory, leave options
 * behind; such handles are always reset. */
static struct ba_handle_use use_of(const struct ba_network *network,
                                   const struct ba_request *request, const char *url)
{
  struct ba_handle_use use = {.network = network->serial, .tls = is_tls(url)};
  use.connect_timeout = request->options.connect_timeout;
  use.home = !network->client_cert || ba_network_at_home(network, url);
  if(request->sink != BA_SINK_MEMORY || request->accept_encoding)
    return use;
  if(request->body == BA_BODY_MEMORY && strcmp(request->method, "POST") == 0)
    use.shape = BA_SHAPE_POST;
  else if(request->body == BA_BODY_NONE && strcmp(request->method, "GET") == 0)
    use.shape = BA_SHAPE_GET;
  return use;
}

static bool fits(const struct ba_handle_use *have, const struct ba_handle_use *want)
{
  return have->shape != BA_SHAPE_OTHER && have->shape == want->shape &&
         have->network == want->network && have->tls == want->tls && have->home == want->home &&
         have->connect_timeout == want->connect_timeout;
}

static void forget_url(struct ba_handle *handle)
{
  ba_free(handle->url);
  handle->url = NULL;
}

/* Its connections and sessions live elsewhere. */
static void reset_options(struct ba_handle *handle)
{
  drop_pool(handle);
  curl_easy_reset(handle->easy);
  forget_url(handle);
}

/* libcurl 7.88 loses an IPv6 address's zone when it copies a parsed URL. */
static bool has_zone(CURLU *parsed)
{
  char *zone = NULL;
  CURLUcode code = curl_url_get(parsed, CURLUPART_ZONEID, &zone, 0);
  bool found = zone != NULL;
  curl_free(zone);
  return found || code == CURLUE_OUT_OF_MEMORY;
}

/* libcurl parses CURLOPT_URL at each transfer, and then puts it together again
 * from its parts: an eighth of what it does for a small request. A URL that is
 * parsed already it takes as it is. It is given the text too, for the places
 * where it looks at that; what it cannot parse, it is to refuse itself. */
CURLcode ba_handle_address(struct ba_handle *handle, const char *url)
{
  if(handle->url && strcmp(handle->url, url) == 0)
    return CURLE_OK;
  forget_url(handle);
  CURL *easy = handle->easy;
  CURLcode code =
      curl_easy_setopt(easy, CURLOPT_CURLU, NULL) | curl_easy_setopt(easy, CURLOPT_URL, url);
  if(!handle->parsed)
    handle->parsed = curl_url();
  if(code != CURLE_OK || !handle->parsed ||
     curl_url_set(handle->parsed, CURLUPART_URL, url, 0) != CURLUE_OK || has_zone(handle->parsed))
    return code;
  handle->url = ba_strdup(url); /* without memory it is parsed again next time */
  return curl_easy_setopt(easy, CURLOPT_CURLU, handle->parsed);
}

bool ba_handle_refused(CURLcode code, struct ba_error *err)
{
  if(code == CURLE_OUT_OF_MEMORY)
    return ba_error_nomem(err);
  return ba_error_set(err, BA_INVALID, "libcurl", "%s does not take what this call asks for: %s",
                      curl_version(), curl_easy_strerror(code));
}

static void free_handle(struct ba_handle *handle)
{
  drop_pool(handle);
  curl_easy_cleanup(handle->easy);
  curl_url_cleanup(handle->parsed);
  ba_free(handle->url);
  ba_buffer_wipe(&handle->auth_line);
  ba_free(handle);
}

static struct ba_handle *make(struct ba_error *err)
{
  struct ba_handle *handle = ba_calloc(1, sizeof(*handle));
  if(handle)
    handle->easy = curl_easy_init();
  if(!handle || !handle->easy) {
    ba_free(handle);
    ba_error_nomem(err);
    return NULL;
  }
  ba_buffer_init_secret(&handle->auth_line, 64 << 10);
  return handle;
}

struct ba_handle *ba_handle_take(const struct ba_network *network, const struct ba_request *request,
                                 const char *url, bool *ready, struct ba_error *err)
{
  struct ba_handle_use want = use_of(network, request, url);
  struct ba_handle *handle = spare;
  if(handle) {
    spare = handle->next;
    spare_count--;
  } else {
    handle = make(err);
    if(!handle)
      return NULL;
  }
  handle->next = NULL;
  handle->detail[0] = handle->issuer[0] = '\0';
  handle->failure.kind = BA_OK;
  handle->node_count = 0;
  handle->opened.serial = 0;
  *ready = fits(&handle->use, &want);
  if(*ready)
    return handle;
  reset_options(handle);
  handle->use = want;
  CURLcode code = set_engine(handle);
  if(code == CURLE_OK)
    code = set_network(network, handle);
  if(code == CURLE_OK)
    return handle;
  ba_handle_refused(code, err);
  free_handle(handle);
  return NULL;
}

void ba_handle_header(struct ba_handle *handle, const char *line)
{
  struct curl_slist *node = &handle->nodes[handle->node_count++];
  node->data = (char *)line; /* libcurl only reads it */
  node->next = NULL;
  if(handle->node_count > 1)
    handle->nodes[handle->node_count - 2].next = node;
}

void ba_handle_give_back(struct ba_handle *handle, bool reset)
{
  enum { SPARE_MAX = 256 };
  handle->transfer = NULL;
  ba_buffer_clear(&handle->auth_line); /* wipes it */
  if(spare_count >= SPARE_MAX) {
    free_handle(handle);
    return;
  }
  if(reset || handle->pool || handle->use.shape == BA_SHAPE_OTHER) {
    reset_options(handle);
    handle->use.shape = BA_SHAPE_OTHER;
  }
  handle->next = spare;
  spare = handle;
  spare_count++;
}

void ba_handles_free(void)
{
  while(spare) {
    struct ba_handle *handle = spare;
    spare = handle->next;
    free_handle(handle);
  }
  spare_count = 0;
}

void ba_handles_in_child(void)
{
  spare = NULL;
  spare_count = 0;
}
