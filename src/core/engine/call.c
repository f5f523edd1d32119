/* The host's side of a call: making it, commands, news, the outcome. */
#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"

#include <string.h>

static _Atomic uint64_t last_id;

uint64_t ba_new_id(void)
{
  return atomic_fetch_add(&last_id, 1) + 1;
}

static bool prepare(struct ba_call *call, struct ba_error *err)
{
  struct ba_request *request = call->request;
  const struct ba_request_options *options = &request->options;
  ba_head_init(&call->head, options->max_header_bytes);
  ba_sink_init(call);
  call->started = ba_now();
  call->deadline = options->timeout > 0 ? call->started + options->timeout : -1;
  call->retry_after = -1;
  call->last_record = &call->records;
  if(request->sink != BA_SINK_STREAM && request->body != BA_BODY_STREAM)
    return true;
  call->stream = ba_calloc(1, sizeof(*call->stream));
  if(!call->stream)
    return ba_error_nomem(err);
  /* One callback's worth above the mark: what libcurl hands over when it is
   * not yet paused must fit. */
  ba_buffer_init(&call->stream->in, BA_STREAM_BUFFER_BYTES + CURL_MAX_WRITE_SIZE);
  ba_buffer_init(&call->stream->out, BA_STREAM_BUFFER_BYTES);
  return true;
}

static struct ba_call *call_new(struct ba_client *client, struct ba_mailbox *mailbox,
                                struct ba_request *request, struct ba_error *err)
{
  struct ba_call *call = ba_spares_take();
  if(!call) {
    ba_request_delete(request);
    ba_error_nomem(err);
    return NULL;
  }
  call->id = ba_new_id();
  call->request = request;
  call->client = client;
  call->mailbox = mailbox;
  call->references = 1;
  call->prepared = prepare(call, err);
  return call;
}

/* What a call counts on, once it is known to live. */
static void hold_locked(struct ba_call *call)
{
  ba_client_retain_locked(call->client);
  if(call->mailbox)
    ba_mailbox_retain_locked(call->mailbox);
}

struct ba_call *ba_call_make(struct ba_client *client, struct ba_mailbox *mailbox,
                             struct ba_request *request, struct ba_error *err)
{
  struct ba_call *call = call_new(client, mailbox, request, err);
  if(!call)
    return NULL;
  ba_lock();
  hold_locked(call);
  ba_unlock();
  if(call->prepared)
    return call;
  ba_call_drop(call);
  return NULL;
}

struct ba_call *ba_call_start(struct ba_client *client, struct ba_mailbox *mailbox,
                              struct ba_request *request, struct ba_error *err)
{
  struct ba_call *call = call_new(client, mailbox, request, err);
  if(!call)
    return NULL;
  ba_lock();
  hold_locked(call);
  bool ok = call->prepared && ba_engine_ready_locked(err) &&
            (!client->closed || ba_error_set(err, BA_CLOSED, NULL, "the client is closed"));
  if(ok) {
    call->owned = true;
    call->references++; /* the engine's */
    ba_engine_command_locked(call, BA_COMMAND_START);
  }
  ba_unlock();
  if(!ok) {
    ba_call_drop(call);
    return NULL;
  }
  atomic_fetch_add_explicit(&client->shared->counters.requests, 1, memory_order_relaxed);
  return call;
}

uint64_t ba_call_id(const struct ba_call *call)
{
  return call->id;
}

static void call_free(struct ba_call *call)
{
  ba_request_delete(call->request);
  ba_sink_close(call);
  ba_records_free(call);
  if(call->stream) {
    ba_buffer_free(&call->stream->in);
    ba_buffer_free(&call->stream->out);
    ba_free(call->stream);
  }
  ba_free(call->url);
  ba_free(call->transfer.if_range);
  ba_free(call->error);
  ba_free(call->token_error);
  struct ba_client *client = NULL;
  ba_lock();
  if(call->mailbox)
    ba_mailbox_release_locked(call->mailbox);
  if(ba_client_release_locked(call->client))
    client = call->client;
  bool kept = ba_spares_keep_locked(call);
  ba_unlock();
  if(client)
    ba_client_free(client);
  if(!kept)
    ba_spares_free(call);
}

/* Dead calls are linked by next_report, which a call without references does
 * not need any more. */
void ba_call_drop_locked(struct ba_call *call, struct ba_call **dead)
{
  if(--call->references > 0)
    return;
  call->next_report = *dead;
  *dead = call;
}

void ba_call_free_list(struct ba_call *dead)
{
  while(dead) {
    struct ba_call *call = dead;
    dead = call->next_report;
    call_free(call);
  }
}

void ba_call_drop(struct ba_call *call)
{
  struct ba_call *dead = NULL;
  ba_lock();
  ba_call_drop_locked(call, &dead);
  ba_unlock();
  ba_call_free_list(dead);
}

/* In a child of fork: the call ends here, whatever the I/O thread held of it
 * is out of reach. */
void ba_call_orphaned_locked(struct ba_call *call, const struct ba_error *why)
{
  if(call->done)
    return;
  call->done = true;
  call->news = BA_CALL_DONE;
  call->commands = 0;
  call->listed = false;
  ba_call_keep_error(call, why);
  call->ok = false;
  call->retryable = true;
  call->ended_at = ba_now();
  if(call->mailbox && call->owned)
    ba_mailbox_report_locked(call->mailbox, call);
}

static void command(struct ba_call *call, unsigned bit)
{
  ba_lock();
  if(!call->done)
    ba_engine_command_locked(call, bit);
  ba_unlock();
}

void ba_call_cancel(struct ba_call *call)
{
  command(call, BA_COMMAND_CANCEL);
}

void ba_call_release(struct ba_call *call)
{
  if(!call)
    return;
  struct ba_call *dead = NULL;
  ba_lock();
  call->owned = false;
  if(!call->done)
    ba_engine_command_locked(call, BA_COMMAND_CANCEL);
  ba_call_drop_locked(call, &dead);
  ba_unlock();
  ba_call_free_list(dead);
}

unsigned ba_call_news(struct ba_call *call)
{
  enum { ONCE = BA_CALL_RESTART | BA_CALL_ASK_TOKEN | BA_CALL_RENEWED };
  ba_lock();
  unsigned news = call->news;
  call->news &= ~(unsigned)ONCE;
  if((news & BA_CALL_RESTART) && call->stream)
    call->stream->restart = false; /* told: from now on it writes anew */
  if(call->records)
    news |= BA_CALL_ATTEMPTED;
  if(call->stream)
    news |= ba_stream_news_locked(call);
  ba_unlock();
  /* also one that an earlier call could not hand on */
  const struct ba_credential *credential = call->client->credential;
  if((news & BA_CALL_DONE) && credential && ba_credential_has_renewed(credential))
    news |= BA_CALL_RENEWED;
  return news;
}

bool ba_call_done(struct ba_call *call)
{
  ba_lock();
  bool done = call->done;
  ba_unlock();
  return done;
}

void ba_call_token_put(struct ba_call *call, bool ok, const struct ba_error *failure)
{
  ba_lock();
  if(!call->done) {
    call->token_ok = ok;
    if(failure && !call->token_error)
      call->token_error = ba_malloc(sizeof(*failure));
    if(failure && call->token_error)
      *call->token_error = *failure;
    ba_engine_command_locked(call, BA_COMMAND_TOKEN);
  }
  ba_unlock();
}

void ba_call_keep_error(struct ba_call *call, const struct ba_error *error)
{
  if(!call->error)
    call->error = ba_malloc(sizeof(*call->error));
  if(call->error)
    *call->error = *error;
}

const struct ba_error *ba_call_error(const struct ba_call *call)
{
  static const struct ba_error nomem = {BA_NOMEM, "ENOMEM", "not enough memory"};
  return call->error ? call->error : &nomem;
}

void ba_call_outcome(struct ba_call *call, struct ba_outcome *out)
{
  static const struct ba_error no_error;
  *out = (struct ba_outcome){
      .ok = call->ok,
      .error = call->ok ? &no_error : ba_call_error(call),
      .status = call->head.status,
      .retryable = call->retryable,
      .maybe_sent = call->sent,
      .retry_after = call->retry_after,
      .attempts = call->attempts,
      .elapsed = call->ended_at - call->started,
      .reused = call->reused,
      .http_version = call->head.version,
      .headers = call->views,
      .header_count = call->view_count,
      .trailers = call->views + call->view_count,
      .trailer_count = call->trailer_count,
      .body = call->sink.body.bytes ? call->sink.body.bytes : "",
      .body_length = call->sink.body.length,
      .body_cut = call->sink.overflowed && call->head.status >= 300,
      .file_bytes = call->request->sink == BA_SINK_FILE ? call->sink.done : 0,
  };
}
