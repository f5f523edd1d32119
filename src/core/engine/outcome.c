/* What came of a call: of each attempt, at its end, and told afterwards. */
#include "engine/call_state.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"

#include <string.h>

/* What an attempt did is counted where the client's statistics are, once. */
void ba_call_take_stock(struct ba_call *call)
{
  struct ba_counters *counters = &call->client->shared->counters;
  const struct ba_transfer *transfer = &call->transfer;
  if(!ba_transfer_inspect(&call->transfer))
    return;
  call->sent = call->sent || transfer->sent;
  call->reused = transfer->reused;
  if(transfer->opened)
    ba_count(&counters->connections_opened, transfer->opened);
  else
    ba_count(&counters->connections_reused, transfer->reused);
  ba_count(&counters->bytes_sent, transfer->bytes_sent);
  ba_count(&counters->bytes_received, transfer->bytes_received);
}

void ba_call_keep_record(struct ba_call *call, const struct ba_error *error, double retry_in)
{
  const struct ba_transfer *transfer = &call->transfer;
  if(!transfer->request->options.record_attempts || !call->mailbox)
    return;
  double elapsed = call->timers->now - transfer->started;
  if(ba_records_add(&call->records, transfer, call->attempts, elapsed, error, retry_in))
    ba_call_tell(call, BA_CALL_ATTEMPTED);
}

static bool make_views(struct ba_call *call)
{
  size_t count = call->transfer.head.count + call->transfer.head.trailers;
  if(count > call->view_room) {
    struct ba_header_view *views = ba_realloc(call->views, count * sizeof(*views));
    if(!views)
      return false;
    call->views = views;
    call->view_room = count;
  }
  ba_head_views(&call->transfer.head, call->views);
  call->view_count = call->transfer.head.count;
  call->trailer_count = call->transfer.head.trailers;
  return true;
}

/* A server that repeats what it was sent would put a secret into logs. The body
 * of a refusal was looked at when it was read (classify.c). */
static void hide_secrets(struct ba_call *call)
{
  struct ba_credential *credential = call->client->credential;
  struct ba_buffer *head = &call->transfer.head.text, *body = &call->transfer.sink.body;
  if(!credential || !call->mailbox)
    return;
  if(call->ok) {
    ba_credential_redact_answer(credential, head->bytes, head->length, body->bytes, body->length);
    return;
  }
  ba_credential_redact(credential, head->bytes, head->length);
  if(call->error) {
    ba_credential_redact(credential, call->error->message, strlen(call->error->message));
    ba_credential_redact(credential, call->error->code, strlen(call->error->code));
  }
}

void ba_call_settle(struct ba_call *call, const struct ba_error *error)
{
  struct ba_counters *counters = &call->client->shared->counters;
  call->ok = error == NULL;
  if(error)
    ba_call_keep_error(call, error);
  hide_secrets(call);
  /* Of our own calls the head stays as it came: its Date is looked up (token.c). */
  if(call->mailbox && !make_views(call) && call->ok) {
    struct ba_error nomem;
    ba_error_nomem(&nomem);
    call->ok = false;
    ba_call_keep_error(call, &nomem);
  }
  call->ended_at = ba_now();
  if(call->mailbox)
    ba_count(call->ok ? &counters->succeeded : &counters->failed, 1);
}

void ba_call_outcome(struct ba_call *call, struct ba_outcome *out)
{
  static const struct ba_error no_error;
  *out = (struct ba_outcome){
      .ok = call->ok,
      .error = call->ok ? &no_error : ba_call_error(call),
      .status = call->transfer.head.status,
      .retryable = call->retryable,
      .maybe_sent = call->sent,
      .retry_after = call->retry_after,
      .attempts = call->attempts,
      .elapsed = call->ended_at - call->started,
      .reused = call->reused,
      .http_version = call->transfer.head.version,
      .headers = call->views,
      .header_count = call->view_count,
      .trailers = call->views + call->view_count,
      .trailer_count = call->trailer_count,
      .body = call->transfer.sink.body.bytes ? call->transfer.sink.body.bytes : "",
      .body_length = call->transfer.sink.body.length,
      .body_cut = call->transfer.sink.overflowed && call->transfer.head.status >= 300,
      .file_bytes = call->transfer.request->sink == BA_SINK_FILE ? call->transfer.sink.done : 0,
  };
}
