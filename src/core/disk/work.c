#include "batchapi/work.h"

#include "batchapi/alloc.h"
#include "disk/work_thread.h"
#include "system/system.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { STACK_BYTES = 256 << 10, IDLE_SECONDS = 10, EXIT_SECONDS = 60 };

struct ba_work {
  struct ba_notice notice;
  struct ba_work *next;
  struct ba_mailbox *mailbox; /* retained; or NULL */
  bool (*run)(void *data, struct ba_error *err);
  void (*discard)(void *data);
  void *data;
  unsigned references; /* under the lock: the starter's and the thread's */
  bool done, ok;
  struct ba_error error;
};

/* All under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* of the monotonic clock; made before the first piece */
static struct ba_work *first, *last, *current;
static bool running, exiting;

static void work_free(struct ba_work *work)
{
  if(work->mailbox) {
    ba_mailbox_withdraw(work->mailbox, &work->notice);
    ba_mailbox_release(work->mailbox);
  }
  work->discard(work->data);
  ba_free(work);
}

static void drop(struct ba_work *work)
{
  pthread_mutex_lock(&lock);
  bool unused = --work->references == 0;
  pthread_mutex_unlock(&lock);
  if(unused)
    work_free(work);
}

/* ---- the thread ---------------------------------------------------------- */

static bool wait_locked(double seconds)
{
  return ba_condition_wait(&changed, &lock, seconds);
}

static struct ba_work *take_locked(void)
{
  while(!first && !exiting && wait_locked(IDLE_SECONDS)) {
  }
  current = first;
  if(first)
    first = first->next;
  return current;
}

static void finish(struct ba_work *work, bool ok)
{
  pthread_mutex_lock(&lock);
  current = NULL;
  work->ok = ok;
  work->done = true;
  pthread_mutex_unlock(&lock);
  if(work->mailbox)
    ba_mailbox_post(work->mailbox, &work->notice);
  drop(work);
}

static void *thread_main(void *unused)
{
  (void)unused;
  for(;;) {
    pthread_mutex_lock(&lock);
    struct ba_work *work = take_locked();
    if(!work) {
      running = false;
      pthread_cond_broadcast(&changed);
      pthread_mutex_unlock(&lock);
      return NULL;
    }
    pthread_mutex_unlock(&lock);
    finish(work, work->run(work->data, &work->error));
  }
}

static void stop_at_exit(void)
{
  pthread_mutex_lock(&lock);
  exiting = true;
  pthread_cond_broadcast(&changed);
  while(running && wait_locked(EXIT_SECONDS)) {
  }
  pthread_mutex_unlock(&lock);
}

void ba_work_before_fork(void)
{
  pthread_mutex_lock(&lock);
}

void ba_work_after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

/* The thread does not exist here: what it had to do is not done. The condition
 * is made anew, for it counts that thread among those who wait, and would wait
 * for it. */
void ba_work_in_child(void)
{
  ba_condition_init(&changed);
  struct ba_work *work = current ? current : first;
  if(current)
    current->next = first;
  first = current = NULL;
  running = false;
  pthread_mutex_unlock(&lock);
  while(work) {
    struct ba_work *next = work->next;
    ba_error_set(&work->error, BA_CLOSED, NULL, "the process was forked meanwhile");
    finish(work, false);
    work = next;
  }
}

static void register_once(void)
{
  ba_condition_init(&changed);
  atexit(stop_at_exit);
}

static bool start_thread_locked(struct ba_error *err)
{
  sigset_t every, before;
  pthread_attr_t attributes;
  pthread_t thread;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &before);
  int failure = pthread_attr_init(&attributes);
  if(failure == 0) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    failure = pthread_create(&thread, &attributes, thread_main, NULL);
    pthread_attr_destroy(&attributes);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  running = failure == 0;
  return running || ba_error_errno(err, failure, "no thread for file work");
}

/* ---- the host's side ------------------------------------------------------ */

static bool enqueue(struct ba_work *work, struct ba_error *err)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_once);
  pthread_mutex_lock(&lock);
  bool ok = !exiting || ba_error_set(err, BA_CLOSED, NULL, "the process is exiting");
  ok = ok && (running || start_thread_locked(err));
  if(ok) {
    work->references++;
    if(first)
      last->next = work;
    else
      first = work;
    last = work;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  return ok;
}

struct ba_work *ba_work_start(struct ba_mailbox *mailbox,
                              bool (*run)(void *data, struct ba_error *err),
                              void (*discard)(void *data), void *data, struct ba_error *err)
{
  struct ba_work *work = ba_calloc(1, sizeof(*work));
  if(!work) {
    discard(data);
    ba_error_nomem(err);
    return NULL;
  }
  work->notice.id = ba_new_id();
  work->run = run;
  work->discard = discard;
  work->data = data;
  work->references = 1;
  work->mailbox = mailbox;
  if(mailbox)
    ba_mailbox_retain(mailbox);
  if(!enqueue(work, err)) {
    drop(work);
    return NULL;
  }
  return work;
}

uint64_t ba_work_id(const struct ba_work *work)
{
  return work->notice.id;
}

bool ba_work_done(struct ba_work *work)
{
  pthread_mutex_lock(&lock);
  bool done = work->done;
  pthread_mutex_unlock(&lock);
  return done;
}

bool ba_work_result(struct ba_work *work, struct ba_error *err)
{
  pthread_mutex_lock(&lock);
  bool done = work->done, ok = work->ok;
  pthread_mutex_unlock(&lock);
  if(!done)
    return ba_error_set(err, BA_MISUSE, NULL, "the work is not done");
  if(!ok && err)
    *err = work->error;
  return ok;
}

void ba_work_release(struct ba_work *work)
{
  if(!work)
    return;
  if(work->mailbox)
    ba_mailbox_withdraw(work->mailbox, &work->notice);
  drop(work);
}
