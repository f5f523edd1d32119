#include "engine/records.h"

#include "batchapi/alloc.h"
#include "engine/queue.h"
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

void ba_records_init(struct ba_records *records)
{
  records->last = &records->first;
}

void ba_records_free(struct ba_records *records)
{
  while(records->first) {
    struct ba_record *record = records->first;
    records->first = record->next;
    record_free(record);
  }
  record_free(records->shown);
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

static bool add_header(void *user, const char *line, bool secret)
{
  struct ba_record *record = user;
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

static bool add_headers(struct ba_record *record, const struct ba_transfer *transfer)
{
  ba_buffer_init(&record->text, 64 << 10);
  if(!ba_transfer_each_header(transfer, add_header, record))
    return false;
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

static void fill(struct ba_attempt *attempt, const struct ba_transfer *transfer,
                 const struct ba_error *error)
{
  attempt->status = transfer->head.status;
  attempt->kind = error ? error->kind : BA_OK;
  snprintf(attempt->message, sizeof(attempt->message), "%s", error ? error->message : "");
  attempt->started = transfer->wall;
  attempt->bytes_sent = transfer->bytes_sent;
  attempt->bytes_received = transfer->bytes_received;
  attempt->reused = transfer->reused;
}

static void hide_secrets(struct ba_record *record, struct ba_credential *credential)
{
  ba_credential_redact(credential, record->text.bytes, record->text.length);
  ba_credential_redact(credential, record->url, strlen(record->url));
  ba_credential_redact(credential, record->attempt.message, strlen(record->attempt.message));
}

static struct ba_record *make(const struct ba_transfer *transfer, const struct ba_error *error)
{
  struct ba_record *record = ba_calloc(1, sizeof(*record));
  if(!record)
    return NULL;
  fill(&record->attempt, transfer, error);
  record->method = ba_strdup(transfer->request->method);
  record->url = ba_url_redact(ba_transfer_url(transfer));
  if(!record->method || !record->url || !add_headers(record, transfer)) {
    record_free(record);
    return NULL;
  }
  if(transfer->credential)
    hide_secrets(record, transfer->credential);
  record->attempt.method = record->method;
  record->attempt.url = record->url;
  record->attempt.request_headers = record->views;
  return record;
}

bool ba_records_add(struct ba_records *records, const struct ba_transfer *transfer, unsigned number,
                    double elapsed, const struct ba_error *error, double retry_in)
{
  struct ba_record *record = make(transfer, error);
  if(!record)
    return false; /* sight is lost, not work */
  record->attempt.number = number;
  record->attempt.elapsed = elapsed;
  record->attempt.retry_in = retry_in;
  ba_lock();
  bool room = records->count < RECORDS_MAX;
  if(room) {
    *records->last = record;
    records->last = &record->next;
    records->count++;
  }
  ba_unlock();
  if(!room)
    record_free(record);
  return room;
}

bool ba_records_next(struct ba_records *records, struct ba_attempt *out)
{
  struct ba_record *before = records->shown;
  ba_lock();
  struct ba_record *record = records->first;
  if(record) {
    records->first = record->next;
    records->count--;
    if(!records->first)
      records->last = &records->first;
  }
  records->shown = record;
  ba_unlock();
  record_free(before);
  if(record)
    *out = record->attempt;
  return record != NULL;
}
