/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "auth/jwk.h"
#include "auth/jwt.h"
#include "batchapi/base64.h"
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ba_jwk read_key(const char *json)
{
  struct ba_jwk jwk;
  struct ba_error err = {0};
  if(!ba_jwk_read(json, strlen(json), NULL, &jwk, &err))
    fail_msg("%s", err.message);
  return jwk;
}

static void rfc_7515_a2_is_signed_byte_for_byte(void **state)
{
  (void)state;
  struct ba_jwk jwk = read_key(RFC7515_RSA_JWK);
  struct ba_buffer out;
  struct ba_error err = {0};
  ba_buffer_init_secret(&out, 4096);
  const char *header = "{\"alg\":\"RS256\"}";
  assert_true(ba_jws_sign(&jwk, header, strlen(header), RFC7515_PAYLOAD, strlen(RFC7515_PAYLOAD),
                          &out, &err));
  assert_string_equal(out.bytes, RFC7515_A2_COMPACT);
  ba_buffer_free(&out);
  ba_jwk_free(&jwk);
}

static bool verifies(struct ba_jwk *jwk, const char *input, const char *signature)
{
  struct ba_buffer raw;
  ba_buffer_init(&raw, 1024);
  assert_true(ba_base64url_decode(&raw, signature, strlen(signature), NULL));
  bool ok = ba_key_verify(jwk->key, jwk->algorithm, input, strlen(input), raw.bytes, raw.length);
  ba_buffer_free(&raw);
  return ok;
}

static void rfc_7515_a3_verifies(void **state)
{
  (void)state;
  struct ba_jwk jwk = read_key(RFC7515_A3_JWK);
  assert_int_equal(jwk.algorithm, BA_ES256);
  assert_true(verifies(&jwk, RFC7515_A3_SIGNING_INPUT, RFC7515_A3_SIGNATURE));
  assert_false(verifies(&jwk, RFC7515_A3_SIGNING_INPUT "x", RFC7515_A3_SIGNATURE));
  ba_jwk_free(&jwk);
}

static void signs_and_verifies(const char *json, enum ba_jws_algorithm algorithm, size_t size)
{
  struct ba_jwk jwk = read_key(json);
  struct ba_buffer signature;
  struct ba_error err = {0};
  ba_buffer_init(&signature, 1024);
  assert_int_equal(jwk.algorithm, algorithm);
  assert_true(ba_key_sign(jwk.key, algorithm, "message", 7, &signature, &err));
  assert_int_equal(signature.length, size);
  assert_true(ba_key_verify(jwk.key, algorithm, "message", 7, signature.bytes, signature.length));
  assert_false(ba_key_verify(jwk.key, algorithm, "massage", 7, signature.bytes, signature.length));
  signature.bytes[5] ^= 1;
  assert_false(ba_key_verify(jwk.key, algorithm, "message", 7, signature.bytes, signature.length));
  assert_false(ba_key_verify(jwk.key, algorithm, "message", 7, signature.bytes, 3));
  ba_buffer_free(&signature);
  ba_jwk_free(&jwk);
}

static void rfc_7517_keys_sign(void **state)
{
  (void)state;
  signs_and_verifies(RFC7517_RSA_JWK, BA_RS256, 256);
  signs_and_verifies("{" RFC7517_EC_MEMBERS "}", BA_ES256, 64);
}

/* The JWK with further members before its own; the caller frees it. */
static char *with_members(const char *members, const char *jwk)
{
  size_t size = strlen(members) + strlen(jwk) + 2;
  char *text = malloc(size);
  assert_non_null(text);
  snprintf(text, size, "{%s,%s", members, jwk + 1);
  return text;
}

static void ps256_by_its_name(void **state)
{
  (void)state;
  char *json = with_members("\"alg\":\"PS256\"", RFC7515_RSA_JWK);
  signs_and_verifies(json, BA_PS256, 256);
  free(json);
}

static void refused(const char *json, enum ba_kind kind, const char *words)
{
  struct ba_jwk jwk;
  struct ba_error err = {0};
  if(ba_jwk_read(json, strlen(json), NULL, &jwk, &err))
    fail_msg("accepted although: %s", words);
  assert_int_equal(err.kind, kind);
  if(!strstr(err.message, words))
    fail_msg("expected '%s' in '%s'", words, err.message);
  assert_null(jwk.key);
}

static void refused_with(const char *members, const char *jwk, const char *words)
{
  char *json = with_members(members, jwk);
  refused(json, BA_INVALID, words);
  free(json);
}

/* The JWK with one member's value replaced, or without the member. */
static void refused_instead(const char *jwk, const char *name, const char *value, const char *words)
{
  char key[16];
  snprintf(key, sizeof(key), "\"%s\":\"", name);
  const char *at = strstr(jwk, key);
  assert_non_null(at);
  const char *end = strchr(at + strlen(key), '"') + 1;
  size_t size = strlen(jwk) + (value ? strlen(value) : 0) + 16;
  char *json = malloc(size);
  assert_non_null(json);
  if(value)
    snprintf(json, size, "%.*s\"%s\":%s%s", (int)(at - jwk), jwk, name, value, end);
  else
    snprintf(json, size, "%.*s\"x-none\":0%s", (int)(at - jwk), jwk, end);
  refused(json, BA_INVALID, words);
  free(json);
}

static void a_missing_number_is_named(void **state)
{
  (void)state;
  static const char *const names[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi", "kty"};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char words[40];
    snprintf(words, sizeof(words), "jwk.%s is missing", names[i]);
    refused_instead(RFC7515_RSA_JWK, names[i], NULL, words);
  }
  refused_instead(RFC7515_A3_JWK, "x", NULL, "jwk.x is missing");
  refused_instead(RFC7515_A3_JWK, "y", NULL, "jwk.y is missing");
  refused_instead(RFC7515_A3_JWK, "d", NULL, "jwk.d is missing");
  refused_instead(RFC7515_A3_JWK, "crv", NULL, "jwk.crv");
}

static void a_number_that_is_none_is_named(void **state)
{
  (void)state;
  refused_instead(RFC7515_RSA_JWK, "d", "\"a+b/\"", "jwk.d is not base64url");
  refused_instead(RFC7515_RSA_JWK, "p", "\"\"", "jwk.p is empty");
  refused_instead(RFC7515_RSA_JWK, "q", "17", "jwk.q is not a string");
  refused_instead(RFC7515_RSA_JWK, "n", "\"AQAB\"", "17 bits");
  refused_instead(RFC7515_RSA_JWK, "e", "\"AA\"", "public exponent");
  refused_instead(RFC7515_RSA_JWK, "e", "\"AQAA\"", "public exponent");
  refused_instead(RFC7515_A3_JWK, "x", "\"AQAB\"", "jwk.x must have 32 bytes");
}

static void numbers_that_do_not_belong_together_are_refused(void **state)
{
  (void)state;
  static const char *const names[] = {"n", "d", "p", "q", "dp", "dq", "qi"};
  static const char *const values[] = {"\"" RFC7515_RSA_D "\"",  "\"" RFC7515_RSA_N "\"",
                                       "\"" RFC7515_RSA_DP "\"", "\"" RFC7515_RSA_P "\"",
                                       "\"" RFC7515_RSA_DQ "\"", "\"" RFC7515_RSA_DP "\"",
                                       "\"" RFC7515_RSA_P "\""};
  for(size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    refused_instead(RFC7515_RSA_JWK, names[i], values[i], "jwk: ");
  refused_instead(RFC7515_A3_JWK, "d", "\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"", "jwk: ");
  refused_instead(RFC7515_A3_JWK, "y", "\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"", "jwk: ");
}

static void what_it_is_for_must_fit(void **state)
{
  (void)state;
  refused_with("\"use\":\"enc\"", "{" RFC7517_EC_MEMBERS "}", "jwk.use must be sig");
  refused_with("\"alg\":\"ES256\"", RFC7515_RSA_JWK, "jwk.alg must be RS256 or PS256");
  refused_with("\"alg\":\"RS256\"", RFC7515_A3_JWK, "jwk.alg must be ES256");
  refused_with("\"alg\":\"none\"", RFC7515_RSA_JWK, "jwk.alg must be");
  refused_with("\"oth\":[{}]", RFC7515_RSA_JWK, "jwk.oth");
  refused("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umjw\"}", BA_INVALID, "jwk.kty must be");
}

static void what_is_not_json_is_not_quoted(void **state)
{
  (void)state;
  struct ba_jwk jwk;
  struct ba_error err = {0};
  static const char text[] = "hunter2 is my secret";
  assert_false(ba_jwk_read(text, strlen(text), NULL, &jwk, &err));
  assert_int_equal(err.kind, BA_DECODE);
  assert_null(strstr(err.message, "hunter2"));
  assert_false(ba_jwk_read("[]", 2, NULL, &jwk, &err));
  assert_non_null(strstr(err.message, "not a JSON object"));
  static const char twice[] = "{\"kty\":\"RSA\",\"kty\":\"EC\"}";
  assert_false(ba_jwk_read(twice, strlen(twice), NULL, &jwk, &err));
  assert_non_null(strstr(err.message, "kty is there twice"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rfc_7515_a2_is_signed_byte_for_byte),
      cmocka_unit_test(rfc_7515_a3_verifies),
      cmocka_unit_test(rfc_7517_keys_sign),
      cmocka_unit_test(ps256_by_its_name),
      cmocka_unit_test(a_missing_number_is_named),
      cmocka_unit_test(a_number_that_is_none_is_named),
      cmocka_unit_test(numbers_that_do_not_belong_together_are_refused),
      cmocka_unit_test(what_it_is_for_must_fit),
      cmocka_unit_test(what_is_not_json_is_not_quoted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
