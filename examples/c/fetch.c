/* fetch URL…: the answers of several servers at once, each as its status, its
 * size and how many attempts it took. OPENAI_API_KEY, if it is set, goes to the
 * first URL's server and to no other. */
#include <batchapi/batchapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(const char *what, const struct ba_error *error)
{
  fprintf(stderr, "fetch: %s: %s\n", what, error->message);
  return 1;
}

static struct ba_call *start(struct ba_client *client, struct ba_mailbox *mailbox, const char *url,
                             struct ba_error *err)
{
  struct ba_request_options options;
  struct ba_request *request = ba_request_new("GET", url, err);
  if(!request)
    return NULL;
  ba_request_options_init(&options);
  options.timeout = 30;
  options.repeat = BA_REPEAT_SAFE;
  if(!ba_request_set_options(request, &options, err)) {
    ba_request_delete(request);
    return NULL;
  }
  return ba_call_start(client, mailbox, request, err); /* it has the request now */
}

static int show(struct ba_call *call, const char *url)
{
  struct ba_outcome outcome;
  ba_call_outcome(call, &outcome);
  if(!outcome.ok)
    return complain(url, outcome.error);
  printf("%s: %d, %zu bytes, %u attempt%s\n", url, outcome.status, outcome.body_length,
         outcome.attempts, outcome.attempts == 1 ? "" : "s");
  return 0;
}

static int fetch(struct ba_client *client, struct ba_mailbox *mailbox, int count, char **urls)
{
  struct ba_error err = {0};
  struct ba_call **calls = calloc((size_t)count, sizeof(*calls));
  int failures = calls ? 0 : 1;
  for(int i = 0; calls && i < count; i++) {
    calls[i] = start(client, mailbox, urls[i], &err);
    if(!calls[i])
      failures += complain(urls[i], &err);
  }
  for(int i = 0; calls && i < count; i++) {
    uint64_t reported[16];
    while(calls[i] && !ba_call_done(calls[i])) {
      ba_mailbox_wait(mailbox, 60);
      ba_mailbox_drain(mailbox, reported, 16);
    }
    if(calls[i]) {
      failures += show(calls[i], urls[i]);
      ba_call_release(calls[i]);
    }
  }
  free(calls);
  return failures;
}

int main(int count, char **arguments)
{
  struct ba_error err = {0};
  const char *key = getenv("OPENAI_API_KEY");
  struct ba_client_settings settings = {0};
  if(count < 2) {
    fprintf(stderr, "usage: fetch URL...\n");
    return 2;
  }
  if(!ba_engine_load(&err))
    return complain("the engine", &err);
  if(key) {
    settings.credential = ba_credential_bearer(key, strlen(key), &err);
    if(!settings.credential || !ba_credential_bind(settings.credential, arguments[1], false, &err))
      return complain("OPENAI_API_KEY", &err);
  }
  struct ba_client *client = ba_client_new(&settings, &err);
  struct ba_mailbox *mailbox = client ? ba_mailbox_new(&err) : NULL;
  int failures =
      mailbox ? fetch(client, mailbox, count - 1, arguments + 1) : complain("start", &err);
  ba_client_release(client);
  ba_credential_release(settings.credential);
  ba_mailbox_delete(mailbox);
  return failures ? 1 : 0;
}
