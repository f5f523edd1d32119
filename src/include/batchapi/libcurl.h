/* What the libcurl that runs here can do: libcurl.c has one table of it. The
 * headers the core was built with and the library that runs may be of different
 * versions; what counts is the library, and both are told. */
#ifndef BA_LIBCURL_H
#define BA_LIBCURL_H

#include "error.h"

#include <stdbool.h>

/* Needed always, then what an option of a client asks for. */
enum ba_curl_need {
  BA_CURL_OLDEST,
  BA_CURL_TLS,
  BA_CURL_HTTP2,
  BA_CURL_HTTP2_CLEAR_KEPT, /* in clear, over a connection that is kept */
  BA_CURL_HTTP2_ENDINGS,    /* a session that breaks off is an error, not an end */
  BA_CURL_BROTLI,
  BA_CURL_ZSTD,
  BA_CURL_UNIX_SOCKETS,
  BA_CURL_HTTPS_PROXY,
  BA_CURL_ASYNC_DNS, /* else a slow name server holds up all calls */
  BA_CURL_NEEDS
};

bool ba_curl_has(enum ba_curl_need need);
const char *ba_curl_key(
    enum ba_curl_need need); /* "http2"; NULL: every libcurl that is taken has it */
/* `what` is the option that asks for it, as its user wrote it. */
bool ba_curl_require(enum ba_curl_need need, const char *what, struct ba_error *err);
/* All that is needed always. */
bool ba_curl_check(struct ba_error *err);
/* Once: starts it, and refuses one without what is needed always, or whose TLS
 * library is not the OpenSSL of that version, which the core runs with. */
bool ba_curl_start(const char *openssl, struct ba_error *err);
/* Looks again; the first question does so by itself. */
void ba_curl_look(void);

/* "libcurl/7.88.1 OpenSSL/3.0.15 …": all that it is made of. */
const char *ba_curl_text(void);

#endif
