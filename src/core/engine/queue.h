/* The way into the I/O thread: one lock, which guards all that host and I/O
 * thread share (fields marked LOCK), a queue of orders, and the bell that wakes
 * the thread when it sleeps. */
#ifndef BA_QUEUE_H
#define BA_QUEUE_H

#include <stdbool.h>

/* Of whoever can be ordered about; zeroed at first. */
struct ba_orders {
  unsigned waiting; /* LOCK: a set of bits, not yet taken */
  unsigned taken;   /* I/O: those taken off the queue */
  struct ba_orders *next, *next_taken;
};

void ba_lock(void);
void ba_unlock(void); /* wakes the I/O thread if there is something for it */

/* True: it is in the queue from now on, which the caller counts as a reference. */
bool ba_queue_put_locked(struct ba_orders *orders, unsigned bits);
/* Clients closed, mailboxes gone: the I/O thread looks at every call. */
void ba_queue_sweep(void);
/* It has something else to look at. */
void ba_queue_ring_locked(void);

/* ---- the I/O thread's side ------------------------------------------------ */

void ba_queue_open_locked(int bell);
void ba_queue_close(void); /* nobody writes to the bell any more */
/* All that wait, a list by next_taken: each may be queued again at once. With
 * none of them, and no sweep, the thread counts as asleep unless it is `awake`. */
struct ba_orders *ba_queue_take_locked(bool awake, bool *sweep);

void ba_queue_before_fork(void);
void ba_queue_after_fork(void);
void ba_queue_in_child(void);

#endif
