/* The host's side of a call: making it, commands, news, the outcome. */
#include "engine/call_state.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "engine/spares.h"

static struct ba_call *fresh; /* I/O: those with news to be published */

/* ---- making and freeing ----------------------------------------------------- */

static void on_stream(void *user, enum ba_stream_news news)
{
  ba_call_tell(user, news == BA_STREAM_READABLE ? BA_CALL_READABLE : BA_CALL_WRITABLE);
}

static bool prepare(struct ba_call *call, struct ba_error *err)
{
  const struct ba_request *request = call->transfer.request;
  bool produced = request->body == BA_BODY_STREAM;
  ba_transfer_init(&call->transfer);
  call->started = ba_now();
  call->deadline = request->options.timeout > 0 ? call->started + request->options.timeout : -1;
  call->retry_after = -1;
  ba_records_init(&call->records);
  if(request->sink != BA_SINK_STREAM && !produced)
    return true;
  call->transfer.stream = ba_stream_new(produced, request->stream_length, on_stream, call, err);
  return call->transfer.stream != NULL;
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
  call->notice.id = ba_new_id();
  call->client = client;
  call->mailbox = mailbox;
  call->references = 1;
  call->transfer.request = request;
  call->transfer.network = &client->network;
  call->transfer.credential = client->credential;
  call->prepared = prepare(call, err);
  return call;
}

/* What a call counts on, once it is known to live. */
static void hold_locked(struct ba_call *call)
{
  ba_client_retain_locked(call->client);
  if(call->mailbox)
    ba_mailbox_retain(call->mailbox);
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

uint64_t ba_call_id(const struct ba_call *call)
{
  return call->notice.id;
}

static void call_free(struct ba_call *call)
{
  ba_request_delete(call->transfer.request);
  ba_transfer_free(&call->transfer);
  ba_records_free(&call->records);
  ba_free(call->error);
  ba_free(call->token_error);
  if(call->mailbox)
    ba_mailbox_release(call->mailbox);
  ba_lock();
  struct ba_client *unused = ba_client_release_locked(call->client) ? call->client : NULL;
  bool kept = ba_spares_keep_locked(call);
  ba_unlock();
  if(unused)
    ba_client_free(unused);
  if(!kept)
    ba_spares_free(call);
}

void ba_call_drop_locked(struct ba_call *call, struct ba_call **dead)
{
  if(--call->references > 0)
    return;
  call->next_dead = *dead;
  *dead = call;
}

void ba_call_free_list(struct ba_call *dead)
{
  while(dead) {
    struct ba_call *call = dead;
    dead = call->next_dead;
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

/* ---- news out ---------------------------------------------------------------- */

void ba_call_tell(struct ba_call *call, unsigned news)
{
  call->fresh_news |= news;
  if(call->listed || !call->mailbox)
    return;
  call->listed = true;
  call->next_fresh = fresh;
  fresh = call;
}

void ba_calls_publish_locked(struct ba_call **dead)
{
  while(fresh) {
    struct ba_call *call = fresh;
    fresh = call->next_fresh;
    call->listed = false;
    call->news |=
        call->fresh_news & (BA_CALL_DONE | BA_CALL_RESTART | BA_CALL_ASK_TOKEN | BA_CALL_RENEWED);
    bool done = call->fresh_news & BA_CALL_DONE;
    call->fresh_news = 0;
    if(done)
      call->done = true;
    if(call->owned)
      ba_mailbox_post(call->mailbox, &call->notice);
    if(done)
      ba_call_drop_locked(call, dead); /* the engine's reference */
  }
}

void ba_call_orphaned_locked(struct ba_call *call, const struct ba_error *why)
{
  if(call->done)
    return;
  call->done = true;
  call->news = BA_CALL_DONE;
  call->orders.waiting = 0;
  call->listed = false;
  ba_call_keep_error(call, why);
  call->ok = false;
  call->retryable = true;
  call->ended_at = ba_now();
  if(call->mailbox && call->owned)
    ba_mailbox_post(call->mailbox, &call->notice);
}

void ba_calls_in_child(const struct ba_error *why)
{
  for(struct ba_call *call = fresh; call; call = call->next_fresh)
    ba_call_orphaned_locked(call, why);
  fresh = NULL;
}

/* ---- commands in --------------------------------------------------------------- */

void ba_call_command_locked(struct ba_call *call, unsigned command)
{
  if(ba_queue_put_locked(&call->orders, command))
    call->references++;
}

static void command(struct ba_call *call, unsigned bit)
{
  ba_lock();
  if(!call->done)
    ba_call_command_locked(call, bit);
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
  ba_lock();
  call->owned = false;
  if(!call->done)
    ba_call_command_locked(call, BA_COMMAND_CANCEL);
  ba_unlock();
  if(call->mailbox)
    ba_mailbox_withdraw(call->mailbox, &call->notice);
  ba_call_drop(call);
}

static unsigned stream_news(struct ba_stream *stream)
{
  unsigned holds = ba_stream_news(stream);
  return (holds & BA_STREAM_READABLE ? BA_CALL_READABLE : 0u) |
         (holds & BA_STREAM_WRITABLE ? BA_CALL_WRITABLE : 0u);
}

unsigned ba_call_news(struct ba_call *call)
{
  enum { ONCE = BA_CALL_RESTART | BA_CALL_ASK_TOKEN | BA_CALL_RENEWED };
  ba_lock();
  unsigned news = call->news;
  call->news &= ~(unsigned)ONCE;
  if(call->records.first)
    news |= BA_CALL_ATTEMPTED;
  ba_unlock();
  if(news & BA_CALL_RESTART)
    ba_stream_told_restart(call->transfer.stream);
  news |= stream_news(call->transfer.stream);
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
    ba_call_command_locked(call, BA_COMMAND_TOKEN);
  }
  ba_unlock();
}

/* ---- streams ----------------------------------------------------------------- */

bool ba_call_read(struct ba_call *call, struct ba_buffer *chunk)
{
  bool resume, some = ba_stream_read(call->transfer.stream, chunk, &resume);
  if(resume)
    command(call, BA_COMMAND_RESUME);
  return some;
}

size_t ba_call_write(struct ba_call *call, const void *bytes, size_t length)
{
  bool resume;
  size_t taken = ba_stream_write(call->transfer.stream, bytes, length, &resume);
  if(resume)
    command(call, BA_COMMAND_RESUME);
  return taken;
}

void ba_call_write_end(struct ba_call *call)
{
  bool resume;
  ba_stream_write_end(call->transfer.stream, &resume);
  if(resume)
    command(call, BA_COMMAND_RESUME);
}

void ba_call_write_fail(struct ba_call *call, const struct ba_error *failure)
{
  if(!call->transfer.stream)
    return;
  ba_stream_write_fail(call->transfer.stream, failure);
  command(call, BA_COMMAND_RESUME);
}

bool ba_call_next_attempt(struct ba_call *call, struct ba_attempt *out)
{
  return ba_records_next(&call->records, out);
}
