/* The same for the engine: a cold call that fetches its token, one that renews
 * it, refusals that quote the credential, records of attempts, redirects, a
 * proxy with a password. Afterwards no block that is gone holds a secret. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "batchapi/batchapi.h"
#include "batchapi/credential.h"
#include "batchapi/oauth.h"
#include "keys.h"
#include "support/run.h"
#include "support/server.h"
#include "support/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ba_mailbox *mailbox;

static int set_up(void **state)
{
  (void)state;
  struct ba_error err = {0};
  watch_start();
  if(!ba_engine_load(&err))
    fail_msg("%s", err.message);
  mailbox = ba_mailbox_new(&err);
  return mailbox ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  ba_mailbox_delete(mailbox);
  mailbox = NULL;
  size_t found = watch_found();
  if(found)
    print_error("%zu blocks hold a secret\n", found);
  return found == 0 ? 0 : -1;
}

/* Plays the provider and the service; quotes what it got in every refusal. */
static void answers(struct exchange *exchange)
{
  char text[20000];
  if(strcmp(exchange->path, "/.well-known/openid-configuration") == 0) {
    snprintf(text, sizeof(text), "{\"issuer\":\"%s\",\"token_endpoint\":\"%s\"}",
             (char *)exchange->user, (char *)exchange->user);
    char *end = strrchr(text, '"');
    snprintf(end, 20, "/token\"}");
    reply(exchange, 200, "", text);
  } else if(strcmp(exchange->path, "/token") == 0) {
    snprintf(text, sizeof(text),
             "{\"access_token\":\"access-token-%u-0123456789\",\"token_type\":\"Bearer\","
             "\"expires_in\":900,\"refresh_token\":\"renewed-token-%u-0123456789\"}",
             exchange->total, exchange->total);
    reply(exchange, 200, "", text);
  } else if(strcmp(exchange->path, "/refuse") == 0) {
    snprintf(text, sizeof(text), "{\"error\":{\"message\":\"no: %s\"}}",
             request_header(exchange, "Authorization"));
    reply(exchange, 401, "", text);
  } else if(strcmp(exchange->path, "/away") == 0) {
    reply(exchange, 307, "Location: http://localhost:1/else\r\n", "");
  } else {
    reply(exchange, 200, "", "{}");
  }
}

static void remember_tokens(void)
{
  char text[64];
  for(unsigned i = 1; i <= 12; i++) {
    snprintf(text, sizeof(text), "access-token-%u-0123456789", i);
    watch_for_bytes(text + 8, strlen(text) - 8);
  }
  watch_for("refresh-token-0123456789");
  watch_for("client-secret-0123456789");
}

static char *origin_of(struct server *server)
{
  return strdup(server_url(server, ""));
}

static struct ba_client *client_with(struct ba_credential *credential, const char *proxy,
                                     const char *url)
{
  struct ba_error err = {0};
  struct ba_client_settings settings = {.proxy = proxy, .credential = credential};
  if(!credential || !ba_credential_bind(credential, url, false, &err))
    fail_msg("%s", err.message);
  struct ba_client *client = ba_client_new(&settings, &err);
  if(!client)
    fail_msg("%s", err.message);
  ba_credential_release(credential);
  return client;
}

/* Runs a call whose attempts are recorded, and reads the records. */
static void ask(struct ba_client *client, struct server *server, const char *path, int status)
{
  struct ba_request_options options;
  struct ba_outcome out;
  struct ba_error err = {0};
  struct ba_request *request = ba_request_new("GET", server_url(server, path), &err);
  ba_request_options_init(&options);
  options.timeout = 10;
  options.max_retries = 1;
  options.record_attempts = true;
  options.allow_redirects = true;
  assert_true(request && ba_request_set_options(request, &options, &err));
  struct ba_call *call = run_request(client, mailbox, request, &out);
  assert_int_equal(out.status, status);
  struct ba_attempt attempt;
  while(ba_call_next_attempt(call, &attempt)) {
    for(size_t i = 0; i < attempt.request_header_count; i++)
      assert_null(strstr(attempt.request_headers[i].value, "0123456789"));
  }
  ba_call_release(call);
}

static void use(struct ba_credential *credential, struct server *server, const char *proxy)
{
  struct ba_client *client = client_with(credential, proxy, server_url(server, "/"));
  ask(client, server, "/ok", 200);
  ask(client, server, "/refuse", 401);
  ask(client, server, "/away", 0);
  ask(client, server, "/ok", 200);
  ba_client_release(client);
}

static struct server *start_server(char **origin)
{
  static char user[64];
  struct server *server = server_start(answers, user);
  *origin = origin_of(server);
  snprintf(user, sizeof(user), "%s", *origin);
  return server;
}

static void fixed_secrets(void **state)
{
  (void)state;
  char *origin;
  struct server *server = start_server(&origin);
  watch_for("sk-secret-0123456789");
  watch_for("TkFNRTpodW50ZXIyLTAxMjM0NTY3ODk"); /* NAME:hunter2-0123456789 */
  watch_for("hunter2-0123456789");
  use(ba_credential_bearer("sk-secret-0123456789", 20, NULL), server, "");
  use(ba_credential_basic("NAME", 4, "hunter2-0123456789", 18, NULL), server, "");
  server_stop(server);
  free(origin);
}

static void refresh_tokens(void **state)
{
  (void)state;
  char *origin;
  struct server *server = start_server(&origin);
  remember_tokens();
  char url[128];
  snprintf(url, sizeof(url), "%s/token", origin);
  const struct ba_oauth_refresh_options options = {.token_url = url,
                                                   .client_id = "client",
                                                   .client_secret = "client-secret-0123456789",
                                                   .client_secret_length = 24,
                                                   .refresh_token = "refresh-token-0123456789",
                                                   .refresh_token_length = 24};
  struct ba_credential *credential = ba_credential_oauth_refresh(&options, NULL);
  renewed_by_finish = credential;
  use(credential, server, "");
  renewed_by_finish = NULL;
  server_stop(server);
  free(origin);
}

static void signed_assertions(void **state)
{
  (void)state;
  char *origin;
  struct server *server = start_server(&origin);
  remember_tokens();
  watch_for(RFC7515_RSA_D);
  char config[8192];
  snprintf(
      config, sizeof(config),
      "{\"clientId\":\"c\",\"wellKnownUri\":\"%s/.well-known/openid-configuration\",\"jwk\":%s}",
      origin, RFC7515_RSA_JWK);
  const struct ba_oauth_client_options options = {.json = config, .json_length = strlen(config)};
  use(ba_credential_oauth_client(&options, NULL), server, "");
  server_stop(server);
  free(origin);
}

static void a_proxys_password(void **state)
{
  (void)state;
  char *origin;
  struct server *server = start_server(&origin);
  watch_for("proxy-password-0123456789");
  struct ba_client_settings settings = {.proxy =
                                            "http://user:proxy-password-0123456789@127.0.0.1:1"};
  struct ba_client *client = ba_client_new(&settings, NULL);
  assert_non_null(client);
  ask(client, server, "/ok", 0);
  ba_client_release(client);
  server_stop(server);
  free(origin);
}

#define engine_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      engine_test(fixed_secrets),
      engine_test(refresh_tokens),
      engine_test(signed_assertions),
      engine_test(a_proxys_password),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
