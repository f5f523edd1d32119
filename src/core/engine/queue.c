#include "engine/queue.h"

#include "system/wake.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

static struct {
  pthread_mutex_t lock;
  struct ba_orders *first, *last;
  bool sweep;
  bool sleeping, due; /* the I/O thread is asleep; it is to be woken */
  int bell;           /* -1: there is no thread */
  atomic_uint waking; /* who is about to write to it */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .bell = -1};

void ba_lock(void)
{
  pthread_mutex_lock(&queue.lock);
}

/* The I/O thread is woken outside the lock, which it would take at once. */
void ba_unlock(void)
{
  int bell = queue.due ? queue.bell : -1;
  queue.due = false;
  if(bell >= 0)
    atomic_fetch_add(&queue.waking, 1); /* it is not closed before this is taken back */
  pthread_mutex_unlock(&queue.lock);
  if(bell >= 0) {
    ba_wake_ring(bell);
    atomic_fetch_sub(&queue.waking, 1);
  }
}

void ba_queue_ring_locked(void)
{
  queue.due = queue.due || queue.sleeping;
  queue.sleeping = false;
}

bool ba_queue_put_locked(struct ba_orders *orders, unsigned bits)
{
  bool queued = orders->waiting != 0;
  orders->waiting |= bits;
  if(!queued) {
    orders->next = NULL;
    if(queue.first)
      queue.last->next = orders;
    else
      queue.first = orders;
    queue.last = orders;
  }
  ba_queue_ring_locked();
  return !queued;
}

void ba_queue_sweep(void)
{
  ba_lock();
  queue.sweep = true;
  ba_queue_ring_locked();
  ba_unlock();
}

void ba_queue_open_locked(int bell)
{
  queue.bell = bell;
}

void ba_queue_close(void)
{
  ba_lock();
  queue.bell = -1;
  queue.sleeping = false;
  ba_unlock();
  while(atomic_load(&queue.waking)) /* for the length of one write */
    sched_yield();
}

struct ba_orders *ba_queue_take_locked(bool awake, bool *sweep)
{
  struct ba_orders *first = queue.first, *last = NULL;
  for(struct ba_orders *orders = first; orders; orders = orders->next) {
    orders->taken = orders->waiting;
    orders->waiting = 0;
    if(last)
      last->next_taken = orders;
    last = orders;
    orders->next_taken = NULL;
  }
  queue.first = queue.last = NULL;
  *sweep = queue.sweep;
  queue.sweep = false;
  queue.sleeping = !first && !*sweep && !awake;
  return first;
}

void ba_queue_before_fork(void)
{
  pthread_mutex_lock(&queue.lock);
}

void ba_queue_after_fork(void)
{
  pthread_mutex_unlock(&queue.lock);
}

void ba_queue_in_child(void)
{
  queue.first = queue.last = NULL;
  queue.sweep = queue.sleeping = queue.due = false;
  queue.bell = -1;
  atomic_store(&queue.waking, 0);
  pthread_mutex_init(&queue.lock, NULL);
}
