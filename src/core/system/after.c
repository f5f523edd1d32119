#include "batchapi/after.h"

#include "system/system.h"
#include "system/wake.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

bool ba_after_expired(int fd)
{
  uint64_t times;
  return read(fd, &times, sizeof(times)) == (ssize_t)sizeof(times);
}

#ifdef BA_LINUX

#include <math.h>
#include <sys/timerfd.h>

int ba_after(double seconds)
{
  struct itimerspec when = {0};
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  when.it_value.tv_sec = (time_t)seconds;
  when.it_value.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
  if(when.it_value.tv_sec == 0 && when.it_value.tv_nsec == 0)
    when.it_value.tv_nsec = 1; /* zero would disarm it */
  if(fd >= 0)
    timerfd_settime(fd, 0, &when, NULL);
  return fd;
}

void ba_after_close(int fd)
{
  close(fd);
}

#else

#include "batchapi/clock.h"

#include <signal.h>
#include <stdlib.h>

/* One that is not due yet. A thread rings them, as long as there are any. */
struct pending {
  struct pending *next;
  struct ba_wake wake;
  double due;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct pending *first; /* by time */
static bool running;

static void *run(void *unused)
{
  (void)unused;
  pthread_mutex_lock(&lock);
  while(first) {
    struct pending *next = first;
    double left = next->due - ba_now();
    if(left > 0) {
      ba_condition_wait(&changed, &lock, left);
      continue;
    }
    first = next->next;
    ba_wake_ring(next->wake.bell);
    close(next->wake.bell); /* what was written stays to be read */
    free(next);
  }
  running = false;
  pthread_mutex_unlock(&lock);
  return NULL;
}

static void before_fork(void)
{
  pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
  pthread_mutex_unlock(&lock);
}

/* The thread is the parent's. It rings a pipe that both have. */
static void after_fork_in_child(void)
{
  first = NULL;
  running = false;
  pthread_mutex_init(&lock, NULL);
  ba_condition_init(&changed);
}

static void prepare(void)
{
  ba_condition_init(&changed);
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

static int start_locked(void)
{
  sigset_t all, before;
  pthread_t thread;
  if(running)
    return 0;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int failure = pthread_create(&thread, NULL, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if(!failure)
    pthread_detach(thread);
  running = !failure;
  return failure;
}

static int add_locked(struct pending *pending)
{
  struct pending **link = &first;
  while(*link && (*link)->due <= pending->due)
    link = &(*link)->next;
  pending->next = *link;
  *link = pending;
  int failure = start_locked();
  if(failure)
    *link = pending->next;
  pthread_cond_signal(&changed);
  return failure;
}

int ba_after(double seconds)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct pending *pending = malloc(sizeof(*pending));
  int failure = pending ? ba_wake_open(&pending->wake) : ENOMEM;
  if(failure) {
    free(pending);
    errno = failure;
    return -1;
  }
  int fd = pending->wake.fd;
  pending->due = ba_now() + seconds;
  pthread_once(&once, prepare);
  pthread_mutex_lock(&lock);
  failure = add_locked(pending);
  pthread_mutex_unlock(&lock);
  if(!failure)
    return fd;
  ba_wake_close(&pending->wake);
  free(pending);
  errno = failure;
  return -1;
}

void ba_after_close(int fd)
{
  pthread_mutex_lock(&lock);
  struct pending **link = &first;
  while(*link && (*link)->wake.fd != fd)
    link = &(*link)->next;
  struct pending *found = *link;
  if(found) {
    *link = found->next;
    close(found->wake.bell);
    free(found);
    pthread_cond_signal(&changed);
  }
  pthread_mutex_unlock(&lock);
  close(fd);
}

#endif
