/* The origin of a URL: scheme, host and port in one canonical spelling. A
 * credential is tied to one and goes nowhere else.
 *
 * The reader is strict on purpose: user info, white space, a backslash, a
 * percent sign or a byte above 127 in the authority are refused, because two
 * readers of a URL may disagree on what they mean, and the other one is the
 * one that connects. */
#ifndef BA_ORIGIN_H
#define BA_ORIGIN_H

#include "batchapi/error.h"

#include <stdbool.h>

#define BA_ORIGIN_MAX 288 /* "https://" + 253 of host + ":65535" */

struct ba_origin {
  char text[BA_ORIGIN_MAX]; /* "https://api.example.com:443", lower case, port always there */
  bool secure;              /* https */
  bool loopback;            /* localhost, 127.0.0.0/8 or [::1] */
};

/* BA_INVALID when it is not an absolute http or https URL in that form; the
 * message does not repeat the URL, which might hold a secret. */
bool ba_origin_parse(const char *url, struct ba_origin *out, struct ba_error *err);

#endif
