/* The I/O thread: its life, and the turns it makes; fork and exit. Two locks.
 * The first (queue.h) guards what host and I/O thread share. The second, the
 * gate, is held by the I/O thread whenever it works; fork takes both, so that a
 * child finds nothing half done and no lock of libcurl, OpenSSL or a credential
 * taken by a thread that does not exist there. */
#include "engine/engine.h"

#include "base/owner.h"
#include "batchapi/clock.h"
#include "engine/exchange.h"
#include "engine/flow.h"
#include "engine/spares.h"
#include "host/mailboxes.h"
#include "system/pages.h"
#include "system/system.h"
#include "wire/loop.h"
#include "wire/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_BYTES = 512 << 10 };
static const double IDLE_SECONDS = 3600;

static struct {
  pthread_mutex_t gate, life; /* the second: starting and joining */
  pthread_t thread;
  bool running, stop, exiting; /* LOCK */
  struct ba_timers timers;     /* I/O */
  void *heap_lid;
} engine = {.gate = PTHREAD_MUTEX_INITIALIZER, .life = PTHREAD_MUTEX_INITIALIZER};

/* ---- turns --------------------------------------------------------------------- */

static struct ba_call *of_orders(struct ba_orders *orders)
{
  return BA_OWNER(orders, struct ba_call, orders);
}

/* One reference less to each of a list by next_taken. */
static void drop_taken(struct ba_orders *first)
{
  struct ba_call *dead = NULL;
  ba_lock();
  while(first) {
    struct ba_call *call = of_orders(first);
    first = first->next_taken;
    ba_call_drop_locked(call, &dead);
  }
  ba_unlock();
  ba_call_free_list(dead);
}

static void obey(struct ba_orders *first)
{
  for(struct ba_orders *orders = first; orders; orders = orders->next_taken)
    ba_flow_command(of_orders(orders), orders->taken, &engine.timers);
  drop_taken(first); /* the queue's references */
}

/* Calls whose client is closed, or whose mailbox has gone, each with a
 * reference: ending one may end others. */
static struct ba_call *find_swept(void)
{
  struct ba_call *found = NULL;
  ba_lock();
  for(struct ba_call *call = ba_flow_calls(); call; call = call->next) {
    call->orphan = call->mailbox && ba_mailbox_is_deleted(call->mailbox);
    if(!call->orphan && ba_client_is_open(call->client))
      continue;
    call->references++;
    call->next_swept = found;
    found = call;
  }
  ba_unlock();
  return found;
}

static void sweep(void)
{
  struct ba_error closed, cancelled;
  ba_error_set(&closed, BA_CLOSED, NULL, "the client was closed while the call was in flight");
  ba_error_set(&cancelled, BA_CANCELLED, NULL, "cancelled");
  struct ba_call *swept = find_swept();
  ba_token_hold(true, engine.timers.now); /* else each that leaves looks through those left */
  for(struct ba_call *call = swept; call; call = call->next_swept)
    ba_flow_end(call, call->orphan ? &cancelled : &closed);
  ba_token_hold(false, engine.timers.now);
  while(swept) {
    struct ba_call *call = swept;
    swept = call->next_swept;
    ba_call_drop(call);
  }
}

enum turn { TURN_STOP, TURN_AGAIN, TURN_SLEEP };

/* One crossing of the lock per turn: news out, commands in. */
static enum turn exchange(void)
{
  struct ba_call *dead = NULL;
  bool swept;
  ba_lock();
  ba_calls_publish_locked(&dead);
  bool stop = engine.stop;
  struct ba_orders *orders = ba_queue_take_locked(stop, &swept);
  ba_unlock();
  ba_call_free_list(dead);
  bool idle = !orders && !swept;
  if(orders)
    obey(orders);
  if(swept)
    sweep();
  return stop ? TURN_STOP : idle ? TURN_SLEEP : TURN_AGAIN;
}

/* ---- the thread ------------------------------------------------------------- */

static void end_all(void)
{
  struct ba_error closed;
  ba_error_set(&closed, BA_CLOSED, NULL, "the engine was stopped while the call was in flight");
  ba_token_hold(true, engine.timers.now); /* an exchange that ends here is not begun again */
  while(ba_flow_calls())
    ba_flow_end(ba_flow_calls(), &closed);
  ba_token_hold(false, engine.timers.now);
  struct ba_call *dead = NULL;
  ba_lock();
  ba_calls_publish_locked(&dead);
  ba_unlock();
  ba_call_free_list(dead);
}

/* libcurl takes and frees a receive buffer for each transfer. At the top of
 * the thread's heap that makes glibc give pages back and take them again all
 * the time: an eighth of the thread's work at 64 in flight. So the free space
 * that they come from is made to lie below something that stays. The C
 * library's own malloc, because this is about that one. */
static void raise_heap(void)
{
  enum { BLOCKS = 32, BLOCK = 64 << 10 };
  void *blocks[BLOCKS];
  for(int i = 0; i < BLOCKS; i++)
    blocks[i] = malloc(BLOCK);
  /* Kept where the compiler must believe in it. */
  engine.heap_lid = malloc(BLOCK); /* no gap below is large enough for it */
  for(int i = 0; i < BLOCKS; i++)
    free(blocks[i]);
}

static void set_clock(void)
{
  engine.timers.now = ba_now();
}

static void work(int ready)
{
  int done = 0;
  do {
    done = ba_loop_work(done, ready);
    set_clock();
    ba_loop_deliver(ba_transfer_ended);
    ba_timers_run(&engine.timers, engine.timers.now);
  } while(done < ready);
}

static void *run(void *unused)
{
  (void)unused;
  pthread_mutex_lock(&engine.gate);
  ba_pages_hide_heap(); /* libcurl copies a request's head, and wipes nothing */
  raise_heap();
  for(;;) {
    ba_watchdog_start();
    set_clock();
    enum turn turn = exchange();
    if(turn == TURN_STOP)
      break;
    /* Obeying commands left news or took time: look again before sleeping. */
    double limit = turn == TURN_SLEEP ? IDLE_SECONDS : 0;
    pthread_mutex_unlock(&engine.gate);
    int ready = ba_loop_sleep(ba_timers_left(&engine.timers, engine.timers.now, limit));
    pthread_mutex_lock(&engine.gate);
    work(ready);
  }
  end_all();
  ba_queue_close();
  ba_watchdog_stop();
  ba_transfers_end();
  ba_loop_close();
  ba_timers_free(&engine.timers);
  free(engine.heap_lid);
  pthread_mutex_unlock(&engine.gate);
  return NULL;
}

static bool start_thread_locked(struct ba_error *err)
{
  if(!ba_loop_open(err))
    return false;
  sigset_t all_signals, before;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &before);
  engine.stop = false;
  engine.running = true;
  int failure = pthread_create(&engine.thread, &attributes, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if(failure) {
    engine.running = false;
    ba_loop_close();
    return ba_error_errno(err, failure, "the I/O thread cannot be started");
  }
  ba_thread_name(engine.thread, "batchapi-io");
  ba_queue_open_locked(ba_loop_bell());
  return true;
}

/* Their calls have ended already. */
static void drop_late_commands(void)
{
  bool swept;
  ba_lock();
  engine.running = false;
  struct ba_orders *late = ba_queue_take_locked(true, &swept);
  ba_unlock();
  drop_taken(late);
}

void ba_engine_stop(bool for_good)
{
  pthread_mutex_lock(&engine.life);
  ba_lock();
  engine.exiting = engine.exiting || for_good;
  bool running = engine.running && (for_good || !ba_mailboxes_any());
  if(running) {
    engine.stop = true;
    ba_queue_ring_locked();
  }
  ba_unlock();
  if(running) {
    pthread_join(engine.thread, NULL);
    drop_late_commands();
  }
  ba_spares_empty();
  pthread_mutex_unlock(&engine.life);
}

/* Sees to it that the thread runs. One that is being stopped is waited for,
 * without the lock: what was known before may have changed. */
static bool ready_locked(struct ba_error *err)
{
  while(engine.running && engine.stop) {
    ba_unlock();
    pthread_mutex_lock(&engine.life);
    pthread_mutex_unlock(&engine.life);
    ba_lock();
  }
  if(engine.exiting)
    return ba_error_set(err, BA_CLOSED, NULL, "the process is exiting");
  return engine.running || start_thread_locked(err);
}

struct ba_call *ba_call_start(struct ba_client *client, struct ba_mailbox *mailbox,
                              struct ba_request *request, struct ba_error *err)
{
  struct ba_call *call = ba_call_make(client, mailbox, request, err);
  if(!call)
    return NULL;
  ba_lock();
  bool ok = ready_locked(err) && (ba_client_is_open(client) ||
                                  ba_error_set(err, BA_CLOSED, NULL, "the client is closed"));
  if(ok) {
    call->owned = true;
    call->references++; /* the engine's */
    ba_call_command_locked(call, BA_COMMAND_START);
  }
  ba_unlock();
  if(!ok) {
    ba_call_drop(call);
    return NULL;
  }
  ba_count(&client->shared->counters.requests, 1);
  return call;
}

/* ---- fork --------------------------------------------------------------------- */

void ba_engine_before_fork(void)
{
  pthread_mutex_lock(&engine.life);
  pthread_mutex_lock(&engine.gate);
  ba_queue_before_fork();
}

void ba_engine_after_fork(void)
{
  ba_queue_after_fork();
  pthread_mutex_unlock(&engine.gate);
  pthread_mutex_unlock(&engine.life);
}

/* The child has no I/O thread. What it inherited of libcurl is left alone:
 * closing it would say goodbye on the parent's connections. Calls in flight
 * end here as closed, and go on undisturbed in the parent. */
void ba_engine_in_child(void)
{
  struct ba_error closed;
  bool swept;
  ba_error_set(&closed, BA_CLOSED, NULL, "the process was forked while the call was in flight");
  ba_flow_in_child(&closed);
  for(struct ba_orders *orders = ba_queue_take_locked(true, &swept); orders;
      orders = orders->next_taken)
    ba_call_orphaned_locked(of_orders(orders), &closed);
  ba_calls_in_child(&closed);
  ba_queue_in_child();
  memset(&engine, 0, sizeof(engine)); /* its timers' heap is the parent's thread's */
  pthread_mutex_init(&engine.gate, NULL);
  pthread_mutex_init(&engine.life, NULL);
}
