/* What the engine needs to know of URLs; parsing is libcurl's. */
#ifndef BA_URL_H
#define BA_URL_H

#include <stdbool.h>
#include <stddef.h>

/* "https://host:port" in lower case, for messages and comparison; "?" if the
 * URL cannot be parsed. User information is never in it. The default port is
 * left out. */
void ba_url_origin(const char *url, char *out, size_t size);
bool ba_url_same_origin(const char *a, const char *b);

/* A copy for people: user information gone, values of query parameters that
 * look like secrets shown as ***. NULL: no memory. Free with ba_free(). */
char *ba_url_redact(const char *url);

/* Where a Location leads, seen from `base`; NULL: not a URL, or no memory.
 * Free with ba_free(). */
char *ba_url_resolve(const char *base, const char *location);

#endif
