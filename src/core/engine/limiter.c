/* Places for attempts: so many of a client at once, so much weight of each
 * limiter in flight, so much started in any 60 seconds. Who cannot go waits
 * in line; nobody overtakes another who waits for the same thing. */
#include "wire/internal.h"

#include <string.h>

static const double BUCKET_SECONDS = 60.0 / (BA_MINUTE_BUCKETS - 1);

enum { PLACE = 1u << BA_LIMITS_MAX }; /* the bit of max_connections; limiters have 1 << i */

static unsigned weight_of(const struct ba_call *call, size_t i)
{
  const struct ba_limiter *limiter = &call->client->shared->limiters[i];
  unsigned weight = call->request->options.weights[i];
  /* What can never fit goes alone. */
  if(limiter->capacity && weight > limiter->capacity)
    weight = limiter->capacity;
  if(limiter->per_minute && weight > limiter->per_minute)
    weight = limiter->per_minute;
  return weight;
}

/* Forgets the buckets that are older than a minute. A bucket counts until the
 * last instant of it is 60 seconds ago, so the bound holds for every minute. */
static void advance(struct ba_limiter *limiter)
{
  int64_t bucket = (int64_t)(ba_engine.now / BUCKET_SECONDS);
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

/* The limits that stand in the call's way, as bits. */
static unsigned obstacles(const struct ba_call *call)
{
  struct ba_shared *shared = call->client->shared;
  unsigned bits = shared->in_flight >= call->client->max_connections ? PLACE : 0;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &shared->limiters[i];
    unsigned weight = weight_of(call, i);
    if(!weight)
      continue;
    bool full = limiter->capacity && limiter->in_flight + weight > limiter->capacity;
    if(limiter->per_minute) {
      advance(limiter);
      full = full || limiter->minute_total + weight > limiter->per_minute;
    }
    if(full)
      bits |= 1u << i;
  }
  return bits;
}

static unsigned needs(const struct ba_call *call)
{
  unsigned bits = PLACE;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(call->request->options.weights[i])
      bits |= 1u << i;
  }
  return bits;
}

static void take_places(struct ba_call *call)
{
  struct ba_shared *shared = call->client->shared;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &shared->limiters[i];
    unsigned weight = weight_of(call, i);
    limiter->in_flight += weight;
    if(limiter->per_minute && weight) {
      limiter->minute_total += weight;
      limiter->minute[limiter->minute_at % BA_MINUTE_BUCKETS] += weight;
    }
  }
  shared->in_flight++;
  atomic_store_explicit(&shared->counters.in_flight, shared->in_flight, memory_order_relaxed);
  call->placed = true;
}

static void count_waiting(const struct ba_call *call, int by)
{
  struct ba_shared *shared = call->client->shared;
  unsigned bits = needs(call);
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(bits & (1u << i))
      shared->waiting_for[i] += (unsigned)by;
  }
  if(bits == PLACE)
    shared->waiting_for_place_only += (unsigned)by;
}

static void leave_line(struct ba_call *call)
{
  struct ba_shared *shared = call->client->shared;
  if(call->previous_waiting)
    call->previous_waiting->next_waiting = call->next_waiting;
  else
    shared->first_waiting = call->next_waiting;
  if(call->next_waiting)
    call->next_waiting->previous_waiting = call->previous_waiting;
  else
    shared->last_waiting = call->previous_waiting;
  call->previous_waiting = call->next_waiting = NULL;
  call->waiting = false;
  count_waiting(call, -1);
  atomic_fetch_sub_explicit(&shared->counters.queued, 1, memory_order_relaxed);
}

static void join_line(struct ba_call *call, bool front)
{
  struct ba_shared *shared = call->client->shared;
  call->next_waiting = front ? shared->first_waiting : NULL;
  call->previous_waiting = front ? NULL : shared->last_waiting;
  if(call->previous_waiting)
    call->previous_waiting->next_waiting = call;
  else
    shared->first_waiting = call;
  if(call->next_waiting)
    call->next_waiting->previous_waiting = call;
  else
    shared->last_waiting = call;
  call->waiting = true;
  count_waiting(call, 1);
  atomic_fetch_add_explicit(&shared->counters.queued, 1, memory_order_relaxed);
}

static void admit_next(struct ba_shared *shared);

static void minute_passes(struct ba_timer *timer)
{
  admit_next((struct ba_shared *)((char *)timer - offsetof(struct ba_shared, timer)));
}

/* All that wait need one of `closed`: nobody behind can go either. */
static bool nobody_else(const struct ba_shared *shared, unsigned closed)
{
  if(closed & PLACE)
    return true;
  if(shared->waiting_for_place_only)
    return false;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    if(shared->waiting_for[i] && !(closed & (1u << i)))
      return false;
  }
  return true;
}

/* When the oldest bucket that counts is forgotten; < 0: none counts. */
static double opens_at(struct ba_limiter *limiter)
{
  advance(limiter);
  for(int64_t i = BA_MINUTE_BUCKETS - 1; limiter->minute_total && i >= 0; i--) {
    int64_t bucket = limiter->minute_at - i;
    if(bucket >= 0 && limiter->minute[bucket % BA_MINUTE_BUCKETS])
      return (double)(bucket + BA_MINUTE_BUCKETS) * BUCKET_SECONDS;
  }
  return -1;
}

/* The thread is woken when there is more room for those who wait, not before. */
static void watch_minutes(struct ba_shared *shared)
{
  double soonest = -1;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++) {
    struct ba_limiter *limiter = &shared->limiters[i];
    double at = limiter->per_minute && shared->waiting_for[i] ? opens_at(limiter) : -1;
    if(at >= 0 && (soonest < 0 || at < soonest))
      soonest = at;
  }
  if(soonest >= 0)
    ba_timers_set(&ba_engine.timers, &shared->timer, soonest);
  else
    ba_timers_clear(&ba_engine.timers, &shared->timer);
}

static void admit_some(struct ba_shared *shared)
{
  unsigned closed = 0;
  struct ba_call *call = shared->first_waiting;
  while(call && !(closed && nobody_else(shared, closed))) {
    struct ba_call *next = call->next_waiting;
    unsigned in_the_way = obstacles(call);
    if(!in_the_way)
      in_the_way = needs(call) & closed;
    if(in_the_way) {
      closed |= in_the_way;
    } else {
      leave_line(call);
      take_places(call);
      ba_flow_admitted(call);
    }
    call = next;
  }
}

/* An attempt that cannot begin gives its places back while we walk the line:
 * then the walk is made once more, not within itself. */
static void admit_next(struct ba_shared *shared)
{
  shared->admit_again = true;
  if(shared->admitting)
    return;
  shared->admitting = true;
  while(shared->admit_again) {
    shared->admit_again = false;
    admit_some(shared);
  }
  shared->admitting = false;
  watch_minutes(shared);
}

bool ba_limits_enter(struct ba_call *call, bool front)
{
  struct ba_shared *shared = call->client->shared;
  shared->timer.fire = minute_passes;
  unsigned closed = obstacles(call);
  for(size_t i = 0; !front && i < BA_LIMITS_MAX; i++) {
    if(shared->waiting_for[i] && call->request->options.weights[i])
      closed |= 1u << i;
  }
  if(!closed) {
    take_places(call);
    return true;
  }
  join_line(call, front);
  watch_minutes(shared);
  return false;
}

void ba_limits_leave(struct ba_call *call)
{
  if(!call->placed)
    return;
  struct ba_shared *shared = call->client->shared;
  call->placed = false;
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    shared->limiters[i].in_flight -= weight_of(call, i);
  shared->in_flight--;
  atomic_store_explicit(&shared->counters.in_flight, shared->in_flight, memory_order_relaxed);
  if(shared->first_waiting)
    admit_next(shared);
}

void ba_limits_abandon(struct ba_call *call)
{
  if(!call->waiting)
    return;
  leave_line(call);
  admit_next(call->client->shared); /* it may have stood in front */
}

void ba_limits_after_fork(struct ba_shared *shared)
{
  for(size_t i = 0; i < BA_LIMITS_MAX; i++)
    shared->limiters[i].in_flight = shared->waiting_for[i] = 0;
  shared->in_flight = shared->waiting_for_place_only = 0;
  shared->first_waiting = shared->last_waiting = NULL;
  shared->admitting = shared->admit_again = false;
  shared->timer.place = 0; /* of a heap that the child does not have */
  atomic_store_explicit(&shared->counters.in_flight, 0, memory_order_relaxed);
  atomic_store_explicit(&shared->counters.queued, 0, memory_order_relaxed);
}
