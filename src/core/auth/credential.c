#include "batchapi/credential.h"

#include "auth/credential_private.h"
#include "auth/oauth_grant.h"
#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "batchapi/base64.h"
#include "http/headers.h"
#include "http/origin.h"
#include "system/system.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- making and freeing -------------------------------------------------- */

struct ba_credential *ba_credential_make(enum ba_credential_type type, struct ba_error *err)
{
  struct ba_credential *made = ba_calloc(1, sizeof(*made));
  if(!made) {
    ba_error_nomem(err);
    return NULL;
  }
  pthread_mutex_init(&made->lock, NULL);
  atomic_init(&made->references, 1);
  made->type = type;
  made->expires = INFINITY;
  ba_buffer_init(&made->name, BA_SECRET_MAX);
  ba_buffer_init_secret(&made->value, BA_SECRET_MAX * 2);
  ba_buffer_init_secret(&made->renewed, BA_SECRET_MAX);
  for(size_t i = 0; i < BA_CREDENTIAL_SECRETS; i++)
    ba_buffer_init_secret(&made->secrets[i], BA_SECRET_MAX * 2);
  return made;
}

struct ba_credential *ba_credential_retain(struct ba_credential *credential)
{
  atomic_fetch_add_explicit(&credential->references, 1, memory_order_relaxed);
  return credential;
}

void ba_credential_release(struct ba_credential *credential)
{
  if(!credential ||
     atomic_fetch_sub_explicit(&credential->references, 1, memory_order_acq_rel) != 1)
    return;
  ba_buffer_free(&credential->name);
  ba_buffer_free(&credential->value);
  ba_buffer_free(&credential->renewed);
  ba_oauth_delete(credential->oauth);
  for(size_t i = 0; i < BA_CREDENTIAL_SECRETS; i++)
    ba_buffer_free(&credential->secrets[i]);
  for(size_t i = 0; i < credential->guarded_count; i++)
    ba_buffer_free(&credential->guarded[i]);
  for(size_t i = 0; i < BA_CREDENTIAL_WARNINGS; i++)
    ba_free(credential->warnings[i]);
  pthread_mutex_destroy(&credential->lock);
  ba_free(credential);
}

/* Ends a constructor: the credential if all went well, else NULL. */
static struct ba_credential *finish(struct ba_credential *made, bool ok)
{
  if(ok)
    return made;
  ba_credential_release(made);
  return NULL;
}

bool ba_credential_remember(struct ba_credential *credential, size_t slot, const char *secret,
                            size_t length, struct ba_error *err)
{
  ba_buffer_clear(&credential->secrets[slot]);
  return ba_buffer_append(&credential->secrets[slot], secret, length, err);
}

bool ba_credential_warn(struct ba_credential *credential, const char *text, struct ba_error *err)
{
  for(size_t i = 0; i < BA_CREDENTIAL_WARNINGS; i++) {
    if(credential->warnings[i])
      continue;
    credential->warnings[i] = ba_strdup(text);
    return credential->warnings[i] || ba_error_nomem(err);
  }
  return true;
}

bool ba_credential_warn_exposed(struct ba_credential *credential, const char *what,
                                const char *path, struct ba_error *err)
{
  char text[BA_ERROR_MESSAGE_MAX];
  snprintf(text, sizeof(text), "%s %s is readable by others than its owner (chmod 600 mends it)",
           what, path);
  return ba_credential_warn(credential, text, err);
}

/* ---- fixed secrets ------------------------------------------------------- */

struct ba_credential *ba_credential_none(struct ba_error *err)
{
  return ba_credential_make(BA_CREDENTIAL_NONE, err);
}

struct ba_credential *ba_credential_function(struct ba_error *err)
{
  struct ba_credential *made = ba_credential_make(BA_CREDENTIAL_FUNCTION, err);
  return made ? finish(made, ba_buffer_puts(&made->name, "Authorization", err)) : NULL;
}

/* Puts a bearer token in place. The one before stays known for redaction: an
 * answer to a request that carried it may still come in. */
static bool set_token(struct ba_credential *credential, const char *token, size_t length,
                      struct ba_error *err)
{
  struct ba_buffer *last = &credential->secrets[BA_SECRET_LAST];
  struct ba_buffer *current = &credential->secrets[BA_SECRET_CURRENT];
  struct ba_buffer swap = *last;
  *last = *current;
  *current = swap;
  ba_buffer_clear(&credential->value);
  return ba_credential_remember(credential, BA_SECRET_CURRENT, token, length, err) &&
         ba_buffer_puts(&credential->value, "Bearer ", err) &&
         ba_buffer_append(&credential->value, token, length, err);
}

static bool make_bearer(struct ba_credential *made, const char *token, size_t length,
                        const char *what, struct ba_error *err)
{
  made->ready = true;
  return ba_secret_check(token, length, what, err) &&
         ba_buffer_puts(&made->name, "Authorization", err) && set_token(made, token, length, err);
}

struct ba_credential *ba_credential_bearer(const char *token, size_t length, struct ba_error *err)
{
  struct ba_credential *made = ba_credential_make(BA_CREDENTIAL_BEARER, err);
  return made ? finish(made, make_bearer(made, token, length, "the token", err)) : NULL;
}

/* user:password in base64 (RFC 7617); the pair is wiped on the way. */
static bool make_basic(struct ba_credential *made, const char *user, size_t user_length,
                       const char *password, size_t password_length, const char *what,
                       struct ba_error *err)
{
  if(!ba_secret_check(user, user_length, "the user name", err) ||
     !ba_secret_check(password, password_length, what, err))
    return false;
  if(memchr(user, ':', user_length))
    return ba_error_set(err, BA_INVALID, "colon",
                        "the user name contains a colon, which basic authentication cannot carry");
  made->ready = true;
  struct ba_buffer pair;
  ba_buffer_init_secret(&pair, BA_SECRET_MAX);
  struct ba_buffer *encoded = &made->secrets[BA_SECRET_CURRENT];
  bool ok = ba_buffer_append(&pair, user, user_length, err) && ba_buffer_puts(&pair, ":", err) &&
            ba_buffer_append(&pair, password, password_length, err) &&
            ba_base64_encode(encoded, pair.bytes, pair.length, err) &&
            ba_credential_remember(made, BA_SECRET_LAST, password, password_length, err) &&
            ba_buffer_puts(&made->name, "Authorization", err) &&
            ba_buffer_puts(&made->value, "Basic ", err) &&
            ba_buffer_append(&made->value, encoded->bytes, encoded->length, err);
  ba_buffer_free(&pair);
  return ok;
}

struct ba_credential *ba_credential_basic(const char *user, size_t user_length,
                                          const char *password, size_t password_length,
                                          struct ba_error *err)
{
  struct ba_credential *made = ba_credential_make(BA_CREDENTIAL_BASIC, err);
  return made ? finish(made, make_basic(made, user, user_length, password, password_length,
                                        "the password", err))
              : NULL;
}

/* A field name of RFC 9110, and none that frames or routes the request. */
static bool check_name(const char *name, struct ba_error *err)
{
  size_t length = strlen(name);
  if(length == 0)
    return ba_error_set(err, BA_INVALID, "header_name", "the header's name is empty");
  for(size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)name[i];
    if(c <= 0x20 || c >= 0x7F || strchr("\"(),/:;<=>?@[\\]{}", c))
      return ba_error_set(err, BA_INVALID, "header_name",
                          "the header's name contains a character that no header name can");
  }
  const char *framing = ba_head_framing(name);
  return !framing ||
         ba_error_set(err, BA_INVALID, "header_name",
                      "the header %s frames the request and cannot be a credential", framing);
}

static bool make_header(struct ba_credential *made, const char *name, const char *value,
                        size_t value_length, const char *what, struct ba_error *err)
{
  made->ready = true;
  return check_name(name, err) && ba_secret_check(value, value_length, what, err) &&
         ba_buffer_puts(&made->name, name, err) &&
         ba_credential_remember(made, BA_SECRET_CURRENT, value, value_length, err) &&
         ba_buffer_append(&made->value, value, value_length, err);
}

struct ba_credential *ba_credential_header(const char *name, const char *value, size_t value_length,
                                           struct ba_error *err)
{
  struct ba_credential *made = ba_credential_make(BA_CREDENTIAL_HEADER, err);
  return made
             ? finish(made, make_header(made, name, value, value_length, "the header's value", err))
             : NULL;
}

/* ---- fixed secrets from a file ------------------------------------------- */

static const char file_option[] = "api_key_file";

static struct ba_credential *from_file(enum ba_credential_type type, const char *name,
                                       size_t name_length, const char *path, struct ba_error *err)
{
  struct ba_credential *made = ba_credential_make(type, err);
  if(!made)
    return NULL;
  struct ba_buffer secret;
  bool exposed = false;
  ba_buffer_init_secret(&secret, BA_SECRET_MAX);
  bool ok = ba_secret_read_file(path, file_option, &secret, &exposed, err);
  if(ok && type == BA_CREDENTIAL_BASIC)
    ok = make_basic(made, name, name_length, secret.bytes, secret.length, file_option, err);
  else if(ok && type == BA_CREDENTIAL_HEADER)
    ok = make_header(made, name, secret.bytes, secret.length, file_option, err);
  else if(ok)
    ok = make_bearer(made, secret.bytes, secret.length, file_option, err);
  if(ok && exposed)
    ok = ba_credential_warn_exposed(made, file_option, path, err);
  ba_buffer_free(&secret);
  return finish(made, ok);
}

struct ba_credential *ba_credential_bearer_file(const char *path, struct ba_error *err)
{
  return from_file(BA_CREDENTIAL_BEARER, NULL, 0, path, err);
}

struct ba_credential *ba_credential_basic_file(const char *user, size_t user_length,
                                               const char *path, struct ba_error *err)
{
  return from_file(BA_CREDENTIAL_BASIC, user, user_length, path, err);
}

struct ba_credential *ba_credential_header_file(const char *name, const char *path,
                                                struct ba_error *err)
{
  return from_file(BA_CREDENTIAL_HEADER, name, strlen(name), path, err);
}

/* ---- where it may go ----------------------------------------------------- */

bool ba_credential_bind(struct ba_credential *credential, const char *url, bool allow_insecure,
                        struct ba_error *err)
{
  struct ba_origin origin;
  if(credential->type == BA_CREDENTIAL_NONE)
    return true;
  if(!ba_origin_parse(url, &origin, err))
    return false;
  if(!origin.secure && !origin.loopback && !allow_insecure)
    return ba_error_set(err, BA_INVALID, "insecure",
                        "%s: a credential is not sent over plain http to another machine "
                        "(allow_insecure = true permits it)",
                        origin.text);
  pthread_mutex_lock(&credential->lock);
  bool ok = credential->origin[0] == '\0' || strcmp(credential->origin, origin.text) == 0 ||
            ba_error_set(err, BA_INVALID, "origin", "the credential belongs to %s and not to %s",
                         credential->origin, origin.text);
  ok = ok && (!credential->oauth || ba_oauth_permit(credential->oauth, allow_insecure, err));
  if(ok)
    memcpy(credential->origin, origin.text, sizeof(origin.text));
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

bool ba_credential_allows(struct ba_credential *credential, const char *url)
{
  struct ba_origin origin;
  if(credential->type == BA_CREDENTIAL_NONE)
    return true;
  if(!ba_origin_parse(url, &origin, NULL))
    return false;
  pthread_mutex_lock(&credential->lock);
  bool ok = strcmp(credential->origin, origin.text) == 0;
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

/* ---- the header line and the token's life -------------------------------- */

enum ba_credential_state ba_credential_state(struct ba_credential *credential, double now)
{
  pthread_mutex_lock(&credential->lock);
  bool ready =
      credential->type == BA_CREDENTIAL_NONE || (credential->ready && now < credential->expires);
  bool asks = credential->type == BA_CREDENTIAL_FUNCTION ||
              (credential->oauth && ba_oauth_asks(credential->oauth));
  pthread_mutex_unlock(&credential->lock);
  return ready ? BA_CREDENTIAL_READY : asks ? BA_CREDENTIAL_ASK : BA_CREDENTIAL_FETCH;
}

bool ba_credential_line(struct ba_credential *credential, struct ba_buffer *line,
                        uint64_t *generation, struct ba_error *err)
{
  if(credential->type == BA_CREDENTIAL_NONE) {
    if(generation)
      *generation = 0;
    return true;
  }
  pthread_mutex_lock(&credential->lock);
  if(generation)
    *generation = credential->generation;
  bool ok = credential->ready || ba_error_set(err, BA_AUTH, "no_token", "there is no token yet");
  ok = ok && ba_buffer_append(line, credential->name.bytes, credential->name.length, err) &&
       ba_buffer_puts(line, ": ", err) &&
       ba_buffer_append(line, credential->value.bytes, credential->value.length, err);
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

bool ba_credential_reject(struct ba_credential *credential, uint64_t generation)
{
  if(credential->type != BA_CREDENTIAL_FUNCTION && !ba_credential_is_oauth(credential))
    return false;
  pthread_mutex_lock(&credential->lock);
  if(credential->generation == generation)
    credential->ready = false;
  pthread_mutex_unlock(&credential->lock);
  return true;
}

/* Half a short lifetime, or 30 s of a long one: a token must not expire on the
 * way, and one that has just been fetched must serve those who waited for it. */
static double usable_seconds(double lifetime)
{
  if(!(lifetime > 0))
    return INFINITY;
  return lifetime > 2 * BA_TOKEN_MARGIN ? lifetime - BA_TOKEN_MARGIN : lifetime / 2;
}

/* A server that gives out tokens for a moment only would be asked all the time:
 * a fetched one is used for a second at least, and for longer the more of them
 * come in a row. One that has ended meanwhile is refused by the service, and
 * renewed then. */
static double worth_using(struct ba_credential *credential, double lifetime)
{
  enum { STEPS = 5 };
  static const double MOMENT = 2;
  double usable = usable_seconds(lifetime);
  if(!ba_credential_is_oauth(credential) || !(lifetime > 0) || lifetime >= MOMENT) {
    credential->moments = 0;
    return usable;
  }
  double least = (double)(1u << credential->moments);
  credential->moments += credential->moments < STEPS;
  return usable > least ? usable : least;
}

bool ba_credential_accept_token(struct ba_credential *credential, const char *token, size_t length,
                                double lifetime, double now, struct ba_error *err)
{
  if(!ba_secret_check(token, length, "the token", err) ||
     !set_token(credential, token, length, err)) {
    credential->ready = false;
    return false;
  }
  credential->ready = true;
  credential->generation++;
  credential->expires = now + worth_using(credential, lifetime);
  return true;
}

bool ba_credential_put(struct ba_credential *credential, const char *token, size_t length,
                       double lifetime, double now, struct ba_error *err)
{
  if(credential->type != BA_CREDENTIAL_FUNCTION)
    return ba_error_set(err, BA_MISUSE, NULL, "this credential has no token function");
  pthread_mutex_lock(&credential->lock);
  bool ok = ba_credential_accept_token(credential, token, length, lifetime, now, err);
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

/* ---- what may be shown --------------------------------------------------- */

const char *ba_credential_kind(const struct ba_credential *credential)
{
  static const char *const names[] = {"none",     "bearer",       "basic",        "header",
                                      "function", "oauth_client", "oauth_refresh"};
  return names[credential->type];
}

const char *ba_credential_warning(const struct ba_credential *credential, size_t index)
{
  return index < BA_CREDENTIAL_WARNINGS ? credential->warnings[index] : NULL;
}

/* The index-th of all that must not be shown; NULL after the last. */
static const struct ba_buffer *secret_at(const struct ba_credential *credential, size_t index)
{
  if(index < BA_CREDENTIAL_SECRETS)
    return &credential->secrets[index];
  index -= BA_CREDENTIAL_SECRETS;
  if(index < credential->guarded_count)
    return &credential->guarded[index];
  index -= credential->guarded_count;
  return credential->oauth ? ba_oauth_secret(credential->oauth, index) : NULL;
}

void ba_credential_hide(struct ba_credential *credential, char *text, size_t length)
{
  const struct ba_buffer *secret;
  for(size_t i = 0; (secret = secret_at(credential, i)) != NULL; i++)
    ba_secret_redact(secret->bytes, secret->length, text, length);
}

/* It is the newest from now on. */
static bool is_guarded(struct ba_credential *credential, const char *secret, size_t length)
{
  struct ba_buffer *guarded = credential->guarded;
  for(size_t i = 0; i < credential->guarded_count; i++) {
    struct ba_buffer known = guarded[i];
    if(known.length != length || memcmp(known.bytes, secret, length) != 0)
      continue;
    memmove(guarded + i, guarded + i + 1, (credential->guarded_count - i - 1) * sizeof(*guarded));
    guarded[credential->guarded_count - 1] = known;
    return true;
  }
  return false;
}

static void forget_oldest(struct ba_credential *credential)
{
  struct ba_buffer *guarded = credential->guarded;
  ba_buffer_free(&guarded[0]);
  memmove(guarded, guarded + 1, --credential->guarded_count * sizeof(*guarded));
}

bool ba_credential_guard(struct ba_credential *credential, const char *secret, size_t length,
                         struct ba_error *err)
{
  struct ba_buffer made;
  ba_buffer_init_secret(&made, BA_SECRET_MAX);
  if(length < BA_SECRET_SHORTEST)
    return true;
  if(!ba_buffer_append(&made, secret, length, err))
    return false;
  pthread_mutex_lock(&credential->lock);
  if(is_guarded(credential, secret, length)) {
    ba_buffer_free(&made);
  } else {
    if(credential->guarded_count == BA_CREDENTIAL_GUARDED)
      forget_oldest(credential);
    credential->guarded[credential->guarded_count++] = made;
  }
  pthread_mutex_unlock(&credential->lock);
  return true;
}

static bool shows(const struct ba_buffer *secret, const char *text, size_t length)
{
  return secret->length >= BA_SECRET_SURE && length >= secret->length &&
         ba_find_bytes(text, length, secret->bytes, secret->length) != NULL;
}

void ba_credential_redact_answer(struct ba_credential *credential, char *head, size_t head_length,
                                 char *body, size_t body_length)
{
  const struct ba_buffer *secret;
  bool shown = false;
  pthread_mutex_lock(&credential->lock);
  for(size_t i = 0; !shown && (secret = secret_at(credential, i)) != NULL; i++)
    shown = shows(secret, head, head_length) || shows(secret, body, body_length);
  for(size_t i = 0; shown && (secret = secret_at(credential, i)) != NULL; i++) {
    if(secret->length < BA_SECRET_SURE)
      continue;
    ba_secret_redact(secret->bytes, secret->length, head, head_length);
    ba_secret_redact(secret->bytes, secret->length, body, body_length);
  }
  pthread_mutex_unlock(&credential->lock);
}

void ba_credential_redact(struct ba_credential *credential, char *text, size_t length)
{
  pthread_mutex_lock(&credential->lock);
  ba_credential_hide(credential, text, length);
  pthread_mutex_unlock(&credential->lock);
}
