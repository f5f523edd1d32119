#include "batchapi/clock.h"

#include "system/system.h"

#include <stdio.h>
#include <sys/stat.h>
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

/* A container may have a boot clock of its own: its namespace is named too. */
bool ba_boot(char id[BA_BOOT_ID_MAX], double *seconds)
{
#if defined(BA_LINUX) && defined(CLOCK_BOOTTIME)
  char boot[40] = "";
  struct stat space = {0};
  struct timespec t;
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
  bool told = file && fscanf(file, "%36s", boot) == 1;
  if(file)
    fclose(file);
  if(!told || clock_gettime(CLOCK_BOOTTIME, &t))
    return false;
  stat("/proc/self/ns/time", &space);
  snprintf(id, BA_BOOT_ID_MAX, "%s/%llu", boot, (unsigned long long)space.st_ino);
  *seconds = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
  return true;
#else
  (void)id;
  (void)seconds;
  return false;
#endif
}
