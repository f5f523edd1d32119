#include "wire/watchdog.h"

#include "batchapi/clock.h"
#include "system/cpu_watch.h"
#include "system/system.h"
#include "wire/sockets.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  TICKS = 4,              /* of CPU time make a step too long */
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

/* What was read from each, at one moment. */
struct sample {
  uint64_t serial;
  struct ba_socket_input input;
};

enum round { ROUND_LOOK, ROUND_BUSY, ROUND_NAMED, ROUND_ALL };

struct visit {
  enum round round;
  unsigned shut;
};

static struct sample samples[BA_SOCKETS_MAX];

/* Was it read from all the time between two looks? Where nobody counts that: the
 * step is about it, and there was more to read at both of them. */
static bool is_busy(int fd, uint64_t serial, bool named)
{
  struct ba_socket_input before = samples[fd].input, now = ba_socket_input(fd);
  if(samples[fd].serial != serial)
    return false;
  return now.counted ? now.read - before.read > FLOOD_BYTES : named && before.waits && now.waits;
}

static void visit_socket(int fd, uint64_t serial, void *user)
{
  struct visit *visit = user;
  bool named = fd == atomic_load_explicit(&working, memory_order_relaxed);
  if(visit->round == ROUND_LOOK)
    samples[fd] = (struct sample){serial, ba_socket_input(fd)};
  else if((visit->round == ROUND_BUSY && is_busy(fd, serial, named)) ||
          (visit->round == ROUND_NAMED && named) || visit->round == ROUND_ALL) {
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

void ba_watchdog_start(void)
{
  ba_cpu_watch_start(BA_STEP_SECONDS / TICKS, tick);
}

void ba_watchdog_stop(void)
{
  ba_cpu_watch_stop();
}

void ba_watchdog_in_child(void)
{
  ba_cpu_watch_in_child();
  pthread_mutex_init(&lock, NULL);
}
