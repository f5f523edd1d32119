/* How a request proves who sends it: nothing, a bearer token, basic, any
 * header, a token function of the user's, or OAuth 2.0 (client credentials
 * with a signed assertion; refresh token).
 *
 * A credential is shared and counted. Its secrets are copied in once, live in
 * the core's memory only, and are wiped when the last reference goes. It does
 * no I/O: where a token must be fetched it names the next HTTP exchange and is
 * fed the answer, so that it is tested without a network and one engine drives
 * it for every host. All functions may be called from any thread; a mutex of
 * its own guards the token.
 *
 * It belongs to one origin (scheme, host, port). The engine asks
 * ba_credential_allows() with the URL of every attempt and sends nothing of it
 * anywhere else. Token and discovery requests carry no other credential. */
#ifndef BA_CREDENTIAL_H
#define BA_CREDENTIAL_H

#include "buffer.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct ba_credential;

struct ba_credential *ba_credential_none(struct ba_error *err);
struct ba_credential *ba_credential_bearer(const char *token, size_t length, struct ba_error *err);
struct ba_credential *ba_credential_basic(const char *user, size_t user_length,
                                          const char *password, size_t password_length,
                                          struct ba_error *err);
struct ba_credential *ba_credential_header(const char *name, const char *value, size_t value_length,
                                           struct ba_error *err);
/* The same with the secret read from a file by the core (secret.h), so that it
 * never is a Lua string. `file` names the option in messages: "api_key_file". */
struct ba_credential *ba_credential_bearer_file(const char *path, struct ba_error *err);
struct ba_credential *ba_credential_basic_file(const char *user, size_t user_length,
                                               const char *path, struct ba_error *err);
struct ba_credential *ba_credential_header_file(const char *name, const char *path,
                                                struct ba_error *err);
/* The token comes from a function of the user's: see BA_CREDENTIAL_ASK. */
struct ba_credential *ba_credential_function(struct ba_error *err);
/* The two OAuth constructors stand in oauth.h. */

struct ba_credential *ba_credential_retain(struct ba_credential *credential);
void ba_credential_release(struct ba_credential *credential); /* NULL is allowed */

/* Ties the credential to the origin of a URL. A second, different origin is
 * BA_INVALID. Plain http to a host that is not loopback is BA_INVALID unless
 * allow_insecure. */
bool ba_credential_bind(struct ba_credential *credential, const char *url, bool allow_insecure,
                        struct ba_error *err);
/* May a request to this URL carry the credential? A `none` goes anywhere. */
bool ba_credential_allows(struct ba_credential *credential, const char *url);

enum ba_credential_state {
  BA_CREDENTIAL_READY, /* ba_credential_line() gives a header line */
  BA_CREDENTIAL_FETCH, /* an exchange is needed: ba_credential_next()/feed() */
  BA_CREDENTIAL_ASK    /* the user's function must be asked: ba_credential_put() */
};

/* `now` is monotonic seconds (clock.h). */
enum ba_credential_state ba_credential_state(struct ba_credential *credential, double now);

/* Appends "Name: value" (no CRLF) to `line`, nothing for `none`, and tells
 * which token it was, for ba_credential_reject(). The caller wipes `line`. */
bool ba_credential_line(struct ba_credential *credential, struct ba_buffer *line,
                        uint64_t *generation, struct ba_error *err);

/* The server answered 401 to a request that carried this generation. True if
 * a renewed token may help (the state is now FETCH or ASK, or someone has
 * renewed it meanwhile); false for a fixed secret. */
bool ba_credential_reject(struct ba_credential *credential, uint64_t generation);

/* One HTTP exchange of a token fetch, to be freed with ba_exchange_free(). */
struct ba_exchange {
  const char *what;   /* "discovery", "token": static text, for messages */
  const char *method; /* static text */
  char *url;
  struct ba_buffer body; /* form-encoded; empty for GET; wiped on free */
};
void ba_exchange_free(struct ba_exchange *exchange);

/* Wall-clock time is passed in for the assertion's iat/nbf/exp. */
bool ba_credential_next(struct ba_credential *credential, int64_t wall_seconds,
                        struct ba_exchange *out, struct ba_error *err);
/* status 0: no HTTP answer, `failure` says why. Returns false with *err when
 * the fetch has failed for good (every waiting call ends with that error; the
 * next call starts anew); true: look at the state again. */
bool ba_credential_feed(struct ba_credential *credential, int status, const char *body,
                        size_t length, const struct ba_error *failure, double now,
                        struct ba_error *err);
/* What the user's function gave. lifetime <= 0: for ever. */
bool ba_credential_put(struct ba_credential *credential, const char *token, size_t length,
                       double lifetime, double now, struct ba_error *err);

/* The refresh token that its source has now (oauth.h, sourced). False, with the
 * server's refusal, if it is the one that was refused. */
bool ba_credential_put_refresh(struct ba_credential *credential, const char *token, size_t length,
                               struct ba_error *err);

/* A refresh token that the server renewed, not yet handed to the user; the
 * caller wipes it. False when there is none, or no memory. Appends to `out`.
 * It is there until it was told: whoever runs out of memory on the way asks
 * again. */
bool ba_credential_renewed(struct ba_credential *credential, struct ba_buffer *out);
void ba_credential_told(struct ba_credential *credential, const struct ba_buffer *renewed);
bool ba_credential_has_renewed(const struct ba_credential *credential);

/* "none", "bearer", "basic", "header", "function", "oauth_client",
 * "oauth_refresh": static text, all that may ever be shown of it. */
const char *ba_credential_kind(const struct ba_credential *credential);

/* What the user should know about how the secret is kept ("api_key_file … is
 * readable by others"): the index-th from 0, NULL after the last. Never a
 * secret; lives as long as the credential. */
const char *ba_credential_warning(const struct ba_credential *credential, size_t index);

/* Another secret of a client that has this credential (of a proxy, a header of
 * the user's), to be hidden with its own. One that is shorter than is ever hidden
 * is passed over. Clients may share a credential, and more and more of them come:
 * when there are too many, the one that was given longest ago is let go. */
bool ba_credential_guard(struct ba_credential *credential, const char *secret, size_t length,
                         struct ba_error *err);

/* Overwrites every occurrence of the credential's secrets in `text` (length bytes,
 * in place) with '*'. Used on whatever a server echoes before a person sees it. */
void ba_credential_redact(struct ba_credential *credential, char *text, size_t length);
/* The same for answers that are as they should be, which are many and large, and
 * whose words are somebody's: secrets of BA_SECRET_SURE bytes, and only where
 * some one stands there as it is. */
void ba_credential_redact_answer(struct ba_credential *credential, char *head, size_t head_length,
                                 char *body, size_t body_length);

/* Reads a file of settings and secrets into `out` (made with ba_buffer_init_secret), less a line
 * end at its end. BA_INVALID ("readable", "writable") if others than its owner can read or write
 * it, or if it is empty; BA_IO, BA_TOO_LARGE as reading a file gives. */
bool ba_private_file_read(const char *path, struct ba_buffer *out, struct ba_error *err);

#endif
