/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "auth/secret.h"
#include "batchapi/base64.h"
#include "batchapi/credential.h"
#include "batchapi/oauth.h"
#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WELL_KNOWN "https://auth.example.com/.well-known/openid-configuration"
#define CONFIG(more) "{\"clientId\":\"cli ent\",\"wellKnownUri\":\"" WELL_KNOWN "\"" more "}"
#define JWK_MEMBER ",\"jwk\":" RFC7515_RSA_JWK

static const char config[] = CONFIG(JWK_MEMBER ",\"name\":\"x\",\"owners\":[\"U-1\"]");
static const char discovery[] =
    "{\"issuer\":\"https://auth.example.com\",\"token_endpoint\":\"https://as.example.com/t\"}";
static const char token_answer[] =
    "{\"access_token\":\"access-token-1\",\"token_type\":\"bearer\",\"expires_in\":900}";

static struct ba_credential *client_from(const char *json, struct ba_error *err)
{
  const struct ba_oauth_client_options options = {.json = json, .json_length = strlen(json)};
  return ba_credential_oauth_client(&options, err);
}

static struct ba_credential *bound_client(void)
{
  struct ba_error err = {0};
  struct ba_credential *credential = client_from(config, &err);
  if(!credential)
    fail_msg("%s", err.message);
  assert_true(ba_credential_bind(credential, "https://api.example.com", false, &err));
  return credential;
}

/* Takes the next exchange and checks what it is for. */
static struct ba_exchange next(struct ba_credential *credential, const char *what)
{
  struct ba_exchange exchange;
  struct ba_error err = {0};
  assert_int_equal(ba_credential_state(credential, 0), BA_CREDENTIAL_FETCH);
  if(!ba_credential_next(credential, 1700000000, &exchange, &err))
    fail_msg("%s", err.message);
  assert_string_equal(exchange.what, what);
  return exchange;
}

static void asked(struct ba_credential *credential, const char *what)
{
  struct ba_exchange exchange = next(credential, what);
  ba_exchange_free(&exchange);
}

static bool feed(struct ba_credential *credential, int status, const char *body,
                 struct ba_error *err)
{
  return ba_credential_feed(credential, status, body, strlen(body), NULL, 0, err);
}

static void discover(struct ba_credential *credential)
{
  struct ba_error err = {0};
  asked(credential, "discovery");
  if(!feed(credential, 200, discovery, &err))
    fail_msg("%s", err.message);
}

static void expect_error(const struct ba_error *err, enum ba_kind kind, const char *code,
                         const char *words)
{
  assert_int_equal(err->kind, kind);
  assert_string_equal(err->code, code);
  if(!strstr(err->message, words))
    fail_msg("expected '%s' in '%s'", words, err->message);
}

/* ---- the configuration --------------------------------------------------- */

static void config_refused(const char *json, const char *code, const char *words)
{
  struct ba_error err = {0};
  assert_null(client_from(json, &err));
  expect_error(&err, BA_INVALID, code, words);
}

static void a_wrong_configuration_names_what_is_wrong(void **state)
{
  (void)state;
  config_refused("hunter2", "json", "app_config: not JSON");
  config_refused("{}", "missing_field", "clientId is missing");
  config_refused("{\"clientId\":7}", "bad_field", "clientId is not a string");
  config_refused("{\"clientId\":\"\"}", "empty", "clientId is empty");
  config_refused("{\"clientId\":\"a\\nb\"}", "control_character", "clientId contains a line feed");
  config_refused(CONFIG(""), "missing_field", "jwk is missing");
  config_refused(CONFIG(",\"jwk\":{}"), "missing_field", "jwk.kty is missing");
  config_refused(CONFIG(",\"jwk\":[]"), "missing_field", "jwk.kty is missing");
  config_refused("{\"clientId\":\"a\",\"wellKnownUri\":\"x\"}", "bad_field",
                 "wellKnownUri is not a URL");
  config_refused("{\"clientId\":\"a\",\"clientId\":\"b\"}", "duplicate", "clientId is there twice");
  struct ba_error err = {0};
  const struct ba_oauth_client_options options = {.path = "/nonexistent/app-config.json"};
  assert_null(ba_credential_oauth_client(&options, &err));
  expect_error(&err, BA_IO, "ENOENT", "app_config /nonexistent/app-config.json");
}

static void without_an_address_it_is_factsets(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *credential = client_from("{\"clientId\":\"a\"" JWK_MEMBER "}", &err);
  assert_non_null(credential);
  assert_true(ba_credential_bind(credential, "https://api.example.com", false, &err));
  struct ba_exchange exchange = next(credential, "discovery");
  assert_string_equal(exchange.url, BA_OAUTH_DEFAULT_WELL_KNOWN);
  ba_exchange_free(&exchange);
  ba_credential_release(credential);
}

/* ---- the flow ------------------------------------------------------------ */

static const char *claim_after(const char *json, const char *key)
{
  const char *at = strstr(json, key);
  if(!at)
    fail_msg("no %s in %s", key, json);
  return at + strlen(key);
}

static void check_assertion(const char *assertion)
{
  struct ba_buffer text;
  ba_buffer_init(&text, 4096);
  const char *dot = strchr(assertion, '.');
  assert_true(ba_base64url_decode(&text, assertion, (size_t)(dot - assertion), NULL));
  assert_string_equal(text.bytes, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
  ba_buffer_clear(&text);
  const char *end = strchr(dot + 1, '.');
  assert_true(ba_base64url_decode(&text, dot + 1, (size_t)(end - dot - 1), NULL));
  static const char start[] =
      "{\"iss\":\"cli ent\",\"sub\":\"cli ent\",\"aud\":[\"https://auth.example.com\"],"
      "\"iat\":1699999970,\"nbf\":1699999970,\"exp\":1700000270,\"jti\":\"";
  assert_memory_equal(text.bytes, start, strlen(start));
  assert_int_equal(strcspn(claim_after(text.bytes, "\"jti\":\""), "\""), 43);
  ba_buffer_free(&text);
}

static void the_token_request_is_as_factset_wants_it(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  struct ba_exchange exchange = next(credential, "discovery");
  assert_string_equal(exchange.method, "GET");
  assert_string_equal(exchange.url, WELL_KNOWN);
  assert_int_equal(exchange.body.length, 0);
  ba_exchange_free(&exchange);
  assert_true(feed(credential, 200, discovery, &err));
  exchange = next(credential, "token");
  assert_string_equal(exchange.method, "POST");
  assert_string_equal(exchange.url, "https://as.example.com/t");
  static const char form[] =
      "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
      "client-assertion-type%3Ajwt-bearer&client_assertion=";
  assert_memory_equal(exchange.body.bytes, form, strlen(form));
  check_assertion(exchange.body.bytes + strlen(form));
  ba_exchange_free(&exchange);
  assert_true(feed(credential, 200, token_answer, &err));
  assert_int_equal(ba_credential_state(credential, 869), BA_CREDENTIAL_READY);
  assert_int_equal(ba_credential_state(credential, 871), BA_CREDENTIAL_FETCH);
  struct ba_buffer line;
  ba_buffer_init_secret(&line, 1000);
  assert_true(ba_credential_line(credential, &line, NULL, NULL));
  assert_string_equal(line.bytes, "Authorization: Bearer access-token-1");
  ba_buffer_free(&line);
  assert_string_equal(ba_credential_kind(credential), "oauth_client");
  ba_credential_release(credential);
}

static void an_assertion_is_used_once_and_discovery_kept(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  discover(credential);
  struct ba_exchange first = next(credential, "token");
  struct ba_exchange second = next(credential, "token");
  assert_string_not_equal(first.body.bytes, second.body.bytes);
  ba_exchange_free(&first);
  ba_exchange_free(&second);
  struct ba_error err = {0};
  assert_true(feed(credential, 200, token_answer, &err));
  assert_true(ba_credential_reject(credential, 1));
  asked(credential, "token"); /* no second discovery */
  const struct ba_error gone = {BA_CONNECT, "", "nobody there"};
  assert_false(ba_credential_feed(credential, 0, NULL, 0, &gone, 0, &err));
  asked(credential, "discovery"); /* the endpoint may have moved */
  ba_credential_release(credential);
}

static void a_discovery_document_grows_old(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  discover(credential);
  asked(credential, "token");
  assert_true(
      ba_credential_feed(credential, 200, token_answer, strlen(token_answer), NULL, 100000, &err));
  ba_credential_reject(credential, 1);
  asked(credential, "discovery");
  ba_credential_release(credential);
}

/* ---- discovery that is not believed -------------------------------------- */

static void discovery_refused(int status, const char *body, enum ba_kind kind, const char *code,
                              const char *words)
{
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  asked(credential, "discovery");
  assert_false(feed(credential, status, body, &err));
  expect_error(&err, kind, code, words);
  assert_non_null(strstr(err.message, "discovery document of https://auth.example.com:443"));
  asked(credential, "discovery"); /* the next call starts anew */
  ba_credential_release(credential);
}

static void a_discovery_document_is_not_believed_blindly(void **state)
{
  (void)state;
  discovery_refused(200, "<html>", BA_DECODE, "json", "not JSON");
  discovery_refused(200, "{}", BA_DECODE, "missing_field", "issuer is missing");
  discovery_refused(200, "{\"issuer\":\"https://auth.example.com\"}", BA_DECODE, "missing_field",
                    "token_endpoint is missing");
  discovery_refused(200, "{\"issuer\":7}", BA_DECODE, "missing_field", "issuer");
  discovery_refused(200, "{\"issuer\":\"x\"}", BA_DECODE, "bad_field", "issuer is not a URL");
  discovery_refused(200,
                    "{\"issuer\":\"https://evil.example\",\"token_endpoint\":\"https://a.b/\"}",
                    BA_AUTH, "issuer_mismatch", "https://evil.example");
  discovery_refused(200,
                    "{\"issuer\":\"https://auth.example.com\",\"token_endpoint\":\"http://a.b/\"}",
                    BA_AUTH, "insecure_endpoint", "plain http");
  discovery_refused(
      200, "{\"issuer\":\"https://auth.example.com\",\"token_endpoint\":\"http://127.0.0.1/\"}",
      BA_AUTH, "insecure_endpoint", "plain http");
  discovery_refused(404, "", BA_HTTP, "", "HTTP 404");
  discovery_refused(302, "", BA_HTTP, "", "HTTP 302");
  discovery_refused(503, "", BA_HTTP, "", "HTTP 503");
}

static void an_unreachable_discovery_says_so(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  const struct ba_error failure = {BA_TLS, "", "certificate has expired"};
  asked(credential, "discovery");
  assert_false(ba_credential_feed(credential, 0, NULL, 0, &failure, 0, &err));
  expect_error(&err, BA_TLS, "", "discovery document of https://auth.example.com:443: certificate");
  ba_credential_release(credential);
}

static void discovery_over_plain_http_is_refused_before_it_is_asked(void **state)
{
  (void)state;
  struct ba_error err = {0};
  static const char far[] = "{\"clientId\":\"a\",\"wellKnownUri\":\"http://auth.example.com/\"" //
      JWK_MEMBER "}";
  struct ba_credential *credential = client_from(far, &err);
  assert_non_null(credential);
  assert_false(ba_credential_bind(credential, "https://api.example.com", false, &err));
  expect_error(&err, BA_INVALID, "insecure", "http://auth.example.com:80");
  struct ba_exchange exchange;
  assert_false(ba_credential_next(credential, 0, &exchange, &err));
  assert_true(ba_credential_bind(credential, "https://api.example.com", true, &err));
  asked(credential, "discovery");
  ba_credential_release(credential);
}

/* ---- tokens that are refused --------------------------------------------- */

static void token_refused(int status, const char *body, enum ba_kind kind, const char *code,
                          const char *words)
{
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  discover(credential);
  asked(credential, "token");
  assert_false(feed(credential, status, body, &err));
  expect_error(&err, kind, code, words);
  assert_non_null(strstr(err.message, "token request to https://as.example.com:443"));
  assert_int_equal(ba_credential_state(credential, 0), BA_CREDENTIAL_FETCH);
  ba_credential_release(credential);
}

static void each_way_to_get_no_token_is_told_apart(void **state)
{
  (void)state;
  token_refused(401, "{\"error\":\"invalid_client\",\"error_description\":\"no\\r\\nsuch key\"}",
                BA_AUTH, "invalid_client", "refused (HTTP 401): invalid_client: no  such key");
  token_refused(400, "{\"error\":\"invalid_scope\"}", BA_AUTH, "invalid_scope", "invalid_scope");
  token_refused(400, "<html>", BA_AUTH, "", "HTTP 400");
  token_refused(302, "", BA_AUTH, "", "HTTP 302");
  token_refused(204, "", BA_DECODE, "", "HTTP 204");
  token_refused(429, "{\"error\":\"slow_down\"}", BA_RATE_LIMIT, "slow_down", "HTTP 429");
  token_refused(503, "busy", BA_HTTP, "", "HTTP 503");
  token_refused(200, "busy", BA_DECODE, "json", "not JSON");
  token_refused(200, "{}", BA_DECODE, "missing_field", "access_token is missing");
  token_refused(200, "{\"access_token\":\"\"}", BA_DECODE, "missing_field", "access_token");
  token_refused(200, "{\"access_token\":\"a\\r\\nX: y\"}", BA_INVALID, "control_character",
                "access_token contains a carriage return");
  token_refused(200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", BA_AUTH, "token_type",
                "not a bearer token");
  token_refused(200, "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", BA_DECODE, "bad_field",
                "expires_in");
  static const char *const wrong[] = {
      "-5", "\"0x10\"", "\"1e3\"", "\"inf\"", "\" 5\"", "\"\"", "\"9999999999999999\""};
  for(size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    char body[100];
    snprintf(body, sizeof(body), "{\"access_token\":\"a\",\"expires_in\":%s}", wrong[i]);
    token_refused(200, body, BA_DECODE, "bad_field", "expires_in");
  }
}

static void a_lifetime_may_be_text_short_or_absent(void **state)
{
  (void)state;
  static const struct {
    const char *body;
    double ready, over;
  } cases[] = {
      {"{\"access_token\":\"a\",\"expires_in\":\"100\"}", 69, 71},
      {"{\"access_token\":\"a\",\"expires_in\":10}", 4, 6},
      {"{\"access_token\":\"a\",\"expires_in\":0}", 0.9, 1.1},
      {"{\"access_token\":\"a\",\"expires_in\":0.5}", 0.9, 1.1},
      {"{\"access_token\":\"a\",\"expires_in\":\"100.9\"}", 69, 71},
      {"{\"access_token\":\"a\"}", 1e12, -1},
      {"{\"access_token\":\"a\",\"expires_in\":1e300}", 3e7, 4e7},
  };
  for(size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct ba_credential *credential = bound_client();
    struct ba_error err = {0};
    discover(credential);
    asked(credential, "token");
    assert_true(feed(credential, 200, cases[i].body, &err));
    assert_int_equal(ba_credential_state(credential, cases[i].ready), BA_CREDENTIAL_READY);
    if(cases[i].over > 0)
      assert_int_equal(ba_credential_state(credential, cases[i].over), BA_CREDENTIAL_FETCH);
    ba_credential_release(credential);
  }
}

/* Whatever it has. */
static void take(struct ba_credential *credential, const char *answer)
{
  struct ba_exchange exchange;
  struct ba_error err = {0};
  assert_true(ba_credential_next(credential, 1700000000, &exchange, &err));
  ba_exchange_free(&exchange);
  assert_true(feed(credential, 200, answer, &err));
}

static void tokens_of_a_moment_are_fetched_ever_more_slowly(void **state)
{
  (void)state;
  static const double used[] = {1, 2, 4, 8, 16, 32, 32};
  static const char moment[] = "{\"access_token\":\"a\",\"expires_in\":0.5}";
  struct ba_credential *credential = bound_client();
  discover(credential);
  for(size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++) {
    take(credential, moment);
    assert_int_equal(ba_credential_state(credential, used[i] - 0.1), BA_CREDENTIAL_READY);
    assert_int_equal(ba_credential_state(credential, used[i] + 0.1), BA_CREDENTIAL_FETCH);
  }
  take(credential, "{\"access_token\":\"a\",\"expires_in\":10}");
  assert_int_equal(ba_credential_state(credential, 5.1), BA_CREDENTIAL_FETCH);
  take(credential, moment);
  assert_int_equal(ba_credential_state(credential, 1.1), BA_CREDENTIAL_FETCH);
  ba_credential_release(credential);
}

static void a_refusal_that_quotes_the_assertion_is_blacked_out(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  discover(credential);
  struct ba_exchange exchange = next(credential, "token");
  const char *assertion = strstr(exchange.body.bytes, "client_assertion=ey") + 17;
  char body[4096];
  snprintf(body, sizeof(body), "{\"error\":\"x\",\"error_description\":\"bad %s\"}", assertion);
  assert_false(feed(credential, 400, body, &err));
  assert_non_null(strstr(err.message, ": bad ****"));
  assert_null(strstr(err.message, "ey"));
  ba_exchange_free(&exchange);
  ba_credential_release(credential);
}

static void an_answer_without_a_question_is_misuse(void **state)
{
  (void)state;
  struct ba_credential *credential = bound_client();
  struct ba_error err = {0};
  assert_false(feed(credential, 200, discovery, &err));
  assert_int_equal(err.kind, BA_MISUSE);
  ba_credential_release(credential);
}

/* ---- refresh token ------------------------------------------------------- */

static struct ba_credential *refresh(struct ba_error *err)
{
  const struct ba_oauth_refresh_options options = {.token_url = "https://app.example.com/t",
                                                   .client_id = "id&1",
                                                   .client_secret = "s+cret/1234",
                                                   .client_secret_length = 11,
                                                   .refresh_token = "refresh-1234",
                                                   .refresh_token_length = 12,
                                                   .redirect_uri = "https://me.example/cb"};
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, err);
  if(credential)
    assert_true(ba_credential_bind(credential, "https://api.example.com", false, err));
  return credential;
}

static void a_refresh_token_fetches_an_access_token(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *credential = refresh(&err);
  struct ba_exchange exchange = next(credential, "token");
  assert_string_equal(exchange.body.bytes,
                      "grant_type=refresh_token&client_id=id%261&client_secret=s%2Bcret%2F1234&"
                      "redirect_uri=https%3A%2F%2Fme.example%2Fcb&refresh_token=refresh-1234");
  ba_exchange_free(&exchange);
  assert_true(feed(credential, 200, token_answer, &err));
  struct ba_buffer renewed;
  ba_buffer_init_secret(&renewed, 1000);
  assert_false(ba_credential_renewed(credential, &renewed));
  ba_credential_release(credential);
}

static void a_new_refresh_token_is_kept_and_told_once(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_credential *credential = refresh(&err);
  struct ba_buffer renewed;
  ba_buffer_init_secret(&renewed, 1000);
  asked(credential, "token");
  assert_true(
      feed(credential, 200, "{\"access_token\":\"a\",\"refresh_token\":\"refresh-1234\"}", &err));
  assert_false(ba_credential_renewed(credential, &renewed)); /* no news */
  ba_credential_reject(credential, 1);
  asked(credential, "token");
  assert_true(
      feed(credential, 200, "{\"access_token\":\"b\",\"refresh_token\":\"refresh-5678\"}", &err));
  assert_true(ba_credential_renewed(credential, &renewed));
  assert_string_equal(renewed.bytes, "refresh-5678");
  ba_buffer_free(&renewed);
  assert_true(ba_credential_renewed(credential, &renewed)); /* until it was told */
  assert_true(ba_credential_has_renewed(credential));
  ba_credential_told(credential, &renewed);
  assert_false(ba_credential_has_renewed(credential));
  assert_false(ba_credential_renewed(credential, &renewed));
  ba_buffer_free(&renewed);
  ba_credential_reject(credential, 2);
  struct ba_exchange exchange = next(credential, "token");
  assert_non_null(strstr(exchange.body.bytes, "refresh_token=refresh-5678"));
  ba_exchange_free(&exchange);
  assert_false(feed(credential, 400,
                    "{\"error\":\"invalid_grant\",\"error_description\":\"refresh-5678 with "
                    "s+cret\\/1234\"}",
                    &err));
  expect_error(&err, BA_AUTH, "invalid_grant", "************ with ***********");
  ba_credential_release(credential);
}

static void a_refused_binding_changes_nothing(void **state)
{
  (void)state;
  struct ba_error err = {0};
  const struct ba_oauth_refresh_options options = {.token_url = "http://app.example.com/t",
                                                   .client_id = "id",
                                                   .refresh_token = "refresh-1234",
                                                   .refresh_token_length = 12};
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, &err);
  assert_non_null(credential);
  assert_false(ba_credential_bind(credential, "http://api.example.com", false, &err));
  assert_true(ba_credential_bind(credential, "https://api.example.com", true, &err));
  assert_false(ba_credential_bind(credential, "https://api.example.com", false, &err));
  expect_error(&err, BA_INVALID, "insecure", "http://app.example.com:80");
  asked(credential, "token");
  ba_credential_release(credential);

  credential = refresh(&err);
  assert_false(ba_credential_bind(credential, "https://other.example.com", true, &err));
  expect_error(&err, BA_INVALID, "origin", "https://other.example.com:443");
  asked(credential, "token");
  ba_credential_release(credential);

  credential = bound_client();
  assert_false(ba_credential_bind(credential, "https://other.example.com", true, &err));
  asked(credential, "discovery");
  assert_false(feed(credential, 200,
                    "{\"issuer\":\"https://auth.example.com\","
                    "\"token_endpoint\":\"http://as.example.com/t\"}",
                    &err));
  ba_credential_release(credential);
}

static void wrong_refresh_options_are_named(void **state)
{
  (void)state;
  struct ba_error err = {0};
  struct ba_oauth_refresh_options options = {.token_url = "nowhere",
                                             .client_id = "id",
                                             .refresh_token = "refresh\n1",
                                             .refresh_token_length = 9};
  assert_null(ba_credential_oauth_refresh(&options, &err));
  expect_error(&err, BA_INVALID, "url", "token_url");
  options.token_url = "http://app.example.com/t";
  assert_null(ba_credential_oauth_refresh(&options, &err));
  expect_error(&err, BA_INVALID, "control_character", "refresh_token contains a line feed");
  options.refresh_token = "refresh-1";
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, &err);
  assert_non_null(credential);
  assert_false(ba_credential_bind(credential, "https://api.example.com", false, &err));
  expect_error(&err, BA_INVALID, "insecure", "token endpoint at http://app.example.com:80");
  ba_credential_release(credential);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_wrong_configuration_names_what_is_wrong),
      cmocka_unit_test(without_an_address_it_is_factsets),
      cmocka_unit_test(the_token_request_is_as_factset_wants_it),
      cmocka_unit_test(an_assertion_is_used_once_and_discovery_kept),
      cmocka_unit_test(a_discovery_document_grows_old),
      cmocka_unit_test(a_discovery_document_is_not_believed_blindly),
      cmocka_unit_test(an_unreachable_discovery_says_so),
      cmocka_unit_test(discovery_over_plain_http_is_refused_before_it_is_asked),
      cmocka_unit_test(each_way_to_get_no_token_is_told_apart),
      cmocka_unit_test(a_lifetime_may_be_text_short_or_absent),
      cmocka_unit_test(tokens_of_a_moment_are_fetched_ever_more_slowly),
      cmocka_unit_test(a_refusal_that_quotes_the_assertion_is_blacked_out),
      cmocka_unit_test(an_answer_without_a_question_is_misuse),
      cmocka_unit_test(a_refresh_token_fetches_an_access_token),
      cmocka_unit_test(a_new_refresh_token_is_kept_and_told_once),
      cmocka_unit_test(a_refused_binding_changes_nothing),
      cmocka_unit_test(wrong_refresh_options_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
