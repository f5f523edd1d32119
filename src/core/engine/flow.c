#include "engine/flow.h"

#include "base/owner.h"
#include "batchapi/clock.h"
#include "batchapi/random.h"
#include "http/retry.h"
#include "wire/classify.h"
#include "wire/redirect.h"
#include "wire/stall.h"

/* Without a deadline somebody must draw the line. */
static const double LONGEST_RETRY_AFTER = 3600;

static struct ba_call *calls; /* I/O: all that run */
static size_t call_count;

static void next(struct ba_call *call);
static void begin_attempt(struct ba_call *call);
static void on_done(struct ba_transfer *transfer);

/* ---- timers ---------------------------------------------------------------- */

static void arm(struct ba_call *call, double at)
{
  if(call->deadline >= 0 && (at < 0 || call->deadline < at))
    at = call->deadline;
  if(at >= 0)
    ba_timers_set(call->timers, &call->timer, at);
  else
    ba_timers_clear(call->timers, &call->timer);
}

static void end_late(struct ba_call *call)
{
  struct ba_error error;
  double limit = call->transfer.request->options.timeout;
  if(!call->error)
    ba_error_set(&error, BA_TIMEOUT, NULL, "no answer within %g s (timeout)", limit);
  else
    ba_error_set(&error, BA_TIMEOUT, NULL, "no answer within %g s (timeout); the last attempt: %s",
                 limit, call->error->message);
  call->retryable = true;
  ba_flow_end(call, &error);
}

static void attempt_failed(struct ba_call *call, struct ba_failure *failure);

static void watch_stall(struct ba_call *call)
{
  struct ba_failure failure;
  if(!ba_has_stalled(&call->transfer, call->deadline >= 0, call->timers->now, &failure)) {
    arm(call, call->timers->now + ba_stall_step(&call->transfer));
    return;
  }
  ba_call_take_stock(call);
  failure.unaccepted = !call->transfer.sent;
  call->retry_after = -1;
  attempt_failed(call, &failure);
}

/* Who reads a pipe may be slow, but not stand still for longer than a server. */
static void look_at_pipe(struct ba_call *call)
{
  struct ba_error error;
  double limit = call->transfer.request->options.stall_timeout;
  if(call->timers->now - call->transfer.sink.blocked >= limit) {
    ba_error_set(&error, BA_IO, "ETIMEDOUT", "%s: nobody has read from this pipe for %g s",
                 call->transfer.request->path, limit);
    call->retryable = false;
    ba_flow_end(call, &error);
    return;
  }
  arm(call, call->timers->now + ba_stall_step(&call->transfer));
  ba_transfer_resume(&call->transfer, call->timers->now); /* without room it arms the timer anew */
}

static void on_blocked(struct ba_transfer *transfer)
{
  struct ba_call *call = BA_OWNER(transfer, struct ba_call, transfer);
  static const double SOON = 0.002, LATER = 0.05;
  double waited = call->timers->now - call->transfer.sink.blocked;
  arm(call, call->timers->now + (waited < LATER ? SOON : LATER));
}

static void timer_fired(struct ba_timer *timer)
{
  struct ba_call *call = BA_OWNER(timer, struct ba_call, timer);
  if(call->deadline >= 0 && call->timers->now >= call->deadline)
    end_late(call);
  else if(call->state == BA_CALL_RUNS && call->transfer.sink.blocked > 0)
    look_at_pipe(call);
  else if(call->state == BA_CALL_RUNS)
    watch_stall(call);
  else if(call->state == BA_CALL_WAITS_RETRY)
    next(call);
}

/* ---- beginning --------------------------------------------------------------- */

static void link_call(struct ba_call *call)
{
  call->next = calls;
  if(call->next)
    call->next->previous = call;
  calls = call;
  call_count++;
}

static void proves(struct ba_call *call)
{
  call->transfer.proves = call->client->credential &&
                          !call->transfer.request->options.no_credential &&
                          ba_client_allows(call->client, ba_transfer_url(&call->transfer));
}

/* ---- a token, a turn ------------------------------------------------------------- */

static struct ba_call *of_wait(struct ba_token_wait *wait)
{
  return BA_OWNER(wait, struct ba_call, wait);
}

static void on_token(struct ba_token_wait *wait)
{
  next(of_wait(wait));
}

static void on_no_token(struct ba_token_wait *wait, const struct ba_error *why)
{
  ba_flow_end(of_wait(wait), why);
}

static void on_token_passes(struct ba_token_wait *wait, bool passes, double retry_after)
{
  of_wait(wait)->retryable = passes;
  of_wait(wait)->retry_after = retry_after;
}

static void on_asked(struct ba_token_wait *wait, bool renewed)
{
  ba_call_tell(of_wait(wait), renewed ? BA_CALL_RENEWED : BA_CALL_ASK_TOKEN);
}

static bool is_open(struct ba_token_wait *wait)
{
  ba_lock();
  bool open = ba_client_is_open(of_wait(wait)->client);
  ba_unlock();
  return open;
}

static const struct ba_token_waiter waiter = {on_token, on_no_token, on_token_passes, on_asked,
                                              is_open};

static bool has_token(const struct ba_call *call)
{
  return !call->transfer.proves || ba_token_is_ready(call->transfer.credential, call->timers->now);
}

static void wait_for_token(struct ba_call *call)
{
  struct ba_error error;
  if(ba_token_wait(&call->wait, call->transfer.credential, call->timers->now))
    return;
  ba_error_nomem(&error);
  ba_flow_end(call, &error);
}

static bool token_was_refused(const struct ba_call *call)
{
  return call->transfer.carries_token && !call->renewed &&
         ba_credential_reject(call->transfer.credential, call->transfer.generation);
}

static void on_turn(struct ba_ticket *ticket)
{
  begin_attempt(BA_OWNER(ticket, struct ba_call, ticket));
}

static void set_up(struct ba_call *call, struct ba_timers *timers)
{
  call->timers = timers;
  call->timer.fire = timer_fired;
  call->wait.waiter = &waiter;
  call->ticket.limits = &call->client->shared->limits;
  call->ticket.weights = call->transfer.request->options.weights;
  call->ticket.most = call->client->max_connections;
  call->ticket.admitted = on_turn;
  call->transfer.done = on_done;
  call->transfer.blocked = on_blocked;
}

void ba_flow_start(struct ba_call *call, struct ba_timers *timers)
{
  struct ba_error error;
  set_up(call, timers);
  link_call(call);
  /* One timer for each call, one for each client that a call may wait at. */
  if(!ba_timers_reserve(call->timers, call_count * 2)) {
    ba_error_nomem(&error);
    ba_flow_end(call, &error);
    return;
  }
  proves(call);
  if(!ba_request_open(call->transfer.request, &error) ||
     !ba_sink_open(&call->transfer.sink, &error)) {
    ba_flow_end(call, &error);
    return;
  }
  arm(call, -1);
  if(call->transfer.request->body == BA_BODY_STREAM)
    ba_call_tell(call, BA_CALL_WRITABLE);
  next(call);
}

static void next(struct ba_call *call)
{
  if(!has_token(call)) {
    call->state = BA_CALL_WAITS_TOKEN;
    arm(call, -1);
    wait_for_token(call);
    return;
  }
  call->state = BA_CALL_WAITS_TURN;
  arm(call, -1);
  /* A token's exchange is what others wait for: it does not stand in line. */
  if(!call->mailbox || ba_ticket_enter(&call->ticket, call->attempts > 0, call->timers))
    begin_attempt(call);
}

static void begin_attempt(struct ba_call *call)
{
  struct ba_error error;
  if(!has_token(call)) { /* it ran out while we stood in line */
    ba_ticket_leave(&call->ticket);
    next(call);
    return;
  }
  call->state = BA_CALL_RUNS;
  call->attempts++;
  if(call->mailbox)
    ba_count(&call->client->shared->counters.attempts, 1);
  bool ready = call->attempts == 1 || !call->own || !call->own->again ||
               call->own->again(call, call->user, &error);
  if(!ready || !ba_transfer_start(&call->transfer, call->timers->now, &error)) {
    ba_flow_end(call, &error);
    return;
  }
  arm(call, call->timers->now + ba_stall_step(&call->transfer));
}

/* ---- after an attempt ------------------------------------------------------------ */

/* The producer begins again, unless nothing of it was taken yet. */
static void restart_body(struct ba_call *call)
{
  if(!ba_stream_taken(call->transfer.stream))
    return;
  ba_stream_restart(call->transfer.stream);
  ba_call_tell(call, BA_CALL_RESTART);
}

static double random_part(void)
{
  uint32_t bits = 0;
  ba_random(&bits, sizeof(bits), NULL);
  return (bits + 1.0) / 4294967297.0;
}

static bool may_repeat(struct ba_call *call, const struct ba_failure *failure)
{
  return ba_retry_allowed(call->transfer.request->options.repeat, failure) &&
         ba_transfer_repeats(&call->transfer) &&
         call->retries < (unsigned)call->transfer.request->options.max_retries;
}

/* A kept connection that was dead says nothing about the server. */
static double delay_for(const struct ba_call *call)
{
  return call->transfer.repeated ? 0
                                 : ba_retry_delay(call->retry_after, call->retries, random_part());
}

static bool within_deadline(const struct ba_call *call, double delay)
{
  return call->deadline >= 0 ? call->timers->now + delay < call->deadline
                             : delay <= LONGEST_RETRY_AFTER;
}

static void wait_for_retry(struct ba_call *call, const struct ba_failure *failure, double delay)
{
  ba_count(&call->client->shared->counters.retries[failure->reason], 1);
  restart_body(call);
  ba_transfer_stop(&call->transfer);
  if(ba_redirect_forget(&call->transfer))
    proves(call);
  call->state = BA_CALL_WAITS_RETRY;
  arm(call, call->timers->now + delay);
  ba_ticket_leave(&call->ticket);
}

/* A refused token is renewed once, and the request, which was not accepted,
 * is sent once more whatever its class. */
static bool renewed(struct ba_call *call, const struct ba_failure *failure)
{
  if(failure->error.kind != BA_AUTH || !ba_transfer_repeats(&call->transfer) ||
     !token_was_refused(call))
    return false;
  call->renewed = true;
  ba_count(&call->client->shared->counters.retries[BA_RETRY_AUTH], 1);
  ba_call_keep_record(call, &failure->error, 0);
  restart_body(call);
  ba_transfer_stop(&call->transfer);
  call->state = BA_CALL_WAITS_TOKEN;
  ba_ticket_leave(&call->ticket);
  next(call);
  return true;
}

static void attempt_failed(struct ba_call *call, struct ba_failure *failure)
{
  ba_call_keep_error(call, &failure->error);
  call->retryable = failure->transient && failure->should_retry != 0;
  if(call->transfer.head.status != 403 && renewed(call, failure))
    return;
  if(may_repeat(call, failure)) {
    double delay = delay_for(call);
    if(within_deadline(call, delay)) {
      call->retries++;
      ba_call_keep_record(call, &failure->error, delay);
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
  ba_call_keep_record(call, NULL, 0);
  ba_transfer_stop(&call->transfer);
  if(!has_token(call)) {
    ba_ticket_leave(&call->ticket);
    next(call);
  } else if(!ba_transfer_start(&call->transfer, call->timers->now, &error)) {
    ba_flow_end(call, &error);
  }
}

static void on_done(struct ba_transfer *transfer)
{
  struct ba_call *call = BA_OWNER(transfer, struct ba_call, transfer);
  struct ba_failure failure;
  ba_call_take_stock(call);
  call->retry_after =
      transfer->head.status >= 300 ? ba_retry_after(&transfer->head, ba_wall()) : -1;
  if(ba_came_through(transfer) && ba_redirect_follow(transfer)) {
    proves(call);
    follow(call);
    return;
  }
  if(ba_classify(transfer, &failure))
    ba_flow_end(call, NULL);
  else
    attempt_failed(call, &failure);
}

/* ---- the end ------------------------------------------------------------------------ */

static void unlink_call(struct ba_call *call)
{
  if(call->previous)
    call->previous->next = call->next;
  else
    calls = call->next;
  if(call->next)
    call->next->previous = call->previous;
  call->previous = call->next = NULL;
  call_count--;
}

static void publish_end(struct ba_call *call)
{
  if(call->mailbox) {
    ba_call_tell(call, BA_CALL_DONE);
    return;
  }
  call->own->ended(call, call->user);
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
    ba_call_take_stock(call);
    ba_call_keep_record(call, error, -1);
  }
  call->state = BA_CALL_ENDED;
  ba_transfer_stop(&call->transfer);
  ba_timers_clear(call->timers, &call->timer);
  ba_token_abandon(&call->wait, call->timers->now);
  ba_ticket_abandon(&call->ticket);
  ba_sink_close(&call->transfer.sink);
  ba_stream_close(call->transfer.stream);
  ba_call_settle(call, error);
  unlink_call(call);
  ba_ticket_leave(&call->ticket);
  publish_end(call);
}

/* A producer that has failed ends the call wherever it stands. */
static void look_at_producer(struct ba_call *call)
{
  struct ba_error error;
  if(ba_stream_has_failed(call->transfer.stream, &error))
    ba_flow_end(call, &error);
}

static void token_answered(struct ba_call *call)
{
  struct ba_error failure;
  ba_lock();
  bool ok = call->token_ok;
  ba_error_nomem(&failure);
  if(call->token_error)
    failure = *call->token_error;
  ba_unlock();
  ba_token_answered(&call->wait, ok ? NULL : &failure, call->timers->now);
}

static void cancel(struct ba_call *call)
{
  struct ba_error error;
  ba_error_set(&error, BA_CANCELLED, NULL, "cancelled");
  call->retryable = false;
  ba_flow_end(call, &error);
}

void ba_flow_command(struct ba_call *call, unsigned commands, struct ba_timers *timers)
{
  if(commands & BA_COMMAND_START)
    ba_flow_start(call, timers);
  if(call->state == BA_CALL_ENDED)
    return;
  if(commands & BA_COMMAND_CANCEL) {
    cancel(call);
    return;
  }
  if(commands & BA_COMMAND_TOKEN)
    token_answered(call);
  if((commands & BA_COMMAND_RESUME) && call->state == BA_CALL_RUNS)
    ba_transfer_resume(&call->transfer, call->timers->now);
  if((commands & BA_COMMAND_RESUME) && call->state != BA_CALL_ENDED)
    look_at_producer(call);
}

struct ba_call *ba_flow_calls(void)
{
  return calls;
}

void ba_flow_in_child(const struct ba_error *why)
{
  for(struct ba_call *call = calls; call; call = call->next)
    ba_call_orphaned_locked(call, why);
  calls = NULL;
  call_count = 0;
}
