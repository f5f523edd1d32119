/* Every block of the core's own that ever held a secret is wiped before it is
 * freed. The allocator below keeps each block's size, moves a block on every
 * change of size, and looks at what is in it when it goes: no eight bytes of
 * any secret may be left, in none of the spellings they had on the way. It
 * also fails allocations in turn, so that the ways out of a failure are seen. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "alloc.h"
#include "base64.h"
#include "credential.h"
#include "keys.h"
#include "oauth.h"
#include "secret.h"
#include "webhook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the watching allocator ---------------------------------------------- */

enum { WINDOW = 8, SECRETS = 64, SECRET_SIZE = 8192, GONE = 2000 };

struct block {
  size_t size;
  max_align_t bytes[];
};

static struct {
  char bytes[SECRETS][SECRET_SIZE];
  size_t lengths[SECRETS];
  size_t count;
  struct block *gone[GONE]; /* what was freed, unless it was all zeros */
  size_t gone_count;
  size_t freed, alive; /* blocks */
  long fail_at;        /* the allocation that fails; < 0: none */
} watch;

/* Kept until the end: some secrets are only known after blocks are gone that
 * held them, such as an assertion and what it was put together from. */
static void keep(struct block *block)
{
  const char *bytes = (const char *)block->bytes;
  watch.freed++;
  watch.alive--;
  if(block->size < WINDOW || (bytes[0] == 0 && memcmp(bytes, bytes + 1, block->size - 1) == 0)) {
    free(block);
    return;
  }
  assert_true(watch.gone_count < GONE);
  watch.gone[watch.gone_count++] = block;
}

static bool holds_secret(const struct block *block)
{
  for(size_t i = 0; i < watch.count; i++) {
    for(size_t at = 0; at + WINDOW <= watch.lengths[i]; at += WINDOW) {
      if(memmem(block->bytes, block->size, watch.bytes[i] + at, WINDOW))
        return true;
    }
  }
  return false;
}

/* How many of the blocks that are gone were not wiped. */
static size_t count_found(void)
{
  size_t found = 0;
  for(size_t i = 0; i < watch.gone_count; i++) {
    found += holds_secret(watch.gone[i]);
    free(watch.gone[i]);
  }
  watch.gone_count = 0;
  return found;
}

static void *resize(void *user, void *old, size_t size)
{
  (void)user;
  struct block *block = old ? (struct block *)((char *)old - offsetof(struct block, bytes)) : NULL;
  struct block *made = NULL;
  if(size > 0) {
    if(watch.fail_at >= 0 && watch.fail_at-- == 0)
      return NULL;
    made = calloc(1, sizeof(*made) + size);
    assert_non_null(made);
    made->size = size;
    watch.alive++;
    if(block)
      memcpy(made->bytes, block->bytes, block->size < size ? block->size : size);
  }
  if(block)
    keep(block);
  return made ? made->bytes : NULL;
}

static void start_watch(void)
{
  static const struct ba_allocator allocator = {resize, NULL};
  memset(&watch, 0, sizeof(watch));
  watch.fail_at = -1;
  ba_alloc_hook(&allocator);
}

static void remember(const char *secret, size_t length)
{
  assert_true(watch.count < SECRETS && length <= SECRET_SIZE && length >= WINDOW);
  memcpy(watch.bytes[watch.count], secret, length);
  watch.lengths[watch.count++] = length;
}

/* A secret, and how it reads in base64url and, when it is such, decoded. */
static void remember_text(const char *secret)
{
  struct ba_buffer other;
  ba_alloc_hook(NULL);
  remember(secret, strlen(secret));
  ba_buffer_init(&other, SECRET_SIZE);
  if(ba_base64url_decode(&other, secret, strlen(secret), NULL))
    remember(other.bytes, other.length);
  ba_buffer_free(&other);
  static const struct ba_allocator allocator = {resize, NULL};
  ba_alloc_hook(&allocator);
}

static void expect_wiped(void)
{
  ba_alloc_hook(NULL);
  assert_int_equal(count_found(), 0);
  assert_int_equal(watch.alive, 0);
}

/* Runs the scenario once whole, then failing its first, second, … allocation
 * until none fails. */
static void run(void (*scenario)(bool whole), void (*secrets)(void))
{
  for(long fail_at = -1;; fail_at++) {
    start_watch();
    secrets();
    watch.fail_at = fail_at;
    scenario(fail_at < 0);
    bool failed = fail_at >= 0 && watch.fail_at < 0;
    size_t freed = watch.freed;
    expect_wiped();
    assert_true(freed > 0 || failed);
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
  static const struct ba_allocator allocator = {resize, NULL};
  struct ba_buffer json;
  ba_alloc_hook(NULL);
  ba_buffer_init(&json, SECRET_SIZE);
  assert_true(ba_base64url_decode(&json, claims, strlen(claims), NULL));
  const char *jti = strstr(json.bytes, "\"jti\":\"");
  assert_non_null(jti);
  assert_int_equal(strcspn(jti + 7, "\""), 43);
  remember(jti + 7, 43);
  ba_buffer_free(&json);
  ba_alloc_hook(&allocator);
}

/* The assertion is new each time: it is a secret as soon as it is seen. */
static void remember_exchange(const struct ba_exchange *exchange)
{
  const char *at = exchange->body.bytes ? strstr(exchange->body.bytes, "client_assertion=") : NULL;
  if(!at)
    return;
  at += strlen("client_assertion=");
  size_t length = strcspn(at, "&");
  char assertion[SECRET_SIZE];
  assert_true(length < sizeof(assertion));
  memcpy(assertion, at, length);
  assertion[length] = '\0';
  char *rest = NULL;
  strtok_r(assertion, ".", &rest); /* the header tells nothing */
  const char *claims = strtok_r(NULL, ".", &rest);
  /* of the claims only jti is secret: 43 characters before the closing quote and brace */
  remember(claims + strlen(claims) - 56, 56);
  remember_jti(claims);
  remember_text(strtok_r(NULL, ".", &rest));
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
  remember_text("sk-secret-0123456789");
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
  remember_text("hunter2-hunter2-hunter2");
  remember_text("TkFNRS0xMjM6aHVudGVyMi1odW50ZXIyLWh1bnRlcjI="); /* NAME-123:… */
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
  remember_text("sk-secret-0123456789");
  remember_text("sk-second-9876543210");
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
  remember_text("access-token-0123456789");
  remember_text("renewed-0123456789abcdef");
}

static void client_secrets(void)
{
  token_secrets();
  remember_text(RFC7515_RSA_D);
  remember_text(RFC7515_RSA_P);
  remember_text(RFC7515_RSA_Q);
  remember_text(RFC7515_RSA_DP);
  remember_text(RFC7515_RSA_DQ);
  remember_text(RFC7515_RSA_QI);
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
  remember_text("client-secret/0123456789");
  remember_text("client-secret%2F0123456789");
  remember_text("refresh-token-0123456789");
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
  remember_text("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
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
  start_watch();
  remember_text("sk-secret-0123456789");
  struct ba_buffer plain;
  ba_buffer_init(&plain, 1000);
  ba_buffer_puts(&plain, "Bearer sk-secret-0123456789", NULL);
  ba_buffer_free(&plain);
  assert_int_equal(count_found(), 1);
  struct ba_buffer secret;
  ba_buffer_init_secret(&secret, 10000);
  for(int i = 0; i < 100; i++)
    ba_buffer_puts(&secret, "Bearer sk-secret-0123456789", NULL);
  ba_buffer_free(&secret);
  expect_wiped();
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
