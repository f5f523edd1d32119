/* What a call does next. A call goes NEW -> token -> turn -> RUNS, and from
 * there to its end or, through WAITS_RETRY, to another attempt. Everything
 * here runs in the I/O thread and never inside a callback of libcurl. */
#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "batchapi/random.h"
#include "engine/token.h"
#include "http/retry.h"
#include "wire/classify.h"

#include <stdio.h>
#include <string.h>

/* Without a deadline somebody must draw the line. */
static const double LONGEST_RETRY_AFTER = 3600;

static struct ba_call *call_of(struct ba_timer *timer)
{
  return (struct ba_call *)((char *)timer - offsetof(struct ba_call, timer));
}

/* ---- timers ---------------------------------------------------------------- */

static void arm(struct ba_call *call, double at)
{
  if(call->deadline >= 0 && (at < 0 || call->deadline < at))
    at = call->deadline;
  if(at >= 0)
    ba_timers_set(&ba_engine.timers, &call->timer, at);
  else
    ba_timers_clear(&ba_engine.timers, &call->timer);
}

static double stall_step(const struct ba_call *call)
{
  return call->request->options.stall_timeout / 8;
}

static void end_late(struct ba_call *call)
{
  struct ba_error error;
  double limit = call->request->options.timeout;
  if(!call->error)
    ba_error_set(&error, BA_TIMEOUT, NULL, "no answer within %g s (timeout)", limit);
  else
    ba_error_set(&error, BA_TIMEOUT, NULL, "no answer within %g s (timeout); the last attempt: %s",
                 limit, call->error->message);
  call->retryable = true;
  ba_flow_end(call, &error);
}

static void attempt_failed(struct ba_call *call, struct ba_failure *failure);

/* A server that thinks may be silent as long as the call may last; without a
 * deadline the time counts from the last byte sent. */
static void watch_stall(struct ba_call *call)
{
  struct ba_transfer *transfer = &call->transfer;
  const struct ba_request_options *options = &call->request->options;
  bool silent = ba_transfer_silent(call);
  double limit = silent ? options->silent_timeout : options->stall_timeout;
  int64_t progress = ba_transfer_progress(call);
  if(progress != transfer->progress || ba_transfer_paused(call)) {
    transfer->progress = progress;
    transfer->progress_at = ba_engine.now;
  }
  bool waits = silent && call->deadline >= 0;
  if(waits || ba_engine.now - transfer->progress_at < limit - 0.001) {
    arm(call, ba_engine.now + stall_step(call));
    return;
  }
  struct ba_failure failure = {.reason = BA_RETRY_TIMEOUT, .transient = true, .should_retry = -1};
  if(silent)
    ba_error_set(&failure.error, BA_TIMEOUT, NULL, "no answer within %g s of the last byte sent",
                 limit);
  else
    ba_error_set(&failure.error, BA_TIMEOUT, NULL,
                 "no byte in either direction for %g s (stall_timeout)", limit);
  ba_transfer_inspect(call);
  failure.unaccepted = !transfer->sent;
  call->retry_after = -1;
  attempt_failed(call, &failure);
}

/* Who reads a pipe may be slow, but not stand still for longer than a server. */
static void look_at_pipe(struct ba_call *call)
{
  struct ba_error error;
  double limit = call->request->options.stall_timeout;
  if(ba_engine.now - call->sink.blocked >= limit) {
    ba_error_set(&error, BA_IO, "ETIMEDOUT", "%s: nobody has read from this pipe for %g s",
                 call->request->path, limit);
    call->retryable = false;
    ba_flow_end(call, &error);
    return;
  }
  arm(call, ba_engine.now + stall_step(call));
  ba_transfer_resume(call); /* without room it arms the timer anew */
}

void ba_flow_look_soon(struct ba_call *call)
{
  static const double SOON = 0.002, LATER = 0.05;
  double waited = ba_engine.now - call->sink.blocked;
  arm(call, ba_engine.now + (waited < LATER ? SOON : LATER));
}

static void timer_fired(struct ba_timer *timer)
{
  struct ba_call *call = call_of(timer);
  if(call->deadline >= 0 && ba_engine.now >= call->deadline)
    end_late(call);
  else if(call->state == BA_CALL_RUNS && call->sink.blocked > 0)
    look_at_pipe(call);
  else if(call->state == BA_CALL_RUNS)
    watch_stall(call);
  else if(call->state == BA_CALL_WAITS_RETRY)
    ba_flow_next(call);
}

/* ---- beginning --------------------------------------------------------------- */

static bool open_sources(struct ba_call *call, struct ba_error *err)
{
  struct ba_request *request = call->request;
  if(request->body == BA_BODY_FILE && !ba_source_open(&request->source, err))
    return false;
  for(struct ba_part *part = request->parts; part; part = part->next) {
    if(!ba_source_open(&part->source, err))
      return false;
  }
  return ba_sink_open(call, err);
}

static void link_call(struct ba_call *call)
{
  call->timer.fire = timer_fired;
  call->next = ba_engine.calls;
  if(call->next)
    call->next->previous = call;
  ba_engine.calls = call;
  ba_engine.call_count++;
  ba_engine.streaming += call->stream != NULL;
}

/* Parsing a URL costs more than the rest of this file; most of a client's URLs
 * begin alike, and what was allowed stays so. */
static bool allowed(struct ba_client *client, const char *url)
{
  const char *rest = strstr(url, "://");
  size_t length = rest ? (size_t)(rest - url) + 3 + strcspn(rest + 3, "/?#") : BA_ALLOWED_MAX;
  if(length < BA_ALLOWED_MAX && strncmp(client->allowed, url, length) == 0 &&
     client->allowed[length] == '\0')
    return true;
  if(!ba_credential_allows(client->credential, url))
    return false;
  if(length < BA_ALLOWED_MAX)
    snprintf(client->allowed, BA_ALLOWED_MAX, "%.*s", (int)length, url);
  return true;
}

void ba_flow_proves(struct ba_call *call)
{
  call->proves = call->client->credential && !call->request->options.no_credential &&
                 allowed(call->client, ba_call_url(call));
}

void ba_flow_start(struct ba_call *call)
{
  struct ba_error error;
  link_call(call);
  /* One timer for each call, one for each client that a call may wait at. */
  if(!ba_timers_reserve(&ba_engine.timers, ba_engine.call_count * 2)) {
    ba_error_nomem(&error);
    ba_flow_end(call, &error);
    return;
  }
  ba_flow_proves(call);
  if(!open_sources(call, &error)) {
    ba_flow_end(call, &error);
    return;
  }
  arm(call, -1);
  if(call->request->body == BA_BODY_STREAM)
    ba_engine_news(call, BA_CALL_WRITABLE);
  ba_flow_next(call);
}

void ba_flow_next(struct ba_call *call)
{
  if(!ba_token_ready(call)) {
    call->state = BA_CALL_WAITS_TOKEN;
    arm(call, -1);
    ba_token_wait(call);
    return;
  }
  call->state = BA_CALL_WAITS_TURN;
  arm(call, -1);
  /* A token's exchange is what others wait for: it does not stand in line. */
  if(!call->mailbox || ba_limits_enter(call, call->attempts > 0))
    ba_flow_admitted(call);
}

void ba_flow_admitted(struct ba_call *call)
{
  struct ba_error error;
  if(!ba_token_ready(call)) { /* it ran out while we stood in line */
    ba_limits_leave(call);
    ba_flow_next(call);
    return;
  }
  call->state = BA_CALL_RUNS;
  call->attempts++;
  if(call->mailbox)
    ba_count(&call->client->shared->counters.attempts, 1);
  bool ready = call->attempts == 1 || !call->again || call->again(call, call->user, &error);
  if(!ready || !ba_transfer_start(call, &error)) {
    ba_flow_end(call, &error);
    return;
  }
  arm(call, ba_engine.now + stall_step(call));
}

/* ---- after an attempt ------------------------------------------------------------ */

static bool body_repeats(const struct ba_call *call)
{
  return call->request->body != BA_BODY_STREAM || call->request->restartable ||
         call->transfer.body_taken == 0;
}

static double random_part(void)
{
  uint32_t bits = 0;
  ba_random(&bits, sizeof(bits), NULL);
  return (bits + 1.0) / 4294967297.0;
}

static bool may_repeat(struct ba_call *call, const struct ba_failure *failure)
{
  return ba_retry_allowed(call->request->options.repeat, failure) && body_repeats(call) &&
         call->retries < (unsigned)call->request->options.max_retries;
}

static double delay_for(const struct ba_call *call)
{
  double asked = call->retry_after;
  if(call->transfer.repeated)
    return 0; /* a kept connection that was dead says nothing about the server */
  if(asked > 0)
    return asked + random_part() * (asked < 10 ? asked * 0.1 : 1); /* no two at the same instant */
  return ba_backoff(call->retries, random_part());
}

static bool within_deadline(const struct ba_call *call, double delay)
{
  return call->deadline >= 0 ? ba_engine.now + delay < call->deadline
                             : delay <= LONGEST_RETRY_AFTER;
}

static void wait_for_retry(struct ba_call *call, const struct ba_failure *failure, double delay)
{
  ba_count(&call->client->shared->counters.retries[failure->reason], 1);
  if(call->request->body == BA_BODY_STREAM && call->transfer.body_taken)
    ba_stream_restart(call);
  ba_transfer_stop(call);
  ba_redirect_forget(call);
  call->state = BA_CALL_WAITS_RETRY;
  arm(call, ba_engine.now + delay);
  ba_limits_leave(call);
}

/* A refused token is renewed once, and the request, which was not accepted,
 * is sent once more whatever its class. */
static bool renewed(struct ba_call *call, const struct ba_failure *failure)
{
  if(failure->error.kind != BA_AUTH || !body_repeats(call) || !ba_token_refused(call))
    return false;
  call->renewed = true;
  ba_count(&call->client->shared->counters.retries[BA_RETRY_AUTH], 1);
  ba_records_add(call, &failure->error, 0);
  if(call->request->body == BA_BODY_STREAM && call->transfer.body_taken)
    ba_stream_restart(call);
  ba_transfer_stop(call);
  call->state = BA_CALL_WAITS_TOKEN;
  ba_limits_leave(call);
  ba_flow_next(call);
  return true;
}

static void attempt_failed(struct ba_call *call, struct ba_failure *failure)
{
  ba_call_keep_error(call, &failure->error);
  call->retryable = failure->transient && failure->should_retry != 0;
  if(call->head.status != 403 && renewed(call, failure))
    return;
  if(may_repeat(call, failure)) {
    double delay = delay_for(call);
    if(within_deadline(call, delay)) {
      call->retries++;
      ba_records_add(call, &failure->error, delay);
      wait_for_retry(call, failure, delay);
      return;
    }
  }
  ba_flow_end(call, &failure->error);
}

/* The next hop of the same attempt: it keeps its places. */
static void follow(struct ba_call *call)
{
  struct ba_error error;
  ba_records_add(call, NULL, 0);
  ba_transfer_stop(call);
  if(!ba_token_ready(call)) {
    ba_limits_leave(call);
    ba_flow_next(call);
  } else if(!ba_transfer_start(call, &error)) {
    ba_flow_end(call, &error);
  }
}

void ba_flow_completed(struct ba_call *call, CURLcode code)
{
  struct ba_failure failure;
  ba_transfer_inspect(call);
  call->retry_after = call->head.status >= 300 ? ba_retry_after(&call->head, ba_wall()) : -1;
  if(code == CURLE_OK && ba_redirect_follow(call)) {
    follow(call);
    return;
  }
  if(ba_classify(call, code, &failure))
    ba_flow_end(call, NULL);
  else
    attempt_failed(call, &failure);
}

/* ---- the end ------------------------------------------------------------------------ */

static bool make_views(struct ba_call *call)
{
  size_t count = call->head.count + call->head.trailers;
  if(count > call->view_room) {
    struct ba_header_view *views = ba_realloc(call->views, count * sizeof(*views));
    if(!views)
      return false;
    call->views = views;
    call->view_room = count;
  }
  ba_head_views(&call->head, call->views);
  call->view_count = call->head.count;
  call->trailer_count = call->head.trailers;
  return true;
}

static void unlink_call(struct ba_call *call)
{
  if(call->previous)
    call->previous->next = call->next;
  else
    ba_engine.calls = call->next;
  if(call->next)
    call->next->previous = call->previous;
  call->previous = call->next = NULL;
  ba_engine.call_count--;
  ba_engine.streaming -= call->stream != NULL;
}

/* A server that repeats what it was sent would put a secret into logs. The body
 * of a refusal was looked at when it was read (classify.c). */
static void hide_secrets(struct ba_call *call)
{
  struct ba_credential *credential = call->client->credential;
  struct ba_buffer *head = &call->head.text, *body = &call->sink.body;
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

static void settle(struct ba_call *call, const struct ba_error *error)
{
  struct ba_counters *counters = &call->client->shared->counters;
  call->ok = error == NULL;
  if(error)
    ba_call_keep_error(call, error);
  hide_secrets(call);
  if(!make_views(call) && call->ok) {
    struct ba_error nomem;
    ba_error_nomem(&nomem);
    call->ok = false;
    ba_call_keep_error(call, &nomem);
  }
  call->ended_at = ba_now();
  if(call->mailbox)
    ba_count(call->ok ? &counters->succeeded : &counters->failed, 1);
}

static void publish_end(struct ba_call *call)
{
  if(call->mailbox) {
    ba_engine_news(call, BA_CALL_DONE);
    return;
  }
  if(call->ended)
    call->ended(call, call->user);
  ba_lock();
  call->done = true;
  ba_unlock();
  ba_call_drop(call);
}

void ba_flow_end(struct ba_call *call, const struct ba_error *error)
{
  if(call->state == BA_CALL_ENDED)
    return;
  struct ba_error kept;
  if(error) { /* it may live in what is taken apart here */
    kept = *error;
    error = &kept;
  }
  if(call->state == BA_CALL_RUNS) {
    ba_transfer_inspect(call);
    ba_records_add(call, error, -1);
  }
  call->state = BA_CALL_ENDED;
  ba_transfer_stop(call);
  ba_timers_clear(&ba_engine.timers, &call->timer);
  ba_token_abandon(call);
  ba_limits_abandon(call);
  ba_sink_close(call);
  settle(call, error);
  unlink_call(call);
  ba_limits_leave(call);
  publish_end(call);
}

/* A producer that has failed ends the call wherever it stands. */
static void producer_failed(struct ba_call *call)
{
  struct ba_error error;
  ba_lock();
  bool failed = call->stream && call->stream->out_failed;
  if(failed)
    error = call->stream->out_error;
  ba_unlock();
  if(failed)
    ba_flow_end(call, &error);
}

void ba_flow_command(struct ba_call *call, unsigned commands)
{
  if(commands & BA_COMMAND_START)
    ba_flow_start(call);
  if(call->state == BA_CALL_ENDED)
    return;
  if(commands & BA_COMMAND_CANCEL) {
    struct ba_error error;
    ba_error_set(&error, BA_CANCELLED, NULL, "cancelled");
    call->retryable = false;
    ba_flow_end(call, &error);
    return;
  }
  if(commands & BA_COMMAND_TOKEN)
    ba_token_answered(call);
  if((commands & BA_COMMAND_RESUME) && call->state == BA_CALL_RUNS)
    ba_transfer_resume(call);
  if((commands & BA_COMMAND_RESUME) && call->state != BA_CALL_ENDED)
    producer_failed(call);
}
