/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/webhook.h"

#include <string.h>

/* The example of the Standard Webhooks libraries. */
static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const double sent = 1614265330;

static struct ba_webhook example(void)
{
  static const char body[] = "{\"test\": 2432232314}";
  struct ba_webhook hook = {.id = "msg_p5jXN8AQM9LWM0D4loKWxJek",
                            .timestamp = "1614265330",
                            .signatures = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                            .body = body,
                            .body_length = strlen(body)};
  return hook;
}

static bool verify(const struct ba_webhook *hook, double now, struct ba_error *err)
{
  return ba_webhook_verify(hook, secret, strlen(secret), BA_WEBHOOK_TOLERANCE, now, err);
}

static void refused(const struct ba_webhook *hook, double now, const char *code)
{
  struct ba_error err = {0};
  assert_false(verify(hook, now, &err));
  assert_int_equal(err.kind, BA_AUTH);
  assert_string_equal(err.code, code);
}

static void the_published_example_verifies(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  struct ba_error err = {0};
  if(!verify(&hook, sent, &err))
    fail_msg("%s", err.message);
  assert_true(verify(&hook, sent + 300, &err));
  assert_true(verify(&hook, sent - 300, &err));
}

static void one_right_signature_of_several_is_enough(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  hook.signatures = "v1a,xyz v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
                    " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  assert_true(verify(&hook, sent, NULL));
}

static void a_changed_message_is_refused(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  hook.body = "{\"test\": 2432232315}";
  refused(&hook, sent, "bad_signature");
  hook = example();
  hook.body_length--;
  refused(&hook, sent, "bad_signature");
  hook = example();
  hook.id = "msg_other";
  refused(&hook, sent, "bad_signature");
  hook = example();
  hook.timestamp = "1614265331";
  refused(&hook, sent, "bad_signature");
  hook = example();
  hook.signatures = "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  refused(&hook, sent, "bad_signature");
  hook.signatures = "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
  refused(&hook, sent, "bad_signature");
  hook.signatures = "";
  refused(&hook, sent, "bad_signature");
  hook.signatures = "v1,";
  refused(&hook, sent, "bad_signature");
}

static void a_message_must_be_fresh(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  refused(&hook, sent + 301, "too_old");
  refused(&hook, sent - 301, "too_new");
  static const char *const bad[] = {"", "x", "-1", "1614265330.5", " 1614265330", "9999999999999"};
  for(size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    hook.timestamp = bad[i];
    refused(&hook, sent, "bad_timestamp");
  }
}

static void a_missing_header_is_named(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  hook.id = NULL;
  refused(&hook, sent, "missing_header");
  hook = example();
  hook.timestamp = NULL;
  refused(&hook, sent, "missing_header");
  hook = example();
  hook.signatures = NULL;
  refused(&hook, sent, "missing_header");
}

static void a_secret_that_cannot_be_one_is_invalid(void **state)
{
  (void)state;
  struct ba_webhook hook = example();
  static const char *const bad[] = {"", "whsec_", "whsec_!!!!", "whsec_abc"};
  for(size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct ba_error err = {0};
    assert_false(ba_webhook_verify(&hook, bad[i], strlen(bad[i]), 300, sent, &err));
    assert_int_equal(err.kind, BA_INVALID);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_published_example_verifies),
      cmocka_unit_test(one_right_signature_of_several_is_enough),
      cmocka_unit_test(a_changed_message_is_refused),
      cmocka_unit_test(a_message_must_be_fresh),
      cmocka_unit_test(a_missing_header_is_named),
      cmocka_unit_test(a_secret_that_cannot_be_one_is_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
