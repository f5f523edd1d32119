/* OAuth 2.0 token sources: client credentials with a signed assertion
 * (RFC 7523, private_key_jwt), and the refresh token grant (RFC 6749, 6).
 *
 * The two functions below are credentials' constructors and all that the rest
 * of the core needs. What follows them is the grant itself, without I/O and
 * without a lock: credential_oauth.c holds the credential's lock around it. */
#ifndef BA_OAUTH_H
#define BA_OAUTH_H

#include "buffer.h"
#include "credential.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

#define BA_OAUTH_DISCOVERY_LIFETIME 86400.0 /* seconds until it is read anew */
#define BA_OAUTH_DEFAULT_WELL_KNOWN "https://auth.factset.com/.well-known/openid-configuration"

/* The configuration of a confidential client as FactSet's portal writes it:
 * { clientId, wellKnownUri?, jwk }, other members passed over. `path` is read
 * as a file, else `json` is the text; `scope` may be NULL. BA_IO if the file
 * cannot be read; BA_INVALID, naming the member, if it is not right. */
struct ba_oauth_client_options {
  const char *path;
  const char *json;
  size_t json_length;
  const char *scope;          /* space-separated */
  const char *well_known_uri; /* when the configuration has none; NULL: the default */
};
struct ba_credential *ba_credential_oauth_client(const struct ba_oauth_client_options *options,
                                                 struct ba_error *err);

struct ba_oauth_refresh_options { /* texts with a length may be secrets */
  const char *token_url;
  const char *client_id;
  const char *client_secret; /* NULL: a public client */
  size_t client_secret_length;
  const char *refresh_token;
  size_t refresh_token_length;
  const char *redirect_uri; /* or NULL */
  const char *scope;        /* or NULL */
};
struct ba_credential *ba_credential_oauth_refresh(const struct ba_oauth_refresh_options *options,
                                                  struct ba_error *err);

/* ---- the grant ----------------------------------------------------------- */

struct ba_oauth;

struct ba_token { /* what an answer gave; the texts are secret buffers */
  struct ba_buffer access;
  struct ba_buffer refresh; /* empty: none came */
  double lifetime;          /* seconds; 0: not told */
};

struct ba_oauth *ba_oauth_client_new(const char *config, size_t length, const char *label,
                                     const struct ba_oauth_client_options *options,
                                     struct ba_error *err);
struct ba_oauth *ba_oauth_refresh_new(const struct ba_oauth_refresh_options *options,
                                      struct ba_error *err);
void ba_oauth_delete(struct ba_oauth *oauth); /* wipes; NULL is allowed */

/* Refuses (BA_INVALID) endpoints that are plain http to another machine. */
bool ba_oauth_permit(struct ba_oauth *oauth, bool allow_insecure, struct ba_error *err);

/* The next exchange. Each call makes a new one: an assertion is used once. */
bool ba_oauth_next(struct ba_oauth *oauth, int64_t wall_seconds, struct ba_exchange *out,
                   struct ba_error *err);

enum ba_oauth_progress { BA_OAUTH_FAILED, BA_OAUTH_CONTINUES, BA_OAUTH_TOKEN };
/* Takes the answer to the last exchange. The message of a failure may quote
 * the server: the caller redacts it. */
enum ba_oauth_progress ba_oauth_feed(struct ba_oauth *oauth, int status, const char *body,
                                     size_t length, const struct ba_error *failure, double now,
                                     struct ba_token *token, struct ba_error *err);

/* What must never be shown: the index-th from 0 (client secret, refresh token,
 * last assertion), NULL after the last. */
const struct ba_buffer *ba_oauth_secret(const struct ba_oauth *oauth, size_t index);

#endif
