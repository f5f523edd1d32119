#include "engine/timers.h"

#include "batchapi/alloc.h"

bool ba_timers_reserve(struct ba_timers *timers, size_t total)
{
  if(total + 1 <= timers->capacity)
    return true;
  size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
  while(capacity < total + 1)
    capacity *= 2;
  struct ba_timer **heap = ba_realloc(timers->heap, capacity * sizeof(*heap));
  if(!heap)
    return false;
  timers->heap = heap;
  timers->capacity = capacity;
  return true;
}

void ba_timers_free(struct ba_timers *timers)
{
  ba_free(timers->heap);
  *timers = (struct ba_timers){0};
}

static void put(struct ba_timers *timers, struct ba_timer *timer, size_t place)
{
  timers->heap[place] = timer;
  timer->place = place;
}

static void rise(struct ba_timers *timers, struct ba_timer *timer, size_t place)
{
  while(place > 1 && timers->heap[place / 2]->at > timer->at) {
    put(timers, timers->heap[place / 2], place);
    place /= 2;
  }
  put(timers, timer, place);
}

static void sink(struct ba_timers *timers, struct ba_timer *timer, size_t place)
{
  for(;;) {
    size_t child = place * 2;
    if(child > timers->count)
      break;
    if(child < timers->count && timers->heap[child + 1]->at < timers->heap[child]->at)
      child++;
    if(timers->heap[child]->at >= timer->at)
      break;
    put(timers, timers->heap[child], place);
    place = child;
  }
  put(timers, timer, place);
}

void ba_timers_set(struct ba_timers *timers, struct ba_timer *timer, double at)
{
  if(!timer->place) {
    timer->at = at;
    rise(timers, timer, ++timers->count);
    return;
  }
  double before = timer->at;
  timer->at = at;
  if(at < before)
    rise(timers, timer, timer->place);
  else
    sink(timers, timer, timer->place);
}

void ba_timers_clear(struct ba_timers *timers, struct ba_timer *timer)
{
  size_t place = timer->place;
  if(!place)
    return;
  timer->place = 0;
  struct ba_timer *last = timers->heap[timers->count--];
  if(last == timer)
    return;
  if(place > 1 && timers->heap[place / 2]->at > last->at)
    rise(timers, last, place);
  else
    sink(timers, last, place);
}

void ba_timers_run(struct ba_timers *timers, double now)
{
  while(timers->count && timers->heap[1]->at <= now) {
    struct ba_timer *timer = timers->heap[1];
    ba_timers_clear(timers, timer);
    timer->fire(timer);
  }
}

double ba_timers_left(const struct ba_timers *timers, double now, double limit)
{
  if(!timers->count || timers->heap[1]->at - now > limit)
    return limit;
  return timers->heap[1]->at > now ? timers->heap[1]->at - now : 0;
}
