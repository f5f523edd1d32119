/* See libcurl.h. The one place that says which version of libcurl has what. */
#include "batchapi/libcurl.h"

#include "batchapi/version.h"

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { KNOWN = 1 << 30 };

/* What libcurl was built with is a bit of its own; 0: the version alone tells.
 *
 * All that the core uses without asking came before the oldest version that it
 * takes: CURLOPT_SUPPRESS_CONNECT_HEADERS 7.54, curl_mime_*() 7.56,
 * CURLOPT_UPLOAD_BUFFERSIZE 7.62, CURLOPT_CURLU 7.63, CURLUPART_ZONEID 7.65,
 * curl_version_info()->cainfo 7.70, CURLOPT_PREREQFUNCTION 7.80. The bounds that
 * libcurl has for a header since 7.84 and 8.3 are told by what came (classify.c).
 * CMakeLists.txt, tools/cmake/batchapi.pc.in and tools/cmake/batchapi-config.cmake.in ask for
 * the same. */
static const struct {
  const char *key, *name;
  unsigned since;
  int bit;
} needs[BA_CURL_NEEDS] = {
    [BA_CURL_OLDEST] = {NULL, "CURLOPT_PREREQFUNCTION", CURL_VERSION_BITS(7, 80, 0), 0},
    [BA_CURL_TLS] = {NULL, "TLS", CURL_VERSION_BITS(7, 80, 0), CURL_VERSION_SSL},
    [BA_CURL_HTTP2] = {"http2", "HTTP/2", CURL_VERSION_BITS(7, 49, 0), CURL_VERSION_HTTP2},
    /* 7.88 breaks the frames (curl issue 10634) */
    [BA_CURL_HTTP2_CLEAR_KEPT] = {"http2_clear_kept", "HTTP/2 on kept connections in clear",
                                  CURL_VERSION_BITS(8, 0, 0), CURL_VERSION_HTTP2},
    /* before: see ending.h */
    [BA_CURL_HTTP2_ENDINGS] = {"http2_endings", "endings of HTTP/2 that can be told from breaks",
                               CURL_VERSION_BITS(8, 1, 0), CURL_VERSION_HTTP2},
    [BA_CURL_BROTLI] = {"brotli", "brotli", CURL_VERSION_BITS(7, 57, 0), CURL_VERSION_BROTLI},
    [BA_CURL_ZSTD] = {"zstd", "zstd", CURL_VERSION_BITS(7, 72, 0), CURL_VERSION_ZSTD},
    [BA_CURL_UNIX_SOCKETS] = {"unix_sockets", "unix sockets", CURL_VERSION_BITS(7, 40, 0),
                              CURL_VERSION_UNIX_SOCKETS},
    [BA_CURL_HTTPS_PROXY] = {"https_proxy", "proxies over TLS", CURL_VERSION_BITS(7, 52, 0),
                             CURL_VERSION_HTTPS_PROXY},
    [BA_CURL_ASYNC_DNS] = {"async_dns", "names resolved in the background",
                           CURL_VERSION_BITS(7, 10, 7), CURL_VERSION_ASYNCHDNS},
};

static _Atomic unsigned found; /* a bit each, and KNOWN */

void ba_curl_look(void)
{
  const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
  unsigned bits = KNOWN;
  for(int i = 0; i < BA_CURL_NEEDS; i++) {
    if(curl->version_num >= needs[i].since && (curl->features & needs[i].bit) == needs[i].bit)
      bits |= 1u << i;
  }
  atomic_store(&found, bits);
}

bool ba_curl_has(enum ba_curl_need need)
{
  if(!atomic_load_explicit(&found, memory_order_relaxed))
    ba_curl_look();
  return atomic_load_explicit(&found, memory_order_relaxed) & 1u << need;
}

const char *ba_curl_key(enum ba_curl_need need)
{
  return needs[need].key;
}

bool ba_curl_require(enum ba_curl_need need, const char *what, struct ba_error *err)
{
  if(ba_curl_has(need))
    return true;
  const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
  if(curl->version_num < needs[need].since)
    return ba_error_set(err, BA_INVALID, "libcurl",
                        "%s needs libcurl %u.%u.%u, and this is %s (%s)", what,
                        needs[need].since >> 16, needs[need].since >> 8 & 255,
                        needs[need].since & 255, curl->version, needs[need].name);
  return ba_error_set(err, BA_INVALID, "libcurl", "%s: this libcurl (%s) was built without %s",
                      what, curl->version, needs[need].name);
}

/* Two of them in one process work on the same data in different ways. */
static bool same_openssl(const char *running, struct ba_error *err)
{
  const char *curls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  char ours[64];
  snprintf(ours, sizeof(ours), "OpenSSL/%s", running);
  if(curls && strcmp(curls, ours) == 0)
    return true;
  return ba_error_set(err, BA_TLS, NULL, "libcurl uses %s, but this process runs with %s",
                      curls ? curls : "no TLS", ours);
}

bool ba_curl_check(struct ba_error *err)
{
  return ba_curl_require(BA_CURL_OLDEST, "batchapi", err) &&
         ba_curl_require(BA_CURL_TLS, "batchapi", err);
}

bool ba_curl_start(const char *openssl, struct ba_error *err)
{
  if(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return ba_error_set(err, BA_TLS, NULL, "libcurl cannot be started");
  return ba_curl_check(err) && same_openssl(openssl, err);
}

struct ba_two_versions ba_curl_versions(void)
{
  return (struct ba_two_versions){LIBCURL_VERSION, curl_version_info(CURLVERSION_NOW)->version};
}

const char *ba_curl_text(void)
{
  return curl_version();
}
