/* A heap of points in time. The I/O thread owns it; nothing here is locked.
 * Room is reserved when a call is taken in, so that setting a timer cannot
 * fail in the middle of a call's life. */
#ifndef BA_TIMERS_H
#define BA_TIMERS_H

#include <stdbool.h>
#include <stddef.h>

struct ba_timer {
  double at;
  size_t place; /* 1-based index in the heap; 0: not set */
  void (*fire)(struct ba_timer *timer);
};

struct ba_timers {
  double now;             /* the time that its thread goes by: set once a turn */
  struct ba_timer **heap; /* heap[1] is the earliest */
  size_t count, capacity;
};

/* Makes sure that `more` timers beyond those reserved fit. */
bool ba_timers_reserve(struct ba_timers *timers, size_t total);
void ba_timers_free(struct ba_timers *timers);
void ba_timers_set(struct ba_timers *timers, struct ba_timer *timer, double at);
void ba_timers_clear(struct ba_timers *timers, struct ba_timer *timer); /* may be unset */
/* Fires all that are due; a timer is unset when its function runs. */
void ba_timers_run(struct ba_timers *timers, double now);
/* Seconds until the earliest, `limit` if none is earlier. */
double ba_timers_left(const struct ba_timers *timers, double now, double limit);

#endif
