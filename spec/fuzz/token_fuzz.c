/* What token servers send: discovery documents, token answers, refusals. The
 * first byte chooses the status. A token that is accepted fits in a header
 * line; an error is one line and shows no token. */
#include "batchapi/credential.h"
#include "batchapi/oauth.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
  if(!ok)
    abort();
}

static struct ba_credential *make(void)
{
  const struct ba_oauth_refresh_options options = {.token_url = "https://auth.example.com/t",
                                                   .client_id = "client",
                                                   .client_secret = "client-secret-1234",
                                                   .client_secret_length = 18,
                                                   .refresh_token = "refresh-token-1234",
                                                   .refresh_token_length = 18};
  struct ba_credential *made = ba_credential_oauth_refresh(&options, NULL);
  expect(made != NULL && ba_credential_bind(made, "https://api.example.com", false, NULL));
  return made;
}

static void check_line(struct ba_credential *credential)
{
  struct ba_buffer line;
  ba_buffer_init_secret(&line, 1 << 20);
  expect(ba_credential_line(credential, &line, NULL, NULL));
  expect(memchr(line.bytes, '\r', line.length) == NULL);
  expect(memchr(line.bytes, '\n', line.length) == NULL);
  expect(memchr(line.bytes, '\0', line.length) == NULL);
  ba_buffer_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const int statuses[] = {200, 400, 401, 429, 503, 302, 0, 204};
  if(size < 1 || size > 8192)
    return 0;
  struct ba_credential *credential = make();
  struct ba_exchange exchange;
  struct ba_error err = {0};
  expect(ba_credential_next(credential, 0, &exchange, NULL));
  ba_exchange_free(&exchange);
  bool ok = ba_credential_feed(credential, statuses[data[0] % 8], (const char *)data + 1, size - 1,
                               NULL, 0, &err);
  if(ok) {
    check_line(credential);
  } else {
    expect(err.message[0] != '\0' && strpbrk(err.message, "\r\n") == NULL);
    expect(strstr(err.message, "refresh-token-1234") == NULL);
    expect(strstr(err.message, "client-secret-1234") == NULL);
  }
  ba_credential_release(credential);
  return 0;
}
