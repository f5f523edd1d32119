/* What credential.c and credential_oauth.c share. Nobody else includes it. */
#ifndef BA_CREDENTIAL_PRIVATE_H
#define BA_CREDENTIAL_PRIVATE_H

#include "batchapi/credential.h"
#include "http/origin.h"

#include <pthread.h>
#include <stdatomic.h>

#define BA_TOKEN_MARGIN 30.0 /* seconds before its end at which a token is renewed */
#define BA_CREDENTIAL_WARNINGS 2
#define BA_CREDENTIAL_GUARDED 36 /* twice what one client may have */

enum ba_credential_type { /* in the order of ba_credential_kind() */
                          BA_CREDENTIAL_NONE,
                          BA_CREDENTIAL_BEARER,
                          BA_CREDENTIAL_BASIC,
                          BA_CREDENTIAL_HEADER,
                          BA_CREDENTIAL_FUNCTION,
                          BA_CREDENTIAL_OAUTH_CLIENT,
                          BA_CREDENTIAL_OAUTH_REFRESH
};

/* Which secret stands where in `secrets`, all of it for redaction. */
enum {
  BA_SECRET_CURRENT, /* token, header value, basic's base64 */
  BA_SECRET_LAST,    /* the token before; basic's password */
  BA_CREDENTIAL_SECRETS
};

struct ba_oauth;

struct ba_credential {
  atomic_uint references;
  atomic_bool has_renewed;      /* `renewed` holds something */
  enum ba_credential_type type; /* never changes */
  char *warnings[BA_CREDENTIAL_WARNINGS];

  pthread_mutex_t lock; /* guards all that follows */
  char origin[BA_ORIGIN_MAX];
  bool ready; /* `value` may be sent until `expires` */
  double expires;
  unsigned moments; /* tokens in a row that end at once */
  uint64_t generation;
  struct ba_buffer name;  /* of the header */
  struct ba_buffer value; /* of the header */
  struct ba_buffer secrets[BA_CREDENTIAL_SECRETS];
  struct ba_buffer guarded[BA_CREDENTIAL_GUARDED]; /* other secrets of its clients, oldest first */
  size_t guarded_count;
  struct ba_oauth *oauth;   /* the two OAuth types; never changes */
  struct ba_buffer renewed; /* a refresh token that the user has not got yet */
};

struct ba_credential *ba_credential_make(enum ba_credential_type type, struct ba_error *err);
bool ba_credential_remember(struct ba_credential *credential, size_t slot, const char *secret,
                            size_t length, struct ba_error *err);
bool ba_credential_warn(struct ba_credential *credential, const char *text, struct ba_error *err);
bool ba_credential_warn_exposed(struct ba_credential *credential, const char *what,
                                const char *path, struct ba_error *err);
/* The lock is held by the caller of both. */
void ba_credential_hide(struct ba_credential *credential, char *text, size_t length);
bool ba_credential_accept_token(struct ba_credential *credential, const char *token, size_t length,
                                double lifetime, double now, struct ba_error *err);

static inline bool ba_credential_is_oauth(const struct ba_credential *credential)
{
  return credential->type == BA_CREDENTIAL_OAUTH_CLIENT ||
         credential->type == BA_CREDENTIAL_OAUTH_REFRESH;
}

#endif
