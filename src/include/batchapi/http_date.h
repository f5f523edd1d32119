/* The three date forms of RFC 9110 5.6.7, without locale and without the C
 * library's calendar (strptime and timegm depend on both). */
#ifndef BA_HTTP_DATE_H
#define BA_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970 in *out. `now` (the same scale) settles the century of
 * the RFC 850 form: a two-digit year is never more than 50 years ahead. */
bool ba_http_date(const char *text, int64_t now, int64_t *out);

#endif
