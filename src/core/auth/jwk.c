#include "auth/jwk.h"

#include "batchapi/base64.h"
#include "json/fields.h"

#include <string.h>

enum { NUMBER_MAX = BA_RSA_MAX_BITS / 8 + 8 };

/* What is read of a JWK; the RSA numbers in the order of ba_rsa_number. */
enum {
  F_N,
  F_E,
  F_D,
  F_P,
  F_Q,
  F_DP,
  F_DQ,
  F_QI,
  F_X,
  F_Y,
  F_KTY,
  F_CRV,
  F_ALG,
  F_USE,
  F_KID,
  F_OTH,
  FIELDS
};

static const char *const names[FIELDS] = {"n", "e", "d",   "p",   "q",   "dp",  "dq",  "qi",
                                          "x", "y", "kty", "crv", "alg", "use", "kid", "oth"};

static const char *const algorithm_names[] = {"RS256", "PS256", "ES256"};

const char *ba_jws_algorithm_name(enum ba_jws_algorithm algorithm)
{
  return algorithm_names[algorithm];
}

static bool is_text(const struct ba_field *field, const char *text)
{
  return field->type == BA_FIELD_STRING && field->text.length == strlen(text) &&
         strcmp(field->text.bytes ? field->text.bytes : "", text) == 0;
}

static bool require_string(const struct ba_field *field, struct ba_error *err)
{
  if(field->type == BA_FIELD_ABSENT)
    return ba_error_set(err, BA_INVALID, "missing_field", "jwk.%s is missing", field->name);
  if(field->type != BA_FIELD_STRING)
    return ba_error_set(err, BA_INVALID, "bad_field", "jwk.%s is not a string", field->name);
  if(field->text.length == 0)
    return ba_error_set(err, BA_INVALID, "bad_field", "jwk.%s is empty", field->name);
  return true;
}

static bool read_number(const struct ba_field *field, struct ba_buffer *out, struct ba_error *err)
{
  ba_buffer_init_secret(out, NUMBER_MAX);
  if(!require_string(field, err))
    return false;
  struct ba_error why = {0};
  if(ba_base64url_decode(out, field->text.bytes, field->text.length, &why))
    return true;
  if(why.kind == BA_NOMEM)
    return ba_error_nomem(err);
  return ba_error_set(err, BA_INVALID, "bad_field",
                      why.kind == BA_TOO_LARGE ? "jwk.%s is too long" : "jwk.%s is not base64url",
                      field->name);
}

static struct ba_key *read_rsa(const struct ba_field *fields, struct ba_error *err)
{
  struct ba_buffer numbers[BA_RSA_NUMBERS];
  struct ba_number views[BA_RSA_NUMBERS];
  struct ba_key *key = NULL;
  bool ok = true;
  memset(numbers, 0, sizeof(numbers));
  if(fields[F_OTH].type != BA_FIELD_ABSENT)
    ok = ba_error_set(err, BA_INVALID, "bad_field",
                      "jwk.oth: RSA keys of more than two primes are not supported");
  for(int i = 0; ok && i < BA_RSA_NUMBERS; i++) {
    ok = read_number(&fields[F_N + i], &numbers[i], err);
    views[i].bytes = (const unsigned char *)numbers[i].bytes;
    views[i].length = numbers[i].length;
  }
  if(ok)
    key = ba_key_rsa(views, err);
  for(int i = 0; i < BA_RSA_NUMBERS; i++)
    ba_buffer_free(&numbers[i]);
  return key;
}

static struct ba_key *read_p256(const struct ba_field *fields, struct ba_error *err)
{
  static const int order[3] = {F_X, F_Y, F_D};
  struct ba_buffer numbers[3];
  struct ba_key *key = NULL;
  bool ok = true;
  memset(numbers, 0, sizeof(numbers));
  if(!is_text(&fields[F_CRV], "P-256"))
    ok = ba_error_set(err, BA_INVALID, "bad_field", "jwk.crv must be P-256");
  for(int i = 0; ok && i < 3; i++) {
    ok = read_number(&fields[order[i]], &numbers[i], err);
    if(ok && numbers[i].length != BA_P256_SIZE)
      ok = ba_error_set(err, BA_INVALID, "bad_field", "jwk.%s must have %d bytes, it has %zu",
                        fields[order[i]].name, BA_P256_SIZE, numbers[i].length);
  }
  if(ok)
    key = ba_key_p256((const unsigned char *)numbers[0].bytes,
                      (const unsigned char *)numbers[1].bytes,
                      (const unsigned char *)numbers[2].bytes, err);
  for(int i = 0; i < 3; i++)
    ba_buffer_free(&numbers[i]);
  return key;
}

/* `alg` is optional, but what it says must fit the key's type. */
static bool choose_algorithm(const struct ba_field *alg, bool rsa, enum ba_jws_algorithm *out,
                             struct ba_error *err)
{
  *out = rsa ? BA_RS256 : BA_ES256;
  if(alg->type == BA_FIELD_ABSENT)
    return true;
  for(int i = BA_RS256; i <= BA_ES256; i++) {
    if(is_text(alg, algorithm_names[i]) && (i != BA_ES256) == rsa) {
      *out = (enum ba_jws_algorithm)i;
      return true;
    }
  }
  return ba_error_set(err, BA_INVALID, "bad_field", "jwk.alg must be %s",
                      rsa ? "RS256 or PS256 for an RSA key" : "ES256 for an EC key");
}

static bool read_kid(const struct ba_field *kid, struct ba_jwk *out, struct ba_error *err)
{
  if(kid->type == BA_FIELD_ABSENT)
    return true;
  if(!require_string(kid, err))
    return false;
  if(kid->text.length >= sizeof(out->kid) || memchr(kid->text.bytes, 0, kid->text.length))
    return ba_error_set(err, BA_INVALID, "bad_field", "jwk.kid is longer than %zu bytes",
                        sizeof(out->kid) - 1);
  memcpy(out->kid, kid->text.bytes, kid->text.length + 1);
  return true;
}

static bool read_key(const struct ba_field *fields, struct ba_jwk *out, struct ba_error *err)
{
  if(!require_string(&fields[F_KTY], err))
    return false;
  bool rsa = is_text(&fields[F_KTY], "RSA");
  if(!rsa && !is_text(&fields[F_KTY], "EC"))
    return ba_error_set(err, BA_INVALID, "bad_field", "jwk.kty must be RSA or EC");
  if(fields[F_USE].type != BA_FIELD_ABSENT && !is_text(&fields[F_USE], "sig"))
    return ba_error_set(err, BA_INVALID, "bad_field", "jwk.use must be sig");
  if(!choose_algorithm(&fields[F_ALG], rsa, &out->algorithm, err) ||
     !read_kid(&fields[F_KID], out, err))
    return false;
  struct ba_error why = {0};
  out->key = rsa ? read_rsa(fields, &why) : read_p256(fields, &why);
  if(out->key)
    return true;
  bool named = strncmp(why.message, "jwk", 3) == 0 || why.kind == BA_NOMEM;
  return ba_error_set(err, why.kind, why.code, "%s%s", named ? "" : "jwk: ", why.message);
}

bool ba_jwk_read(const char *json, size_t length, const char *within, struct ba_jwk *out,
                 struct ba_error *err)
{
  struct ba_field fields[FIELDS];
  memset(fields, 0, sizeof(fields));
  for(int i = 0; i < FIELDS; i++)
    fields[i].name = names[i];
  *out = (struct ba_jwk){0};
  bool ok = ba_fields_read(json, length, within, fields, FIELDS, err) && read_key(fields, out, err);
  ba_fields_free(fields, FIELDS);
  return ok;
}

void ba_jwk_free(struct ba_jwk *jwk)
{
  ba_key_delete(jwk->key);
  *jwk = (struct ba_jwk){0};
}
