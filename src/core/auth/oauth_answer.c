#include "auth/oauth_answer.h"

#include "auth/secret.h"
#include "batchapi/alloc.h"
#include "http/origin.h"
#include "json/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIFETIME_MAX (400.0 * 86400) /* what is longer is cut to this */
#define SOURCE_MAX (BA_ORIGIN_MAX + 32)
#define DESCRIPTION_MAX 240 /* bytes of error_description in a message */

/* "discovery document https://auth.example.com:443": the origin, since a path
 * or a query might be private. */
static void name_source(bool discovery, const char *url, char out[SOURCE_MAX])
{
  struct ba_origin origin;
  if(!ba_origin_parse(url, &origin, NULL))
    origin.text[0] = '\0';
  snprintf(out, SOURCE_MAX, "%s %s", discovery ? "discovery document of" : "token request to",
           origin.text);
}

static bool blame(const struct ba_error *why, const char *source, struct ba_error *err)
{
  return ba_error_set(err, why->kind, why->code, "%s: %s", source, why->message);
}

/* ---- discovery ----------------------------------------------------------- */

static bool take_url(const struct ba_field *field, const char *source, struct ba_origin *origin,
                     char **out, struct ba_error *err)
{
  if(field->type != BA_FIELD_STRING || field->text.length == 0)
    return ba_error_set(err, BA_DECODE, "missing_field", "%s: %s is missing", source, field->name);
  if(strlen(field->text.bytes) != field->text.length ||
     !ba_origin_parse(field->text.bytes, origin, NULL))
    return ba_error_set(err, BA_DECODE, "bad_field", "%s: %s is not a URL", source, field->name);
  *out = ba_strdup(field->text.bytes);
  return *out || ba_error_nomem(err);
}

static bool trust(const struct ba_origin *from, const struct ba_origin *issuer,
                  const struct ba_origin *endpoint, bool allow_insecure, const char *source,
                  struct ba_error *err)
{
  if(strcmp(from->text, issuer->text) != 0)
    return ba_error_set(err, BA_AUTH, "issuer_mismatch",
                        "%s: it names another issuer, %s, and is not believed", source,
                        issuer->text);
  bool local = endpoint->loopback && from->loopback;
  if(!endpoint->secure && !local && !allow_insecure)
    return ba_error_set(err, BA_AUTH, "insecure_endpoint",
                        "%s: its token endpoint %s is plain http, and nothing is sent there",
                        source, endpoint->text);
  return true;
}

bool ba_oauth_read_discovery(const char *body, size_t length, const char *well_known,
                             bool allow_insecure, char **issuer, char **token_url,
                             struct ba_error *err)
{
  char source[SOURCE_MAX];
  name_source(true, well_known, source);
  struct ba_field fields[] = {{.name = "issuer"}, {.name = "token_endpoint"}};
  struct ba_origin from, its, endpoint;
  struct ba_error why = {0};
  bool ok = ba_origin_parse(well_known, &from, err) &&
            (ba_fields_read(body, length, NULL, fields, 2, &why) || blame(&why, source, err)) &&
            take_url(&fields[0], source, &its, issuer, err) &&
            take_url(&fields[1], source, &endpoint, token_url, err) &&
            trust(&from, &its, &endpoint, allow_insecure, source, err);
  ba_fields_free(fields, 2);
  return ok;
}

/* ---- token --------------------------------------------------------------- */

enum { T_ACCESS, T_TYPE, T_EXPIRES, T_REFRESH, T_FIELDS };

/* Digits, and a fraction that does not count; no other way to write a number. */
static bool read_decimal(const char *text, double *value)
{
  enum { DIGITS_MAX = 15 };
  size_t digits = strspn(text, "0123456789");
  const char *rest = text + digits;
  if(*rest == '.')
    rest += 1 + strspn(rest + 1, "0123456789");
  if(digits == 0 || digits > DIGITS_MAX || *rest)
    return false;
  *value = 0;
  for(size_t i = 0; i < digits; i++)
    *value = *value * 10 + (text[i] - '0');
  return true;
}

/* expires_in is a number; some servers send it as a string of digits. */
static bool read_lifetime(const struct ba_field *field, double *lifetime)
{
  *lifetime = 0;
  if(field->type == BA_FIELD_ABSENT)
    return true;
  double value = field->number;
  if(field->type == BA_FIELD_STRING) {
    if(!field->text.bytes || strlen(field->text.bytes) != field->text.length ||
       !read_decimal(field->text.bytes, &value))
      return false;
  } else if(field->type != BA_FIELD_NUMBER) {
    return false;
  }
  if(!isfinite(value) || value < 0)
    return false;
  *lifetime = value < 1 ? 1 : value < LIFETIME_MAX ? value : LIFETIME_MAX;
  return true;
}

static bool take_token(const struct ba_field *fields, struct ba_token *token, const char *source,
                       struct ba_error *err)
{
  const struct ba_buffer *access = &fields[T_ACCESS].text, *type = &fields[T_TYPE].text;
  if(fields[T_ACCESS].type != BA_FIELD_STRING || access->length == 0)
    return ba_error_set(err, BA_DECODE, "missing_field", "%s: access_token is missing", source);
  if(fields[T_TYPE].type != BA_FIELD_ABSENT &&
     (fields[T_TYPE].type != BA_FIELD_STRING || type->length != 6 ||
      strcasecmp(type->bytes, "bearer") != 0))
    return ba_error_set(err, BA_AUTH, "token_type", "%s: the token is not a bearer token", source);
  if(!read_lifetime(&fields[T_EXPIRES], &token->lifetime))
    return ba_error_set(err, BA_DECODE, "bad_field", "%s: expires_in is not a number of seconds",
                        source);
  char what[BA_ERROR_MESSAGE_MAX];
  snprintf(what, sizeof(what), "%s: access_token", source);
  if(!ba_secret_check(access->bytes, access->length, what, err) ||
     !ba_buffer_append(&token->access, access->bytes, access->length, err))
    return false;
  const struct ba_buffer *refresh = &fields[T_REFRESH].text;
  return refresh->length == 0 ||
         (ba_secret_check(refresh->bytes, refresh->length, "refresh_token", err) &&
          ba_buffer_append(&token->refresh, refresh->bytes, refresh->length, err));
}

bool ba_oauth_read_token(const char *body, size_t length, const char *url, struct ba_token *token,
                         struct ba_error *err)
{
  char source[SOURCE_MAX];
  name_source(false, url, source);
  struct ba_field fields[T_FIELDS] = {{.name = "access_token"},
                                      {.name = "token_type"},
                                      {.name = "expires_in"},
                                      {.name = "refresh_token"}};
  struct ba_error why = {0};
  bool ok =
      (ba_fields_read(body, length, NULL, fields, T_FIELDS, &why) || blame(&why, source, err)) &&
      take_token(fields, token, source, err);
  ba_fields_free(fields, T_FIELDS);
  return ok;
}

/* ---- refusals ------------------------------------------------------------ */

static const char *text_of(const struct ba_field *field)
{
  return field->type == BA_FIELD_STRING && field->text.length > 0 ? field->text.bytes : NULL;
}

static void explain_refusal(const char *source, enum ba_kind kind, int status, const char *body,
                            size_t length, struct ba_error *err)
{
  struct ba_field fields[] = {{.name = "error"}, {.name = "error_description"}};
  bool json =
      body && length <= BA_SECRET_MAX && ba_fields_read(body, length, NULL, fields, 2, NULL);
  const char *error =
      json && fields[0].text.length < BA_ERROR_CODE_MAX ? text_of(&fields[0]) : NULL;
  const char *description = json ? text_of(&fields[1]) : NULL;
  if(error)
    ba_error_set(err, kind, error, "%s: refused (HTTP %d): %s%s%.*s", source, status, error,
                 description ? ": " : "", DESCRIPTION_MAX, description ? description : "");
  else
    ba_error_set(err, kind, "", "%s: HTTP %d", source, status);
  if(body && length <= BA_SECRET_MAX)
    ba_fields_free(fields, 2);
}

void ba_oauth_explain(bool discovery, const char *url, int status, const char *body, size_t length,
                      const struct ba_error *failure, struct ba_error *err)
{
  char source[SOURCE_MAX];
  name_source(discovery, url, source);
  if(status == 0) {
    static const struct ba_error unknown = {BA_CONNECT, "", "no answer"};
    blame(failure && failure->kind != BA_OK ? failure : &unknown, source, err);
    return;
  }
  enum ba_kind kind = status == 429                   ? BA_RATE_LIMIT
                      : status >= 500                 ? BA_HTTP
                      : discovery                     ? BA_HTTP
                      : status >= 200 && status < 300 ? BA_DECODE
                                                      : BA_AUTH;
  explain_refusal(source, kind, status, body, length, err);
}
