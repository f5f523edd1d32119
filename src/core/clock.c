#include "clock.h"

#include <time.h>

static double seconds(clockid_t id)
{
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double ba_now(void)
{
  return seconds(CLOCK_MONOTONIC);
}

double ba_wall(void)
{
  return seconds(CLOCK_REALTIME);
}
