/* The credentials that fetch their token: a grant (oauth.h) under the
 * credential's lock. */
#include "auth/credential_private.h"
#include "auth/oauth_grant.h"
#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "http/form.h"

#include <string.h>

static const char config_option[] = "app_config";

/* ---- making -------------------------------------------------------------- */

/* Hands the grant to a new credential, or frees it. */
static struct ba_credential *adopt(enum ba_credential_type type, struct ba_oauth *oauth,
                                   struct ba_error *err)
{
  struct ba_credential *made = oauth ? ba_credential_make(type, err) : NULL;
  if(!made) {
    ba_oauth_delete(oauth);
    return NULL;
  }
  made->oauth = oauth;
  if(!ba_buffer_puts(&made->name, "Authorization", err)) {
    ba_credential_release(made);
    return NULL;
  }
  return made;
}

static struct ba_credential *client_from_file(const struct ba_oauth_client_options *options,
                                              struct ba_error *err)
{
  struct ba_buffer text;
  struct ba_error label = {0};
  bool exposed = false;
  struct ba_credential *made = NULL;
  ba_buffer_init_secret(&text, BA_SECRET_MAX);
  ba_error_set(&label, BA_IO, NULL, "%s %s", config_option, options->path);
  if(ba_secret_read_file(options->path, config_option, &text, &exposed, err))
    made = adopt(BA_CREDENTIAL_OAUTH_CLIENT,
                 ba_oauth_client_new(text.bytes, text.length, label.message, options, err), err);
  ba_buffer_free(&text);
  if(made && exposed && !ba_credential_warn_exposed(made, config_option, options->path, err)) {
    ba_credential_release(made);
    return NULL;
  }
  return made;
}

struct ba_credential *ba_credential_oauth_client(const struct ba_oauth_client_options *options,
                                                 struct ba_error *err)
{
  if(options->path)
    return client_from_file(options, err);
  return adopt(
      BA_CREDENTIAL_OAUTH_CLIENT,
      ba_oauth_client_new(options->json, options->json_length, config_option, options, err), err);
}

struct ba_credential *ba_credential_oauth_refresh(const struct ba_oauth_refresh_options *options,
                                                  struct ba_error *err)
{
  return adopt(BA_CREDENTIAL_OAUTH_REFRESH, ba_oauth_refresh_new(options, err), err);
}

bool ba_credential_is_grant(struct ba_credential *credential,
                            const struct ba_oauth_refresh_options *options)
{
  pthread_mutex_lock(&credential->lock);
  bool same = credential->oauth && ba_oauth_is_grant(credential->oauth, options);
  pthread_mutex_unlock(&credential->lock);
  return same;
}

/* ---- exchanges ----------------------------------------------------------- */

bool ba_credential_next(struct ba_credential *credential, int64_t wall_seconds,
                        struct ba_exchange *out, struct ba_error *err)
{
  *out = (struct ba_exchange){0};
  if(!ba_credential_is_oauth(credential))
    return ba_error_set(err, BA_MISUSE, NULL, "this credential fetches no token");
  pthread_mutex_lock(&credential->lock);
  bool ok = ba_oauth_next(credential->oauth, wall_seconds, out, err);
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

/* For ba_credential_renewed(): only what the grant has not had before. */
static bool keep_renewed(struct ba_credential *credential, const struct ba_buffer *refresh,
                         struct ba_error *err)
{
  if(refresh->length == 0)
    return true;
  ba_buffer_clear(&credential->renewed);
  bool ok = ba_buffer_append(&credential->renewed, refresh->bytes, refresh->length, err);
  atomic_store(&credential->has_renewed, ok);
  return ok;
}

bool ba_credential_feed(struct ba_credential *credential, int status, const char *body,
                        size_t length, const struct ba_error *failure, double now,
                        struct ba_error *err)
{
  if(!ba_credential_is_oauth(credential))
    return ba_error_set(err, BA_MISUSE, NULL, "this credential fetches no token");
  struct ba_token token = {0};
  struct ba_error why = {0};
  ba_buffer_init_secret(&token.access, BA_SECRET_MAX);
  ba_buffer_init_secret(&token.refresh, BA_SECRET_MAX);
  pthread_mutex_lock(&credential->lock);
  enum ba_oauth_progress progress =
      ba_oauth_feed(credential->oauth, status, body, length, failure, now, &token, &why);
  bool ok = progress != BA_OAUTH_FAILED;
  if(progress == BA_OAUTH_TOKEN)
    ok = keep_renewed(credential, &token.refresh, &why) &&
         ba_credential_accept_token(credential, token.access.bytes, token.access.length,
                                    token.lifetime, now, &why);
  if(!ok) {
    ba_credential_hide(credential, why.message, strlen(why.message));
    ba_credential_hide(credential, why.code, strlen(why.code));
    ba_error_set(err, why.kind, why.code, "%s", why.message);
  }
  pthread_mutex_unlock(&credential->lock);
  ba_buffer_free(&token.access);
  ba_buffer_free(&token.refresh);
  return ok;
}

bool ba_credential_put_refresh(struct ba_credential *credential, const char *token, size_t length,
                               struct ba_error *err)
{
  if(credential->type != BA_CREDENTIAL_OAUTH_REFRESH)
    return ba_error_set(err, BA_MISUSE, NULL, "this credential has no refresh token");
  struct ba_error why = {0};
  pthread_mutex_lock(&credential->lock);
  bool ok = ba_oauth_put_refresh(credential->oauth, token, length, &why);
  if(!ok) {
    ba_credential_hide(credential, why.message, strlen(why.message));
    ba_error_set(err, why.kind, why.code, "%s", why.message);
  }
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

bool ba_credential_renewed(struct ba_credential *credential, struct ba_buffer *out)
{
  if(credential->type != BA_CREDENTIAL_OAUTH_REFRESH)
    return false;
  pthread_mutex_lock(&credential->lock);
  bool ok = credential->renewed.length > 0 &&
            ba_buffer_append(out, credential->renewed.bytes, credential->renewed.length, NULL);
  pthread_mutex_unlock(&credential->lock);
  return ok;
}

void ba_credential_told(struct ba_credential *credential, const struct ba_buffer *renewed)
{
  pthread_mutex_lock(&credential->lock);
  struct ba_buffer *kept = &credential->renewed;
  /* or a newer one has come meanwhile */
  if(kept->length && kept->length == renewed->length &&
     memcmp(kept->bytes, renewed->bytes, kept->length) == 0) {
    ba_buffer_free(kept);
    atomic_store(&credential->has_renewed, false);
  }
  pthread_mutex_unlock(&credential->lock);
}

bool ba_credential_has_renewed(const struct ba_credential *credential)
{
  return atomic_load_explicit(&credential->has_renewed, memory_order_relaxed);
}
