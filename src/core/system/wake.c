#include "system/wake.h"

#include "system/system.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>
#ifdef BA_LINUX
#include <sys/eventfd.h>
#endif

int ba_wake_open(struct ba_wake *wake)
{
#ifdef BA_LINUX
  wake->fd = wake->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return wake->fd < 0 ? errno : 0;
#else
  int ends[2], failure;
  *wake = (struct ba_wake)BA_NO_WAKE;
  if(pipe(ends) != 0)
    return errno;
  *wake = (struct ba_wake){.fd = ends[0], .bell = ends[1]};
  failure = ba_set_flags(ends[0], false);
  if(!failure)
    failure = ba_set_flags(ends[1], false);
  if(failure)
    ba_wake_close(wake);
  return failure;
#endif
}

void ba_wake_close(struct ba_wake *wake)
{
  if(wake->bell >= 0 && wake->bell != wake->fd)
    close(wake->bell);
  if(wake->fd >= 0)
    close(wake->fd);
  *wake = (struct ba_wake)BA_NO_WAKE;
}

void ba_wake_ring(int bell)
{
  static const uint64_t one = 1; /* as eventfd wants it */
  while(write(bell, &one, sizeof(one)) < 0 && errno == EINTR) {
  } /* one that is full wakes up anyhow */
}

void ba_wake_quiet(const struct ba_wake *wake)
{
  uint64_t rung[32];
  while(read(wake->fd, rung, sizeof(rung)) == sizeof(rung)) {
  }
}
