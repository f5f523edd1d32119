#include "system/cpu_watch.h"

#include "system/system.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 64 << 10 };

static pthread_t thread;
static bool running;
static bool stop; /* under the lock */
static void (*on_tick)(void);
static double interval;
static clockid_t watched_clock;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopped;

/* ---- a timer of the thread's time ------------------------------------------ */

#ifdef BA_LINUX

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* A signal for this thread alone, which blocks it: no handler of the host's
 * ever sees it. Not SIGRTMAX: valgrind keeps that for itself, and a program
 * under it would wait for this thread for ever. */
static int own_signal(void)
{
  return SIGRTMAX - 1;
}

static bool make_timer(timer_t *timer)
{
  struct timespec each = {(time_t)interval, (long)((interval - (double)(time_t)interval) * 1e9)};
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = own_signal()};
  event.sigev_notify_thread_id = gettid();
  struct itimerspec every = {each, each};
  if(timer_create(watched_clock, &event, timer) != 0)
    return false;
  if(timer_settime(*timer, 0, &every, NULL) == 0)
    return true;
  timer_delete(*timer);
  return false;
}

static bool is_to_stop(void)
{
  pthread_mutex_lock(&lock);
  bool over = stop;
  pthread_mutex_unlock(&lock);
  return over;
}

/* False: there is no such timer here. */
static bool run_timed(void)
{
  sigset_t signals;
  timer_t timer;
  if(!make_timer(&timer))
    return false;
  sigemptyset(&signals);
  sigaddset(&signals, own_signal());
  for(;;) {
    int got = sigwaitinfo(&signals, NULL);
    if(is_to_stop())
      break;
    if(got > 0)
      on_tick();
  }
  timer_delete(timer);
  return true;
}

static void interrupt(void)
{
  pthread_kill(thread, own_signal());
}

#else

static bool run_timed(void)
{
  return false;
}

static void interrupt(void)
{
}

#endif

/* ---- that time, looked at now and then -------------------------------------- */

static double cpu_seconds(void)
{
  struct timespec spent;
  return clock_gettime(watched_clock, &spent) == 0
             ? (double)spent.tv_sec + (double)spent.tv_nsec / 1e9
             : 0;
}

static void run_looking(void)
{
  double before = cpu_seconds();
  pthread_mutex_lock(&lock);
  while(!stop) {
    ba_condition_wait(&stopped, &lock, interval);
    if(stop || cpu_seconds() - before < interval)
      continue;
    before += interval;
    pthread_mutex_unlock(&lock);
    on_tick();
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
}

static void *run(void *unused)
{
  (void)unused;
  if(!run_timed())
    run_looking();
  return NULL;
}

/* ---- its life ----------------------------------------------------------------- */

#if defined(_POSIX_THREAD_CPUTIME) && _POSIX_THREAD_CPUTIME >= 0
static bool has_clock(void)
{
  return pthread_getcpuclockid(pthread_self(), &watched_clock) == 0;
}
#else
static bool has_clock(void)
{
  return false;
}
#endif

void ba_cpu_watch_start(double seconds, void (*tick)(void))
{
  pthread_attr_t attributes;
  if(running || !has_clock())
    return;
  interval = seconds;
  on_tick = tick;
  stop = false;
  ba_condition_init(&stopped);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  running = pthread_create(&thread, &attributes, run, NULL) == 0;
  pthread_attr_destroy(&attributes);
  if(running)
    ba_thread_name(thread, "batchapi-watch");
}

void ba_cpu_watch_stop(void)
{
  if(!running)
    return;
  pthread_mutex_lock(&lock);
  stop = true;
  pthread_cond_signal(&stopped);
  pthread_mutex_unlock(&lock);
  interrupt();
  pthread_join(thread, NULL);
  pthread_cond_destroy(&stopped);
  running = false;
}

void ba_cpu_watch_in_child(void)
{
  running = false;
  pthread_mutex_init(&lock, NULL);
}
