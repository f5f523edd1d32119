/* Records of attempts, for those who want to see them. A record owns copies of
 * all it shows, with secrets removed. */
#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "http/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { RECORDS_MAX = 32 };

struct ba_record {
  struct ba_record *next;
  struct ba_attempt attempt;
  struct ba_header_view *views;
  char *url, *method;
  struct ba_buffer text;
};

static void record_free(struct ba_record *record)
{
  if(!record)
    return;
  ba_free(record->url);
  ba_free(record->method);
  ba_free(record->views);
  ba_buffer_free(&record->text);
  ba_free(record);
}

void ba_records_free(struct ba_call *call)
{
  while(call->records) {
    struct ba_record *record = call->records;
    call->records = record->next;
    record_free(record);
  }
  record_free(call->shown_record);
}

/* Names whose values prove who one is. */
static bool is_secret(const char *line, size_t name)
{
  static const char *const parts[] = {"authorization", "cookie", "key",
                                      "token",         "secret", "password"};
  for(size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    size_t length = strlen(parts[i]);
    for(size_t at = 0; at + length <= name; at++) {
      if(strncasecmp(line + at, parts[i], length) == 0)
        return true;
    }
  }
  return false;
}

static bool add_header(struct ba_record *record, const char *line, bool secret)
{
  const char *colon = strchr(line, ':');
  if(!colon || !colon[1])
    return true; /* "Expect:" removes a header; it is not sent */
  size_t name = (size_t)(colon - line);
  const char *value = colon + 1 + strspn(colon + 1, " ");
  if(secret || is_secret(line, name))
    value = "***";
  struct ba_buffer *text = &record->text;
  size_t start = text->length;
  if(!ba_buffer_append(text, line, name, NULL) || !ba_buffer_append(text, "", 1, NULL) ||
     !ba_buffer_append(text, value, strlen(value) + 1, NULL))
    return false;
  for(size_t i = start; i < start + name; i++) {
    if(text->bytes[i] >= 'A' && text->bytes[i] <= 'Z')
      text->bytes[i] += 32;
  }
  record->attempt.request_header_count++;
  return true;
}

static bool add_headers(struct ba_record *record, struct ba_call *call)
{
  const struct ba_handle *handle = call->transfer.handle;
  ba_buffer_init(&record->text, 64 << 10);
  for(unsigned i = 0; handle && i < handle->node_count; i++) {
    bool secret = handle->nodes[i].data == handle->auth_line.bytes;
    if(!add_header(record, handle->nodes[i].data, secret))
      return false;
  }
  for(struct curl_slist *node = call->request->headers; node; node = node->next) {
    if(!add_header(record, node->data, false))
      return false;
  }
  size_t count = record->attempt.request_header_count;
  record->views = ba_malloc((count + 1) * sizeof(*record->views));
  if(!record->views)
    return false;
  const char *at = record->text.bytes;
  for(size_t i = 0; i < count; i++) {
    record->views[i].name = at;
    record->views[i].value = at + strlen(at) + 1;
    record->views[i].value_length = strlen(record->views[i].value);
    at = record->views[i].value + record->views[i].value_length + 1;
  }
  return true;
}

static void fill(struct ba_attempt *attempt, const struct ba_call *call,
                 const struct ba_error *error, double retry_in)
{
  const struct ba_transfer *transfer = &call->transfer;
  attempt->number = call->attempts;
  attempt->status = call->head.status;
  attempt->kind = error ? error->kind : BA_OK;
  snprintf(attempt->message, sizeof(attempt->message), "%s", error ? error->message : "");
  attempt->started = transfer->wall;
  attempt->elapsed = ba_engine.now - transfer->started;
  attempt->bytes_sent = transfer->bytes_sent;
  attempt->bytes_received = transfer->bytes_received;
  attempt->reused = transfer->reused;
  attempt->retry_in = retry_in;
}

void ba_records_add(struct ba_call *call, const struct ba_error *error, double retry_in)
{
  if(!call->request->options.record_attempts || !call->mailbox)
    return;
  struct ba_record *record = ba_calloc(1, sizeof(*record));
  if(!record)
    return; /* sight is lost, not work */
  fill(&record->attempt, call, error, retry_in);
  record->method = ba_strdup(call->request->method);
  record->url = ba_url_redact(ba_call_url(call));
  if(!record->method || !record->url || !add_headers(record, call)) {
    record_free(record);
    return;
  }
  if(call->client->credential) {
    struct ba_credential *credential = call->client->credential;
    ba_credential_redact(credential, record->text.bytes, record->text.length);
    ba_credential_redact(credential, record->url, strlen(record->url));
    ba_credential_redact(credential, record->attempt.message, strlen(record->attempt.message));
  }
  record->attempt.method = record->method;
  record->attempt.url = record->url;
  record->attempt.request_headers = record->views;
  ba_lock();
  bool room = call->record_count < RECORDS_MAX;
  if(room) {
    *call->last_record = record;
    call->last_record = &record->next;
    call->record_count++;
  }
  ba_unlock();
  if(room)
    ba_engine_news(call, BA_CALL_ATTEMPTED);
  else
    record_free(record);
}

bool ba_call_next_attempt(struct ba_call *call, struct ba_attempt *out)
{
  struct ba_record *before = call->shown_record;
  ba_lock();
  struct ba_record *record = call->records;
  if(record) {
    call->records = record->next;
    call->record_count--;
    if(!call->records)
      call->last_record = &call->records;
  }
  call->shown_record = record;
  ba_unlock();
  record_free(before);
  if(record)
    *out = record->attempt;
  return record != NULL;
}
