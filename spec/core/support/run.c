#include "run.h"

#include "batchapi/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct ba_client *plain_client(void)
{
  struct ba_client_settings settings = {.proxy = ""};
  struct ba_error err = {0};
  struct ba_client *client = ba_client_new(&settings, &err);
  if(!client) {
    fprintf(stderr, "no client: %s\n", err.message);
    abort();
  }
  return client;
}

struct ba_credential *renewed_by_finish;

/* As a program does that keeps refresh tokens: then calls go on. */
static void keep_renewed(struct ba_call *call)
{
  struct ba_buffer token;
  ba_buffer_init_secret(&token, 1000);
  if(renewed_by_finish && ba_credential_renewed(renewed_by_finish, &token)) {
    ba_credential_told(renewed_by_finish, &token);
    ba_call_token_put(call, true, NULL);
  }
  ba_buffer_free(&token);
}

bool finish(struct ba_mailbox *mailbox, struct ba_call *call, struct ba_outcome *out)
{
  double until = ba_now() + 20;
  for(unsigned news = 0; !((news = ba_call_news(call)) & BA_CALL_DONE);) {
    if(news & BA_CALL_RENEWED)
      keep_renewed(call);
    if(ba_now() > until)
      return false;
    ba_mailbox_wait(mailbox, 0.5);
    uint64_t ids[64];
    ba_mailbox_drain(mailbox, ids, 64);
  }
  ba_call_outcome(call, out);
  return true;
}

struct ba_call *run_request(struct ba_client *client, struct ba_mailbox *mailbox,
                            struct ba_request *request, struct ba_outcome *out)
{
  struct ba_error err = {0};
  struct ba_call *call = ba_call_start(client, mailbox, request, &err);
  if(!call || !finish(mailbox, call, out)) {
    fprintf(stderr, "the call did not end: %s\n", err.message);
    abort();
  }
  return call;
}

struct ba_request *make_request(const char *method, const char *url, int retries,
                                enum ba_repeat repeat)
{
  struct ba_error err = {0};
  struct ba_request_options options;
  struct ba_request *request = ba_request_new(method, url, &err);
  ba_request_options_init(&options);
  options.timeout = 10;
  options.max_retries = retries;
  options.repeat = repeat;
  if(!request || !ba_request_set_options(request, &options, &err)) {
    fprintf(stderr, "no request: %s\n", err.message);
    abort();
  }
  return request;
}
