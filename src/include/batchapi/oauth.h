/* OAuth 2.0 token sources: client credentials with a signed assertion
 * (RFC 7523, private_key_jwt), and the refresh token grant (RFC 6749, 6).
 *
 * Two more constructors of credentials (credential.h); everything after that is
 * said in the credential's own words. */
#ifndef BA_OAUTH_H
#define BA_OAUTH_H

#include "credential.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>

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
  /* The refresh token comes from somewhere that may have a newer one: when it is
   * refused, BA_CREDENTIAL_ASK follows once, for ba_credential_put_refresh(). */
  bool sourced;
};
struct ba_credential *ba_credential_oauth_refresh(const struct ba_oauth_refresh_options *options,
                                                  struct ba_error *err);
/* Would the options make one of the same grant? Their refresh token may be one
 * that this one had before. A server that renews it with each use takes each
 * once: two credentials of one grant would end each other's. */
bool ba_credential_is_grant(struct ba_credential *credential,
                            const struct ba_oauth_refresh_options *options);

#endif
