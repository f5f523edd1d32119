/* Every block of the core's own that ever held a secret is wiped before it is
 * freed: no eight bytes of any secret may be left in what is gone, in none of
 * the spellings they had on the way. Each scenario also runs with each of its
 * allocations failing, so that the ways out of a failure are seen. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "auth/secret.h"
#include "batchapi/credential.h"
#include "batchapi/oauth.h"
#include "batchapi/webhook.h"
#include "keys.h"
#include "support/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs the scenario once whole, then failing its first, second, … allocation
 * until none fails. */
static void run(void (*scenario)(bool whole), void (*secrets)(void))
{
  for(long fail_at = -1;; fail_at++) {
    watch_start();
    secrets();
    watch_fail_at(fail_at);
    scenario(fail_at < 0);
    bool failed = watch_has_failed();
    assert_true(watch_freed() > 0 || failed);
    assert_int_equal(watch_found(), 0);
    assert_int_equal(watch_alive(), 0);
    watch_stop();
    if(fail_at >= 0 && !failed)
      return;
    assert_true(fail_at < 2000);
  }
}

/* ---- what is done with any credential ------------------------------------ */

static const char api[] = "https://api.example.com/v1";
static const char discovery[] =
    "{\"issuer\":\"https://auth.example.com\",\"token_endpoint\":\"https://auth.example.com/t\"}";
static const char answer[] = "{\"access_token\":\"access-token-0123456789\",\"token_type\":"
                             "\"Bearer\",\"expires_in\":900,\"refresh_token\":\"renewed\\u002d"
                             "0123456789abcdef\"}";

static void remember_jti(const char *claims)
{
  char json[4096];
  size_t length = watch_decode(claims, strlen(claims), json, sizeof(json) - 1);
  json[length] = '\0';
  const char *jti = strstr(json, "\"jti\":\"");
  assert_non_null(jti);
  assert_int_equal(strcspn(jti + 7, "\""), 43);
  watch_for_bytes(jti + 7, 43);
}

/* The assertion is new each time: it is a secret as soon as it is seen. */
static void remember_exchange(const struct ba_exchange *exchange)
{
  const char *at = exchange->body.bytes ? strstr(exchange->body.bytes, "client_assertion=") : NULL;
  if(!at)
    return;
  at += strlen("client_assertion=");
  size_t length = strcspn(at, "&");
  char assertion[4096];
  assert_true(length < sizeof(assertion));
  memcpy(assertion, at, length);
  assertion[length] = '\0';
  char *rest = NULL;
  strtok_r(assertion, ".", &rest); /* the header tells nothing */
  const char *claims = strtok_r(NULL, ".", &rest);
  /* of the claims only jti is secret: 43 characters before the closing quote and brace */
  watch_for_bytes(claims + strlen(claims) - 56, 56);
  remember_jti(claims);
  watch_for(strtok_r(NULL, ".", &rest));
}

static bool fetch(struct ba_credential *credential, bool whole)
{
  struct ba_error err = {0};
  for(int i = 0; ba_credential_state(credential, 0) == BA_CREDENTIAL_FETCH; i++) {
    struct ba_exchange exchange;
    if(!ba_credential_next(credential, 1700000000, &exchange, &err)) {
      assert_false(whole);
      return false;
    }
    remember_exchange(&exchange);
    const char *body = exchange.body.length > 0 ? answer : discovery;
    ba_exchange_free(&exchange);
    bool ok = ba_credential_feed(credential, 200, body, strlen(body), NULL, 0, &err);
    assert_true(ok || !whole);
    if(!ok)
      return false;
    assert_true(i < 3);
  }
  return true;
}

static void use(struct ba_credential *credential, bool whole)
{
  struct ba_error err = {0};
  assert_true(credential || !whole);
  if(!credential)
    return;
  bool ok = ba_credential_bind(credential, api, false, &err);
  assert_true(ok || !whole);
  if(ok && fetch(credential, whole)) {
    struct ba_buffer line;
    uint64_t generation = 0;
    ba_buffer_init_secret(&line, BA_SECRET_MAX * 2);
    ok = ba_credential_line(credential, &line, &generation, &err);
    assert_true(ok || !whole);
    if(ok)
      assert_non_null(strchr(line.bytes, ':'));
    if(ba_credential_reject(credential, generation))
      fetch(credential, whole);
    ba_buffer_free(&line);
    ba_buffer_init_secret(&line, BA_SECRET_MAX * 2);
    ba_credential_renewed(credential, &line);
    ba_buffer_free(&line);
  }
  ba_credential_release(credential);
}

/* ---- scenarios ----------------------------------------------------------- */

static void bearer_secrets(void)
{
  watch_for("sk-secret-0123456789");
}

static void bearer(bool whole)
{
  use(ba_credential_bearer("sk-secret-0123456789", 20, NULL), whole);
}

static void header(bool whole)
{
  use(ba_credential_header("X-Key", "sk-secret-0123456789", 20, NULL), whole);
}

static void a_bearer_token_is_wiped(void **state)
{
  (void)state;
  run(bearer, bearer_secrets);
  run(header, bearer_secrets);
}

static void basic_secrets(void)
{
  watch_for("hunter2-hunter2-hunter2");
  watch_for("TkFNRS0xMjM6aHVudGVyMi1odW50ZXIyLWh1bnRlcjI="); /* NAME-123:… */
}

static void basic(bool whole)
{
  use(ba_credential_basic("NAME-123", 8, "hunter2-hunter2-hunter2", 23, NULL), whole);
}

static void a_password_and_its_base64_are_wiped(void **state)
{
  (void)state;
  run(basic, basic_secrets);
}

static char secret_path[] = "/tmp/batchapi-secret-XXXXXX";

static void write_secret_file(const char *text, mode_t mode)
{
  strcpy(strstr(secret_path, "secret-") + 7, "XXXXXX");
  int fd = mkstemp(secret_path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  assert_int_equal(fchmod(fd, mode), 0);
  close(fd);
}

static void from_file(bool whole)
{
  struct ba_credential *credential = ba_credential_basic_file("NAME-123", 8, secret_path, NULL);
  if(credential)
    assert_non_null(strstr(ba_credential_warning(credential, 0), "readable by others"));
  use(credential, whole);
}

static void a_secret_from_a_file_is_wiped(void **state)
{
  (void)state;
  write_secret_file("hunter2-hunter2-hunter2\n", 0644);
  run(from_file, basic_secrets);
  unlink(secret_path);
}

static void function(bool whole)
{
  struct ba_credential *credential = ba_credential_function(NULL);
  if(credential) {
    ba_credential_bind(credential, api, false, NULL);
    ba_credential_put(credential, "sk-secret-0123456789", 20, 60, 0, NULL);
    struct ba_buffer line;
    ba_buffer_init_secret(&line, 1000);
    ba_credential_line(credential, &line, NULL, NULL);
    ba_buffer_free(&line);
    ba_credential_put(credential, "sk-second-9876543210", 20, 60, 0, NULL);
    ba_credential_put(credential, "sk-secret-0123456789", 20, 60, 0, NULL);
  }
  assert_true(credential || !whole);
  ba_credential_release(credential);
}

static void function_secrets(void)
{
  watch_for("sk-secret-0123456789");
  watch_for("sk-second-9876543210");
}

static void tokens_of_a_function_are_wiped(void **state)
{
  (void)state;
  run(function, function_secrets);
}

static const char config[] =
    "{\"clientId\":\"client\",\"wellKnownUri\":"
    "\"https://auth.example.com/.well-known/openid-configuration\",\"jwk\":" RFC7515_RSA_JWK "}";

static void token_secrets(void)
{
  watch_for("access-token-0123456789");
  watch_for("renewed-0123456789abcdef");
}

static void client_secrets(void)
{
  token_secrets();
  watch_for(RFC7515_RSA_D);
  watch_for(RFC7515_RSA_P);
  watch_for(RFC7515_RSA_Q);
  watch_for(RFC7515_RSA_DP);
  watch_for(RFC7515_RSA_DQ);
  watch_for(RFC7515_RSA_QI);
}

static void oauth_client(bool whole)
{
  const struct ba_oauth_client_options options = {.path = secret_path, .scope = "a b"};
  use(ba_credential_oauth_client(&options, NULL), whole);
}

static void a_private_key_and_what_it_signs_are_wiped(void **state)
{
  (void)state;
  write_secret_file(config, 0600);
  run(oauth_client, client_secrets);
  unlink(secret_path);
}

static void refresh_secrets(void)
{
  token_secrets();
  watch_for("client-secret/0123456789");
  watch_for("client-secret%2F0123456789");
  watch_for("refresh-token-0123456789");
}

static void oauth_refresh(bool whole)
{
  const struct ba_oauth_refresh_options options = {.token_url = "https://auth.example.com/t",
                                                   .client_id = "client",
                                                   .client_secret = "client-secret/0123456789",
                                                   .client_secret_length = 24,
                                                   .refresh_token = "refresh-token-0123456789",
                                                   .refresh_token_length = 24};
  use(ba_credential_oauth_refresh(&options, NULL), whole);
}

static void refresh_tokens_old_and_new_are_wiped(void **state)
{
  (void)state;
  run(oauth_refresh, refresh_secrets);
}

static void webhook_secrets(void)
{
  watch_for("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
}

static void webhook(bool whole)
{
  const struct ba_webhook hook = {.id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
                                  .timestamp = "1614265330",
                                  .signatures = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                                  .body = "{\"test\": 2432232314}",
                                  .body_length = 20};
  struct ba_error err = {0};
  bool ok =
      ba_webhook_verify(&hook, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 38, 300, 1614265330, &err);
  assert_true(ok || !whole);
}

static void a_webhooks_key_is_wiped(void **state)
{
  (void)state;
  run(webhook, webhook_secrets);
}

/* The watch itself: a block that is freed as it is must be found. */
static void the_watch_sees_what_is_left(void **state)
{
  (void)state;
  watch_start();
  watch_for("sk-secret-0123456789");
  struct ba_buffer plain, secret;
  ba_buffer_init(&plain, 1000);
  ba_buffer_puts(&plain, "Bearer sk-secret-0123456789", NULL);
  ba_buffer_free(&plain);
  assert_int_equal(watch_found(), 1);
  ba_buffer_init_secret(&secret, 10000);
  for(int i = 0; i < 100; i++)
    ba_buffer_puts(&secret, "Bearer sk-secret-0123456789", NULL);
  ba_buffer_free(&secret);
  assert_int_equal(watch_found(), 1);
  assert_int_equal(watch_alive(), 0);
  watch_stop();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_watch_sees_what_is_left),
      cmocka_unit_test(a_bearer_token_is_wiped),
      cmocka_unit_test(a_password_and_its_base64_are_wiped),
      cmocka_unit_test(a_secret_from_a_file_is_wiped),
      cmocka_unit_test(tokens_of_a_function_are_wiped),
      cmocka_unit_test(a_private_key_and_what_it_signs_are_wiped),
      cmocka_unit_test(refresh_tokens_old_and_new_are_wiped),
      cmocka_unit_test(a_webhooks_key_is_wiped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
