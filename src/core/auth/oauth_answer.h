/* What token servers say, read: the discovery document, the token, and the
 * ways to fail, each with an error of its own. For oauth.c only. */
#ifndef BA_OAUTH_ANSWER_H
#define BA_OAUTH_ANSWER_H

#include "auth/oauth_grant.h"
#include "batchapi/error.h"

#include <stddef.h>

/* Takes issuer and token endpoint out of a discovery document (OpenID Connect
 * Discovery 1.0, RFC 8414). The issuer must have the origin that the document
 * came from, else another server could have assertions made out to itself;
 * the endpoint must be https, or loopback if the document came from there.
 * BA_DECODE: not JSON or a member missing; BA_AUTH: not to be trusted. The
 * caller frees both texts, also after a failure. */
bool ba_oauth_read_discovery(const char *body, size_t length, const char *well_known,
                             bool allow_insecure, char **issuer, char **token_url,
                             struct ba_error *err);

/* Initialises *token and fills it; the caller frees its texts in any case. */
bool ba_oauth_read_token(const char *body, size_t length, const char *url, struct ba_token *token,
                         struct ba_error *err);

/* Why an exchange was not answered with 200. No answer: the failure's own kind;
 * a refusal: BA_AUTH with the server's `error` as code and its description in
 * the message; 429: BA_RATE_LIMIT; 5xx: BA_HTTP. */
void ba_oauth_explain(bool discovery, const char *url, int status, const char *body, size_t length,
                      const struct ba_error *failure, struct ba_error *err);

#endif
