#include "wire/watchdog.h"

#include "batchapi/clock.h"
#include "wire/sockets.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
  TICKS = 4, /* of CPU time make a step too long */
  STACK_BYTES = 64 << 10,
  FLOOD_BYTES = 64 << 10, /* in a tick: far more than a handshake, far less than a flood */
  CUT_MAX = 64
};

/* One that was shut down. */
struct cut {
  uint64_t serial;
  int local_port;
  double at;
};

static _Atomic unsigned step; /* counts up */
static _Atomic int working;   /* the socket it is about; -1 */

static pthread_t thread;
static bool running;
static _Atomic bool stop;
static clockid_t watched_clock;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the ring */
static struct cut cuts[CUT_MAX];
static unsigned cut_count; /* ever */

void ba_watchdog_step(int fd)
{
  atomic_store_explicit(&working, fd, memory_order_relaxed);
  atomic_fetch_add_explicit(&step, 1, memory_order_relaxed);
}

bool ba_watchdog_has_cut(uint64_t serial, int local_port, double since)
{
  bool found = false;
  pthread_mutex_lock(&lock);
  for(unsigned i = 0; i < CUT_MAX && i < cut_count && !found; i++)
    found = (serial && cuts[i].serial == serial) ||
            (local_port && cuts[i].local_port == local_port && cuts[i].at >= since);
  pthread_mutex_unlock(&lock);
  return found;
}

/* ---- the sockets ----------------------------------------------------------- */

static void shut(int fd, uint64_t serial)
{
  struct cut cut = {serial, ba_sockets_port(fd), ba_now()};
  pthread_mutex_lock(&lock);
  cuts[cut_count++ % CUT_MAX] = cut;
  pthread_mutex_unlock(&lock);
  shutdown(fd, SHUT_RDWR);
}

/* How many bytes were read from a socket, ever; 0 where the system does not
 * tell (it is not of TCP). */
static uint64_t bytes_read(int fd)
{
  struct tcp_info info;
  socklen_t length = sizeof(info);
  int waiting = 0;
  memset(&info, 0, sizeof(info));
  if(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
     ioctl(fd, SIOCINQ, &waiting) != 0)
    return 0;
  return info.tcpi_bytes_received - (uint64_t)waiting;
}

/* What was read from each, at one moment. */
struct sample {
  uint64_t serial, bytes;
};

enum round { ROUND_LOOK, ROUND_BUSY, ROUND_NAMED, ROUND_ALL };

struct visit {
  enum round round;
  unsigned shut;
};

static struct sample samples[BA_SOCKETS_MAX];

static void visit_socket(int fd, uint64_t serial, void *user)
{
  struct visit *visit = user;
  struct sample now = {serial, visit->round <= ROUND_BUSY ? bytes_read(fd) : 0};
  struct sample before = samples[fd];
  bool busy = before.serial == serial && now.bytes - before.bytes > FLOOD_BYTES;
  if(visit->round == ROUND_LOOK)
    samples[fd] = now;
  else if((visit->round == ROUND_BUSY && busy) || visit->round == ROUND_ALL ||
          (visit->round == ROUND_NAMED &&
           fd == atomic_load_explicit(&working, memory_order_relaxed))) {
    shut(fd, serial);
    visit->shut++;
  }
}

static unsigned visit_all(enum round round)
{
  struct visit visit = {.round = round};
  ba_sockets_each(visit_socket, &visit);
  return visit.shut;
}

/* ---- the watch --------------------------------------------------------------- */

/* A quarter of a second of the I/O thread's CPU time has passed. A step that
 * reads all the time is cut at once; one that only computes (a handshake, where
 * the processor is slow or valgrind's) has four times as long. One that does not
 * come back although those that were busy are shut down loses all. */
static void tick(void)
{
  static unsigned seen, same, cut;
  unsigned now = atomic_load_explicit(&step, memory_order_relaxed);
  same = now == seen ? same + 1 : 0;
  seen = now;
  if(same == TICKS - 1)
    visit_all(ROUND_LOOK);
  else if(same == TICKS)
    cut = visit_all(ROUND_BUSY);
  else if(same == 4 * TICKS && !cut)
    visit_all(ROUND_NAMED);
  else if(same >= (cut ? 2 : 8) * TICKS && same % TICKS == 0)
    visit_all(ROUND_ALL);
}

/* A signal for this thread alone, which blocks it: no handler of the host's
 * ever sees it. Not SIGRTMAX: valgrind keeps that for itself, and a program
 * under it would wait for this thread for ever. */
static int own_signal(void)
{
  return SIGRTMAX - 1;
}

/* The timer of the watched thread's CPU time. */
static bool make_timer(timer_t *timer)
{
  const long quarter = (long)(BA_STEP_SECONDS * 1e9 / TICKS);
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = own_signal()};
  event.sigev_notify_thread_id = gettid();
  struct itimerspec every = {{0, quarter}, {0, quarter}};
  if(timer_create(watched_clock, &event, timer) != 0)
    return false;
  if(timer_settime(*timer, 0, &every, NULL) == 0)
    return true;
  timer_delete(*timer);
  return false;
}

static double cpu_seconds(void)
{
  struct timespec spent;
  return clock_gettime(watched_clock, &spent) == 0 ? (double)spent.tv_sec + spent.tv_nsec / 1e9 : 0;
}

/* Where there is no such timer, the thread's time is looked at now and then. */
static void *run(void *unused)
{
  (void)unused;
  const struct timespec pause = {0, (long)(BA_STEP_SECONDS * 1e9 / TICKS)};
  timer_t timer;
  bool timed = make_timer(&timer);
  double before = timed ? 0 : cpu_seconds();
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, own_signal());
  while(!atomic_load(&stop)) {
    int got = timed ? sigwaitinfo(&signals, NULL) : sigtimedwait(&signals, NULL, &pause);
    if(atomic_load(&stop))
      break;
    double spent = timed ? 0 : cpu_seconds();
    bool busy = timed ? got > 0 : spent - before > BA_STEP_SECONDS / TICKS / 2;
    before = spent;
    if(busy)
      tick();
  }
  if(timed)
    timer_delete(timer);
  return NULL;
}

void ba_watchdog_start(void)
{
  pthread_attr_t attributes;
  if(running || pthread_getcpuclockid(pthread_self(), &watched_clock) != 0)
    return;
  atomic_store(&stop, false);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  running = pthread_create(&thread, &attributes, run, NULL) == 0;
  pthread_attr_destroy(&attributes);
  if(running)
    pthread_setname_np(thread, "batchapi-watch");
}

void ba_watchdog_stop(void)
{
  if(!running)
    return;
  atomic_store(&stop, true);
  pthread_kill(thread, own_signal());
  pthread_join(thread, NULL);
  running = false;
}

void ba_watchdog_in_child(void)
{
  running = false;
  pthread_mutex_init(&lock, NULL);
}
