#include "engine/limiter.h"

#include "base/owner.h"

static const double BUCKET_SECONDS = 60.0 / (BA_MINUTE_BUCKETS - 1);

enum { PLACE = 1u << BA_LIMITS_MAX }; /* the bit of max_connections; limiters have 1 << i */

static unsigned weight_of(const struct ba_ticket *ticket, size_t i)
{
  const struct ba_limiter *limiter = &ticket->limits->limiters[i];
  unsigned weight = ticket->weights[i];
  /* What can never fit goes alone. */
  if(limiter->capacity && weight > limiter->capacity)
    weight = limiter->capacity;
  if(limiter->per_minute && weight > limiter->per_minute)
    weight = limiter->per_minute;
  return weight;
}

/* Forgets the buckets that are older than a minute. A bucket counts until the
 * last instant of it is 60 seconds ago, so the bound holds for every minute. */
static void advance(struct ba_limiter *limiter, double now)
{
  int64_t bucket = (int64_t)(now / BUCKET_SECONDS);
  int64_t steps = bucket - limiter->minute_at;
  if(steps > BA_MINUTE_BUCKETS)
    steps = BA_MINUTE_BUCKETS;
  for(int64_t i = 0; i < steps; i++) {
    unsigned *slot = &limiter->minute[(bucket - i) % BA_MINUTE_BUCKETS];
    limiter->minute_total -= *slot;
    *slot = 0;
  }
  if(bucket > limiter->minute_at)
    limiter->minute_at = bucket;
}

/* The limits that stand in the ticket's way, as bits. */
static unsigned obstacles(const struct ba_ticket *ticket)
{
  struct ba_limits *limits = ticket->limits;
  unsigned bits = limits->in_flight >= ticket->most ? PLACE : 0;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &limits->limiters[i];
    unsigned weight = weight_of(ticket, i);
    if(!weight)
      continue;
    bool full = limiter->capacity && limiter->in_flight + weight > limiter->capacity;
    if(limiter->per_minute) {
      advance(limiter, limits->timers->now);
      full = full || limiter->minute_total + weight > limiter->per_minute;
    }
    if(full)
      bits |= 1u << i;
  }
  return bits;
}

static unsigned needs(const struct ba_ticket *ticket)
{
  unsigned bits = PLACE;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(ticket->weights[i])
      bits |= 1u << i;
  }
  return bits;
}

static void take_places(struct ba_ticket *ticket)
{
  struct ba_limits *limits = ticket->limits;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &limits->limiters[i];
    unsigned weight = weight_of(ticket, i);
    limiter->in_flight += weight;
    if(limiter->per_minute && weight) {
      limiter->minute_total += weight;
      limiter->minute[limiter->minute_at % BA_MINUTE_BUCKETS] += weight;
    }
  }
  limits->in_flight++;
  atomic_store_explicit(&limits->placed, limits->in_flight, memory_order_relaxed);
  ticket->placed = true;
}

static void count_waiting(const struct ba_ticket *ticket, int by)
{
  struct ba_limits *limits = ticket->limits;
  unsigned bits = needs(ticket);
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(bits & (1u << i))
      limits->waiting_for[i] += (unsigned)by;
  }
  if(bits == PLACE)
    limits->waiting_for_place_only += (unsigned)by;
}

static void leave_line(struct ba_ticket *ticket)
{
  struct ba_limits *limits = ticket->limits;
  if(ticket->previous)
    ticket->previous->next = ticket->next;
  else
    limits->first = ticket->next;
  if(ticket->next)
    ticket->next->previous = ticket->previous;
  else
    limits->last = ticket->previous;
  ticket->previous = ticket->next = NULL;
  ticket->waiting = false;
  count_waiting(ticket, -1);
  atomic_fetch_sub_explicit(&limits->queued, 1, memory_order_relaxed);
}

static void join_line(struct ba_ticket *ticket, bool front)
{
  struct ba_limits *limits = ticket->limits;
  ticket->next = front ? limits->first : NULL;
  ticket->previous = front ? NULL : limits->last;
  if(ticket->previous)
    ticket->previous->next = ticket;
  else
    limits->first = ticket;
  if(ticket->next)
    ticket->next->previous = ticket;
  else
    limits->last = ticket;
  ticket->waiting = true;
  count_waiting(ticket, 1);
  atomic_fetch_add_explicit(&limits->queued, 1, memory_order_relaxed);
}

static void admit_next(struct ba_limits *limits);

static void minute_passes(struct ba_timer *timer)
{
  admit_next(BA_OWNER(timer, struct ba_limits, timer));
}

/* All that wait need one of `closed`: nobody behind can go either. */
static bool nobody_else(const struct ba_limits *limits, unsigned closed)
{
  if(closed & PLACE)
    return true;
  if(limits->waiting_for_place_only)
    return false;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(limits->waiting_for[i] && !(closed & (1u << i)))
      return false;
  }
  return true;
}

/* When the oldest bucket that counts is forgotten; < 0: none counts. */
static double opens_at(struct ba_limiter *limiter, double now)
{
  advance(limiter, now);
  for(int64_t i = BA_MINUTE_BUCKETS - 1; limiter->minute_total && i >= 0; i--) {
    int64_t bucket = limiter->minute_at - i;
    if(bucket >= 0 && limiter->minute[bucket % BA_MINUTE_BUCKETS])
      return (double)(bucket + BA_MINUTE_BUCKETS) * BUCKET_SECONDS;
  }
  return -1;
}

/* The thread is woken when there is more room for those who wait, not before. */
static void watch_minutes(struct ba_limits *limits)
{
  double soonest = -1;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &limits->limiters[i];
    double at =
        limiter->per_minute && limits->waiting_for[i] ? opens_at(limiter, limits->timers->now) : -1;
    if(at >= 0 && (soonest < 0 || at < soonest))
      soonest = at;
  }
  if(soonest >= 0)
    ba_timers_set(limits->timers, &limits->timer, soonest);
  else
    ba_timers_clear(limits->timers, &limits->timer);
}

static void admit_some(struct ba_limits *limits)
{
  unsigned closed = 0;
  struct ba_ticket *ticket = limits->first;
  while(ticket && !(closed && nobody_else(limits, closed))) {
    struct ba_ticket *next = ticket->next;
    unsigned in_the_way = obstacles(ticket);
    if(!in_the_way)
      in_the_way = needs(ticket) & closed;
    if(in_the_way) {
      closed |= in_the_way;
    } else {
      leave_line(ticket);
      take_places(ticket);
      ticket->admitted(ticket);
    }
    ticket = next;
  }
}

/* An attempt that cannot begin gives its places back while we walk the line:
 * then the walk is made once more, not within itself. */
static void admit_next(struct ba_limits *limits)
{
  limits->admit_again = true;
  if(limits->admitting)
    return;
  limits->admitting = true;
  while(limits->admit_again) {
    limits->admit_again = false;
    admit_some(limits);
  }
  limits->admitting = false;
  watch_minutes(limits);
}

bool ba_ticket_enter(struct ba_ticket *ticket, bool front, struct ba_timers *timers)
{
  struct ba_limits *limits = ticket->limits;
  limits->timers = timers;
  limits->timer.fire = minute_passes;
  unsigned closed = obstacles(ticket);
  for(size_t i = 0; !front && i < BA_LIMITS_MAX; i++) {
    if(limits->waiting_for[i] && ticket->weights[i])
      closed |= 1u << i;
  }
  if(!closed) {
    take_places(ticket);
    return true;
  }
  join_line(ticket, front);
  watch_minutes(limits);
  return false;
}

void ba_ticket_leave(struct ba_ticket *ticket)
{
  if(!ticket->placed)
    return;
  struct ba_limits *limits = ticket->limits;
  ticket->placed = false;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    limits->limiters[i].in_flight -= weight_of(ticket, i);
  limits->in_flight--;
  atomic_store_explicit(&limits->placed, limits->in_flight, memory_order_relaxed);
  if(limits->first)
    admit_next(limits);
}

void ba_ticket_abandon(struct ba_ticket *ticket)
{
  if(!ticket->waiting)
    return;
  leave_line(ticket);
  admit_next(ticket->limits); /* it may have stood in front */
}

void ba_limits_in_child(struct ba_limits *limits)
{
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    limits->limiters[i].in_flight = limits->waiting_for[i] = 0;
  limits->in_flight = limits->waiting_for_place_only = 0;
  limits->first = limits->last = NULL;
  limits->admitting = limits->admit_again = false;
  limits->timer.place = 0; /* of a heap that the child does not have */
  atomic_store_explicit(&limits->placed, 0, memory_order_relaxed);
  atomic_store_explicit(&limits->queued, 0, memory_order_relaxed);
}
