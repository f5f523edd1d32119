/* The OAuth grant itself, without I/O and without a lock: credential_oauth.c
 * holds the credential's lock around it and is its only user. */
#ifndef BA_OAUTH_GRANT_H
#define BA_OAUTH_GRANT_H

#include "batchapi/buffer.h"
#include "batchapi/error.h"
#include "batchapi/oauth.h"

#include <stddef.h>
#include <stdint.h>

#define BA_OAUTH_DISCOVERY_LIFETIME 86400.0 /* seconds until it is read anew */

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

/* Refuses (BA_INVALID) endpoints that are plain http to another machine. What one
 * client was permitted stays so, for it shares the grant with the others. */
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

/* The refresh token was refused, and its source must be asked for another. */
bool ba_oauth_asks(const struct ba_oauth *oauth);
/* What the source has. The one that was refused is the refusal. */
bool ba_oauth_put_refresh(struct ba_oauth *oauth, const char *token, size_t length,
                          struct ba_error *err);

/* Is it the grant that these options name, by the refresh token that it has or
 * one that it had before? */
bool ba_oauth_is_grant(const struct ba_oauth *oauth,
                       const struct ba_oauth_refresh_options *options);

/* What must never be shown: the index-th from 0 (client secret, refresh token,
 * last assertion), NULL after the last. */
const struct ba_buffer *ba_oauth_secret(const struct ba_oauth *oauth, size_t index);

#endif
