#include "auth/oauth_grant.h"

#include "auth/jwt.h"
#include "auth/oauth_answer.h"
#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "batchapi/hash.h"
#include "http/form.h"
#include "http/origin.h"
#include "json/fields.h"

#include <stdio.h>
#include <string.h>

enum step { STEP_NONE, STEP_DISCOVERY, STEP_TOKEN };

enum { KNOWN = 16 };

struct ba_oauth {
  bool signs; /* client credentials with an assertion; else refresh token */
  bool allow_insecure;
  struct ba_jwk jwk;
  char *client_id, *redirect_uri, *scope;
  char *well_known, *issuer; /* client credentials */
  char *token_url;           /* NULL: not discovered */
  double discovered_until;
  struct ba_buffer client_secret, refresh_token, assertion;
  enum step asked; /* what the last exchange was for */
  bool sourced;    /* the refresh token has a source that can be asked again */
  bool asks;       /* it is to be asked, because of `refusal` */
  bool asked_source;
  struct ba_error refusal;
  /* Hashes of the refresh tokens that it has had, the newest of them. */
  char known[KNOWN][BA_SHA256_HEX];
  unsigned known_count;
};

/* ---- making -------------------------------------------------------------- */

static struct ba_oauth *oauth_new(struct ba_error *err)
{
  struct ba_oauth *made = ba_calloc(1, sizeof(*made));
  if(!made) {
    ba_error_nomem(err);
    return NULL;
  }
  ba_buffer_init_secret(&made->client_secret, BA_SECRET_MAX);
  ba_buffer_init_secret(&made->refresh_token, BA_SECRET_MAX);
  ba_buffer_init_secret(&made->assertion, BA_ASSERTION_MAX * 2);
  return made;
}

void ba_oauth_delete(struct ba_oauth *oauth)
{
  if(!oauth)
    return;
  ba_jwk_free(&oauth->jwk);
  ba_buffer_free(&oauth->client_secret);
  ba_buffer_free(&oauth->refresh_token);
  ba_buffer_free(&oauth->assertion);
  ba_free(oauth->client_id);
  ba_free(oauth->redirect_uri);
  ba_free(oauth->scope);
  ba_free(oauth->well_known);
  ba_free(oauth->issuer);
  ba_free(oauth->token_url);
  ba_free(oauth);
}

static struct ba_oauth *finish(struct ba_oauth *made, bool ok)
{
  if(ok)
    return made;
  ba_oauth_delete(made);
  return NULL;
}

/* NULL stays NULL. */
static bool copy(char **to, const char *text, struct ba_error *err)
{
  if(!text)
    return true;
  *to = ba_strdup(text);
  return *to || ba_error_nomem(err);
}

/* ---- client credentials: the configuration ------------------------------- */

enum { C_ID, C_WELL_KNOWN, C_JWK, C_FIELDS };

static bool config_string(const struct ba_field *field, const char *label, struct ba_error *err)
{
  if(field->type == BA_FIELD_ABSENT)
    return ba_error_set(err, BA_INVALID, "missing_field", "%s: %s is missing", label, field->name);
  if(field->type != BA_FIELD_STRING)
    return ba_error_set(err, BA_INVALID, "bad_field", "%s: %s is not a string", label, field->name);
  char what[BA_ERROR_MESSAGE_MAX];
  snprintf(what, sizeof(what), "%s: %s", label, field->name);
  return ba_secret_check(field->text.bytes, field->text.length, what, err);
}

static bool read_config(struct ba_oauth *made, const struct ba_field *fields, const char *label,
                        const char *well_known, struct ba_error *err)
{
  struct ba_origin origin;
  if(!config_string(&fields[C_ID], label, err) ||
     !copy(&made->client_id, fields[C_ID].text.bytes, err))
    return false;
  if(fields[C_WELL_KNOWN].type != BA_FIELD_ABSENT) {
    if(!config_string(&fields[C_WELL_KNOWN], label, err))
      return false;
    well_known = fields[C_WELL_KNOWN].text.bytes;
  }
  if(!ba_origin_parse(well_known, &origin, NULL))
    return ba_error_set(err, BA_INVALID, "bad_field", "%s: wellKnownUri is not a URL", label);
  if(fields[C_JWK].type == BA_FIELD_ABSENT)
    return ba_error_set(err, BA_INVALID, "missing_field", "%s: jwk is missing", label);
  return copy(&made->well_known, well_known, err);
}

/* A configuration that is not JSON is a wrong value, not a broken answer. */
static bool blame_config(const struct ba_error *why, const char *label, struct ba_error *err)
{
  enum ba_kind kind = why->kind == BA_DECODE ? BA_INVALID : why->kind;
  return ba_error_set(err, kind, why->code, "%s: %s", label, why->message);
}

struct ba_oauth *ba_oauth_client_new(const char *config, size_t length, const char *label,
                                     const struct ba_oauth_client_options *options,
                                     struct ba_error *err)
{
  struct ba_oauth *made = oauth_new(err);
  if(!made)
    return NULL;
  made->signs = true;
  struct ba_field fields[C_FIELDS] = {
      {.name = "clientId"}, {.name = "wellKnownUri"}, {.name = "jwk"}};
  struct ba_error why = {0};
  bool ok = ba_fields_read(config, length, NULL, fields, C_FIELDS, &why) ||
            blame_config(&why, label, err);
  ok = ok &&
       read_config(made, fields, label,
                   options->well_known_uri ? options->well_known_uri : BA_OAUTH_DEFAULT_WELL_KNOWN,
                   err);
  ba_fields_free(fields, C_FIELDS);
  ok = ok &&
       (ba_jwk_read(config, length, "jwk", &made->jwk, &why) || blame_config(&why, label, err));
  return finish(made, ok && copy(&made->scope, options->scope, err));
}

/* ---- refresh token: the options ------------------------------------------ */

static bool hash_token(const char *token, size_t length, char *out, struct ba_error *err)
{
  struct ba_sha256 *hash = ba_sha256_new(err);
  bool ok = hash && ba_sha256_update(hash, token, length, err) && ba_sha256_hex(hash, out, err);
  ba_sha256_free(hash);
  return ok;
}

static bool set_refresh_token(struct ba_oauth *oauth, const char *token, size_t length,
                              struct ba_error *err)
{
  ba_buffer_clear(&oauth->refresh_token);
  return hash_token(token, length, oauth->known[oauth->known_count++ % KNOWN], err) &&
         ba_buffer_append(&oauth->refresh_token, token, length, err);
}

static bool same_text(const char *ours, const char *theirs)
{
  return ours && theirs ? strcmp(ours, theirs) == 0 : ours == theirs;
}

bool ba_oauth_is_grant(const struct ba_oauth *oauth, const struct ba_oauth_refresh_options *options)
{
  char hash[BA_SHA256_HEX];
  const struct ba_buffer *secret = &oauth->client_secret;
  size_t length = options->client_secret ? options->client_secret_length : 0;
  if(oauth->signs || oauth->sourced != options->sourced ||
     !same_text(oauth->token_url, options->token_url) ||
     !same_text(oauth->client_id, options->client_id) ||
     !same_text(oauth->redirect_uri, options->redirect_uri) ||
     !same_text(oauth->scope, options->scope) || secret->length != length ||
     (length && memcmp(secret->bytes, options->client_secret, length) != 0) ||
     !hash_token(options->refresh_token, options->refresh_token_length, hash, NULL))
    return false;
  bool found = false;
  for(unsigned i = 0; i < KNOWN; i++)
    found = found || strcmp(oauth->known[i], hash) == 0;
  return found;
}

struct ba_oauth *ba_oauth_refresh_new(const struct ba_oauth_refresh_options *options,
                                      struct ba_error *err)
{
  struct ba_oauth *made = oauth_new(err);
  if(!made)
    return NULL;
  struct ba_origin origin;
  made->sourced = options->sourced;
  bool ok = ba_origin_parse(options->token_url, &origin, NULL) ||
            ba_error_set(err, BA_INVALID, "url", "token_url is not a URL");
  ok = ok && ba_secret_check(options->client_id, strlen(options->client_id), "client_id", err) &&
       ba_secret_check(options->refresh_token, options->refresh_token_length, "refresh_token",
                       err) &&
       set_refresh_token(made, options->refresh_token, options->refresh_token_length, err);
  if(ok && options->client_secret)
    ok = ba_secret_check(options->client_secret, options->client_secret_length, "client_secret",
                         err) &&
         ba_buffer_append(&made->client_secret, options->client_secret,
                          options->client_secret_length, err);
  return finish(made, ok && copy(&made->token_url, options->token_url, err) &&
                          copy(&made->client_id, options->client_id, err) &&
                          copy(&made->redirect_uri, options->redirect_uri, err) &&
                          copy(&made->scope, options->scope, err));
}

/* ---- where it may go ----------------------------------------------------- */

static bool permit_url(const char *url, const char *what, bool allow_insecure, struct ba_error *err)
{
  struct ba_origin origin;
  if(!ba_origin_parse(url, &origin, NULL))
    return ba_error_set(err, BA_INVALID, "url", "the %s is not a URL", what);
  if(origin.secure || origin.loopback || allow_insecure)
    return true;
  return ba_error_set(err, BA_INVALID, "insecure",
                      "the %s at %s: a credential is not sent over plain http to another machine "
                      "(allow_insecure = true permits it)",
                      what, origin.text);
}

bool ba_oauth_permit(struct ba_oauth *oauth, bool allow_insecure, struct ba_error *err)
{
  if(!(oauth->signs ? permit_url(oauth->well_known, "discovery document", allow_insecure, err)
                    : permit_url(oauth->token_url, "token endpoint", allow_insecure, err)))
    return false;
  oauth->allow_insecure |= allow_insecure;
  return true;
}

/* ---- exchanges ----------------------------------------------------------- */

static bool add(struct ba_buffer *body, const char *name, const char *text, struct ba_error *err)
{
  return !text || ba_form_add(body, name, text, strlen(text), err);
}

static bool add_secret(struct ba_buffer *body, const char *name, const struct ba_buffer *secret,
                       struct ba_error *err)
{
  return secret->length == 0 || ba_form_add(body, name, secret->bytes, secret->length, err);
}

static bool write_assertion_form(struct ba_oauth *oauth, int64_t wall_seconds,
                                 struct ba_buffer *body, struct ba_error *err)
{
  ba_buffer_clear(&oauth->assertion);
  return ba_jwt_client_assertion(&oauth->jwk, oauth->client_id, oauth->issuer, wall_seconds,
                                 &oauth->assertion, err) &&
         add(body, "grant_type", "client_credentials", err) &&
         add(body, "client_assertion_type",
             "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", err) &&
         add_secret(body, "client_assertion", &oauth->assertion, err) &&
         add(body, "scope", oauth->scope, err);
}

static bool write_refresh_form(struct ba_oauth *oauth, struct ba_buffer *body, struct ba_error *err)
{
  return add(body, "grant_type", "refresh_token", err) &&
         add(body, "client_id", oauth->client_id, err) &&
         add_secret(body, "client_secret", &oauth->client_secret, err) &&
         add(body, "redirect_uri", oauth->redirect_uri, err) &&
         add_secret(body, "refresh_token", &oauth->refresh_token, err) &&
         add(body, "scope", oauth->scope, err);
}

bool ba_oauth_next(struct ba_oauth *oauth, int64_t wall_seconds, struct ba_exchange *out,
                   struct ba_error *err)
{
  *out = (struct ba_exchange){0};
  ba_buffer_init_secret(&out->body, BA_SECRET_MAX * 4);
  bool discover = !oauth->token_url;
  const char *url = discover ? oauth->well_known : oauth->token_url;
  out->what = discover ? "discovery" : "token";
  out->method = discover ? "GET" : "POST";
  bool ok = permit_url(url, discover ? "discovery document" : "token endpoint",
                       oauth->allow_insecure, err) &&
            copy(&out->url, url, err);
  if(ok && !discover)
    ok = oauth->signs ? write_assertion_form(oauth, wall_seconds, &out->body, err)
                      : write_refresh_form(oauth, &out->body, err);
  if(!ok) {
    ba_exchange_free(out);
    return false;
  }
  oauth->asked = discover ? STEP_DISCOVERY : STEP_TOKEN;
  return true;
}

/* ---- answers ------------------------------------------------------------- */

static void forget_discovery(struct ba_oauth *oauth)
{
  ba_free(oauth->issuer);
  ba_free(oauth->token_url);
  oauth->issuer = oauth->token_url = NULL;
}

static enum ba_oauth_progress take_discovery(struct ba_oauth *oauth, const char *body,
                                             size_t length, double now, struct ba_error *err)
{
  forget_discovery(oauth);
  if(!ba_oauth_read_discovery(body, length, oauth->well_known, oauth->allow_insecure,
                              &oauth->issuer, &oauth->token_url, err)) {
    forget_discovery(oauth);
    return BA_OAUTH_FAILED;
  }
  oauth->discovered_until = now + BA_OAUTH_DISCOVERY_LIFETIME;
  return BA_OAUTH_CONTINUES;
}

/* A server may give a new refresh token with each access token (RFC 6749, 6);
 * one that is no news is taken out of the answer. */
static bool keep_refresh_token(struct ba_oauth *oauth, struct ba_buffer *given,
                               struct ba_error *err)
{
  struct ba_buffer *kept = &oauth->refresh_token;
  bool news =
      given->length > 0 && !oauth->signs &&
      (given->length != kept->length || memcmp(given->bytes, kept->bytes, kept->length) != 0);
  if(!news) {
    ba_buffer_clear(given);
    return true;
  }
  return set_refresh_token(oauth, given->bytes, given->length, err);
}

/* After a token the discovery document may be old enough to be read anew; after
 * a failure that looks like a moved endpoint it is, whatever its age. */
static enum ba_oauth_progress take_token(struct ba_oauth *oauth, const char *body, size_t length,
                                         double now, struct ba_token *token, struct ba_error *err)
{
  if(!ba_oauth_read_token(body, length, oauth->token_url, token, err))
    return BA_OAUTH_FAILED;
  if(!keep_refresh_token(oauth, &token->refresh, err))
    return BA_OAUTH_FAILED;
  if(oauth->signs && now >= oauth->discovered_until)
    forget_discovery(oauth);
  oauth->asked_source = false;
  return BA_OAUTH_TOKEN;
}

/* Another process may have renewed the refresh token, which ends the one that we
 * have: its source is asked once before that is an error. */
static enum ba_oauth_progress refused(struct ba_oauth *oauth, const struct ba_error *err)
{
  bool again = oauth->sourced && !oauth->asked_source && strcmp(err->code, "invalid_grant") == 0;
  oauth->asks = oauth->asked_source = again;
  oauth->refusal = *err;
  return again ? BA_OAUTH_CONTINUES : BA_OAUTH_FAILED;
}

bool ba_oauth_asks(const struct ba_oauth *oauth)
{
  return oauth->asks;
}

bool ba_oauth_put_refresh(struct ba_oauth *oauth, const char *token, size_t length,
                          struct ba_error *err)
{
  struct ba_buffer *kept = &oauth->refresh_token;
  oauth->asks = false;
  if(!ba_secret_check(token, length, "the refresh token", err))
    return false;
  if(length == kept->length && memcmp(token, kept->bytes, length) == 0) {
    oauth->asked_source = false;
    return ba_error_set(err, oauth->refusal.kind, oauth->refusal.code, "%s",
                        oauth->refusal.message);
  }
  return set_refresh_token(oauth, token, length, err);
}

enum ba_oauth_progress ba_oauth_feed(struct ba_oauth *oauth, int status, const char *body,
                                     size_t length, const struct ba_error *failure, double now,
                                     struct ba_token *token, struct ba_error *err)
{
  enum step asked = oauth->asked;
  oauth->asked = STEP_NONE;
  if(asked == STEP_NONE) {
    ba_error_set(err, BA_MISUSE, NULL, "an answer without an exchange");
    return BA_OAUTH_FAILED;
  }
  const char *url = asked == STEP_DISCOVERY ? oauth->well_known : oauth->token_url;
  if(status != 200) {
    ba_oauth_explain(asked == STEP_DISCOVERY, url, status, body, length, failure, err);
    if(asked == STEP_TOKEN && oauth->signs && (status == 0 || status == 404 || status == 410))
      forget_discovery(oauth);
    return asked == STEP_TOKEN && !oauth->signs ? refused(oauth, err) : BA_OAUTH_FAILED;
  }
  return asked == STEP_DISCOVERY ? take_discovery(oauth, body, length, now, err)
                                 : take_token(oauth, body, length, now, token, err);
}

const struct ba_buffer *ba_oauth_secret(const struct ba_oauth *oauth, size_t index)
{
  const struct ba_buffer *const all[] = {&oauth->client_secret, &oauth->refresh_token,
                                         &oauth->assertion};
  return index < sizeof(all) / sizeof(all[0]) ? all[index] : NULL;
}

void ba_exchange_free(struct ba_exchange *exchange)
{
  ba_free(exchange->url);
  exchange->url = NULL;
  ba_wipe(exchange->body.bytes, exchange->body.capacity);
  ba_buffer_free(&exchange->body);
}
