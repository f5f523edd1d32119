/* Places for attempts: so many of a client at once, so much weight of each
 * limiter in flight, so much started in any 60 seconds. Who cannot go waits
 * in line; nobody overtakes another who waits for the same thing. A ticket is
 * one attempt's wish for places. I/O thread only, but for the two figures. */
#ifndef BA_LIMITER_H
#define BA_LIMITER_H

#include "batchapi/defaults.h"
#include "engine/timers.h"

#include <stdatomic.h>
#include <stdint.h>

/* A minute in quarters of a second, and the quarter that has only begun. */
enum { BA_MINUTE_BUCKETS = 240 + 1 };

struct ba_limiter {
  char *name;
  unsigned capacity, per_minute;
  unsigned in_flight;
  unsigned minute_total;
  unsigned minute[BA_MINUTE_BUCKETS];
  int64_t minute_at; /* number of the newest bucket */
};

struct ba_ticket;

struct ba_limits {
  struct ba_limiter limiters[BA_LIMITS_MAX];
  unsigned in_flight; /* attempts that hold a place */
  struct ba_ticket *first, *last;
  unsigned waiting_for[BA_LIMITS_MAX], waiting_for_place_only;
  bool admitting, admit_again;
  struct ba_timers *timers;
  struct ba_timer timer;           /* a per-minute limit opens again */
  _Atomic unsigned placed, queued; /* for statistics */
};

struct ba_ticket {
  struct ba_limits *limits;
  const unsigned *weights; /* BA_LIMITS_MAX of them */
  unsigned most;           /* tickets of these limits that may hold a place, as its client has it */
  /* Its turn has come, and it holds its places. */
  void (*admitted)(struct ba_ticket *ticket);
  struct ba_ticket *previous, *next;
  bool waiting, placed; /* in line; holds its places */
};

/* May the attempt begin? If not, it is put in line (in front if it has been in
 * flight before) and admitted() is called in its turn. */
bool ba_ticket_enter(struct ba_ticket *ticket, bool front, struct ba_timers *timers);
void ba_ticket_leave(struct ba_ticket *ticket);   /* gives the places back */
void ba_ticket_abandon(struct ba_ticket *ticket); /* leaves the line */
/* In a child of fork: nobody holds a place, nobody waits. What was begun in
 * the last minute still counts. */
void ba_limits_in_child(struct ba_limits *limits);

#endif
