/* The I/O thread: its life, the queue of commands into it, the news out of it,
 * fork and exit. Two locks. The first guards what host and I/O thread share.
 * The second, the gate, is held by the I/O thread whenever it works; fork
 * takes both, so that a child finds nothing half done and no lock of libcurl,
 * OpenSSL or a credential taken by a thread that does not exist there. */
#include "wire/internal.h"

#include "batchapi/alloc.h"
#include "batchapi/clock.h"
#include "batchapi/libcurl.h"
#include "engine/token.h"
#include "wire/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <openssl/crypto.h>

enum { STACK_BYTES = 512 << 10 };
static const double IDLE_SECONDS = 3600;

struct ba_engine ba_engine = {.epoll = -1, .wake = -1, .curl_timer = -1};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER; /* starting and joining */
static pthread_t thread;
static bool exiting;       /* under the lock */
static bool wake_due;      /* under the lock: ba_unlock() wakes the I/O thread */
static atomic_uint waking; /* who is about to write to its descriptor */

void ba_lock(void)
{
  pthread_mutex_lock(&lock);
}

/* The I/O thread is woken outside the lock, which it would take at once. */
void ba_unlock(void)
{
  bool due = wake_due && ba_engine.wake >= 0;
  wake_due = false;
  if(due)
    atomic_fetch_add(&waking, 1); /* it is not closed before this is taken back */
  int fd = ba_engine.wake;
  pthread_mutex_unlock(&lock);
  if(due) {
    eventfd_write(fd, 1);
    atomic_fetch_sub(&waking, 1);
  }
}

/* ---- news out ------------------------------------------------------------ */

void ba_engine_news(struct ba_call *call, unsigned news)
{
  call->fresh_news |= news;
  if(call->listed || !call->mailbox)
    return;
  call->listed = true;
  call->next_fresh = ba_engine.fresh;
  ba_engine.fresh = call;
}

static void publish_locked(struct ba_call **dead)
{
  while(ba_engine.fresh) {
    struct ba_call *call = ba_engine.fresh;
    ba_engine.fresh = call->next_fresh;
    call->listed = false;
    call->news |= call->fresh_news & (BA_CALL_DONE | BA_CALL_ASK_TOKEN | BA_CALL_RENEWED);
    bool done = call->fresh_news & BA_CALL_DONE;
    call->fresh_news = 0;
    if(done)
      call->done = true;
    if(call->owned)
      ba_mailbox_report_locked(call->mailbox, call);
    if(done)
      ba_call_drop_locked(call, dead); /* the engine's reference */
  }
}

/* ---- commands in ----------------------------------------------------------- */

static bool start_thread_locked(struct ba_error *err);

static void wake_locked(void)
{
  if(!ba_engine.sleeping)
    return;
  ba_engine.sleeping = false;
  eventfd_write(ba_engine.wake, 1);
}

bool ba_engine_ready_locked(struct ba_error *err)
{
  while(ba_engine.running && ba_engine.stop) {
    ba_unlock();
    pthread_mutex_lock(&life);
    pthread_mutex_unlock(&life);
    ba_lock();
  }
  if(exiting)
    return ba_error_set(err, BA_CLOSED, NULL, "the process is exiting");
  return ba_engine.running || start_thread_locked(err);
}

void ba_engine_command_locked(struct ba_call *call, unsigned command)
{
  bool queued = call->commands != 0;
  call->commands |= command;
  if(!queued) {
    call->references++;
    call->next_command = NULL;
    if(ba_engine.first_command)
      ba_engine.last_command->next_command = call;
    else
      ba_engine.first_command = call;
    ba_engine.last_command = call;
  }
  wake_due = wake_due || ba_engine.sleeping;
  ba_engine.sleeping = false;
}

/* One reference less to each of a list by next_obeyed. */
static void drop_obeyed(struct ba_call *first)
{
  struct ba_call *dead = NULL;
  ba_lock();
  while(first) {
    struct ba_call *call = first;
    first = call->next_obeyed;
    ba_call_drop_locked(call, &dead);
  }
  ba_unlock();
  ba_call_free_list(dead);
}

void ba_engine_sweep(void)
{
  ba_lock();
  ba_engine.sweep = true;
  if(ba_engine.running)
    wake_locked();
  ba_unlock();
}

/* Calls whose client is closed, or whose mailbox has gone, in the list of
 * those that are obeyed, each with a reference: ending one may end others. */
static struct ba_call *find_swept(void)
{
  struct ba_call *found = NULL;
  ba_lock();
  for(struct ba_call *call = ba_engine.calls; call; call = call->next) {
    bool gone = call->mailbox && call->mailbox->dead;
    if(!gone && !call->client->closed)
      continue;
    call->obeyed = gone ? BA_COMMAND_CANCEL : 0;
    call->references++;
    call->next_obeyed = found;
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
  ba_token_hold(true); /* else each that leaves would look through those that are left */
  for(struct ba_call *call = swept; call; call = call->next_obeyed)
    ba_flow_end(call, call->obeyed ? &cancelled : &closed);
  ba_token_hold(false);
  drop_obeyed(swept);
}

/* The queue becomes a list of our own: its calls may be queued again at once. */
static struct ba_call *take_commands_locked(void)
{
  struct ba_call *first = ba_engine.first_command, *last = NULL;
  for(struct ba_call *call = first; call; call = call->next_command) {
    call->obeyed = call->commands;
    call->commands = 0;
    if(last)
      last->next_obeyed = call;
    last = call;
    call->next_obeyed = NULL;
  }
  ba_engine.first_command = ba_engine.last_command = NULL;
  return first;
}

static void obey(struct ba_call *commands)
{
  for(struct ba_call *call = commands; call; call = call->next_obeyed)
    ba_flow_command(call, call->obeyed);
  drop_obeyed(commands); /* the queue's references */
}

enum turn { TURN_STOP, TURN_AGAIN, TURN_SLEEP };

/* One crossing of the lock per turn: news out, commands in. */
static enum turn exchange(void)
{
  struct ba_call *dead = NULL;
  ba_lock();
  publish_locked(&dead);
  struct ba_call *commands = take_commands_locked();
  bool swept = ba_engine.sweep, stop = ba_engine.stop;
  ba_engine.sweep = false;
  bool sleeping = !commands && !swept && !stop;
  ba_engine.sleeping = sleeping;
  ba_unlock();
  ba_call_free_list(dead);
  if(commands)
    obey(commands);
  if(swept)
    sweep();
  return stop ? TURN_STOP : sleeping ? TURN_SLEEP : TURN_AGAIN;
}

/* ---- the thread ------------------------------------------------------------- */

static void end_all(void)
{
  struct ba_error closed;
  ba_error_set(&closed, BA_CLOSED, NULL, "the engine was stopped while the call was in flight");
  ba_token_hold(true); /* an exchange that ends here is not begun again */
  while(ba_engine.calls)
    ba_flow_end(ba_engine.calls, &closed);
  ba_token_hold(false);
  struct ba_call *dead = NULL;
  ba_lock();
  publish_locked(&dead);
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
  ba_engine.heap_lid = malloc(BLOCK); /* no gap below is large enough for it */
  for(int i = 0; i < BLOCKS; i++)
    free(blocks[i]);
}

static void *run(void *unused)
{
  (void)unused;
  pthread_mutex_lock(&gate);
  raise_heap();
  for(;;) {
    ba_watchdog_start();
    ba_engine.now = ba_now();
    enum turn turn = exchange();
    if(turn == TURN_STOP)
      break;
    /* Obeying commands left news or took time: look again before sleeping. */
    double limit = turn == TURN_SLEEP ? IDLE_SECONDS : 0;
    pthread_mutex_unlock(&gate);
    int ready = ba_loop_sleep(ba_timers_left(&ba_engine.timers, ba_engine.now, limit));
    pthread_mutex_lock(&gate);
    ba_engine.now = ba_now();
    ba_loop_work(ready);
    ba_timers_run(&ba_engine.timers, ba_engine.now);
  }
  end_all();
  while(atomic_load(&waking)) /* for the length of one write */
    sched_yield();
  ba_watchdog_stop();
  ba_loop_close();
  free(ba_engine.heap_lid);
  pthread_mutex_unlock(&gate);
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
  ba_engine.stop = false;
  ba_engine.running = true;
  int failure = pthread_create(&thread, &attributes, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if(failure) {
    ba_engine.running = false;
    ba_loop_close();
    return ba_error_errno(err, failure, "the I/O thread cannot be started");
  }
  pthread_setname_np(thread, "batchapi-io");
  return true;
}

static void drop_late_commands(void)
{
  struct ba_call *dead = NULL;
  ba_lock();
  ba_engine.running = false;
  while(ba_engine.first_command) {
    struct ba_call *call = ba_engine.first_command;
    ba_engine.first_command = call->next_command;
    call->commands = 0; /* its call has ended already */
    ba_call_drop_locked(call, &dead);
  }
  ba_engine.last_command = NULL;
  ba_unlock();
  ba_call_free_list(dead);
}

static void stop_thread(bool for_good)
{
  pthread_mutex_lock(&life);
  ba_lock();
  exiting = exiting || for_good;
  bool running = ba_engine.running && (for_good || !ba_mailboxes_any_locked());
  if(running) {
    ba_engine.stop = true;
    wake_locked();
  }
  ba_unlock();
  if(running) {
    pthread_join(thread, NULL);
    drop_late_commands();
  }
  ba_spares_empty();
  pthread_mutex_unlock(&life);
}

void ba_engine_last_mailbox(void)
{
  stop_thread(false);
}

static void at_exit(void)
{
  stop_thread(true);
}

/* ---- fork and exit ------------------------------------------------------------ */

static void before_fork(void)
{
  pthread_mutex_lock(&life);
  pthread_mutex_lock(&gate);
  pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
  pthread_mutex_unlock(&lock);
  pthread_mutex_unlock(&gate);
  pthread_mutex_unlock(&life);
}

/* The child has no I/O thread. What it inherited of libcurl is left alone:
 * closing it would say goodbye on the parent's connections. Calls in flight
 * end here as closed, and go on undisturbed in the parent. */
static void after_fork_child(void)
{
  struct ba_error closed;
  ba_error_set(&closed, BA_CLOSED, NULL, "the process was forked while the call was in flight");
  ba_mailboxes_after_fork();
  ba_clients_after_fork();
  ba_loop_after_fork();
  ba_watchdog_after_fork();
  ba_token_after_fork();
  for(struct ba_call *call = ba_engine.calls; call; call = call->next)
    ba_call_orphaned_locked(call, &closed);
  for(struct ba_call *call = ba_engine.first_command; call; call = call->next_command)
    ba_call_orphaned_locked(call, &closed);
  for(struct ba_call *call = ba_engine.fresh; call; call = call->next_fresh)
    ba_call_orphaned_locked(call, &closed); /* its end was not told yet */
  ba_engine = (struct ba_engine){.epoll = -1, .wake = -1, .curl_timer = -1};
  atomic_store(&waking, 0);
  pthread_mutex_init(&lock, NULL);
  pthread_mutex_init(&gate, NULL);
  pthread_mutex_init(&life, NULL);
}

static bool same_openssl(struct ba_error *err)
{
  const char *curls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  char ours[64];
  snprintf(ours, sizeof(ours), "OpenSSL/%u.%u.%u", OPENSSL_version_major(), OPENSSL_version_minor(),
           OPENSSL_version_patch());
  if(curls && strcmp(curls, ours) == 0)
    return true;
  return ba_error_set(err, BA_TLS, NULL, "libcurl uses %s, but this process runs with %s",
                      curls ? curls : "no TLS", ours);
}

bool ba_engine_load(struct ba_error *err)
{
  static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
  static bool loaded;
  pthread_mutex_lock(&once);
  bool ok = loaded;
  if(!ok) {
    ok = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ||
         ba_error_set(err, BA_TLS, NULL, "libcurl cannot be started");
    ok = ok && ba_curl_check(err) && same_openssl(err);
    if(ok) {
      /* OPENSSL_init_crypto has registered its own handler by now; ours runs
       * before it. */
      OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
      pthread_atfork(before_fork, after_fork_parent, after_fork_child);
      atexit(at_exit);
      loaded = true;
    }
  }
  pthread_mutex_unlock(&once);
  return ok;
}
