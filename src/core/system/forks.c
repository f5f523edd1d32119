#include "batchapi/forks.h"

#include <pthread.h>

static unsigned forks;

static void after_fork(void)
{
  forks++;
}

static void watch(void)
{
  pthread_atfork(NULL, NULL, after_fork);
}

unsigned ba_forks(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, watch);
  return forks;
}
