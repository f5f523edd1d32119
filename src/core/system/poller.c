#include "system/poller.h"

#include "system/system.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

enum { READY_MAX = 128 };

#ifdef BA_LINUX

#include <sys/epoll.h>

static int set = -1;
static struct epoll_event ready[READY_MAX];

int ba_poller_open(void)
{
  set = epoll_create1(EPOLL_CLOEXEC);
  return set < 0 ? errno : 0;
}

void ba_poller_close(void)
{
  if(set >= 0)
    close(set);
  set = -1;
}

static int control(int operation, int fd, unsigned events)
{
  struct epoll_event event = {.data.fd = fd};
  if(events & BA_POLL_READ)
    event.events |= EPOLLIN;
  if(events & BA_POLL_WRITE)
    event.events |= EPOLLOUT;
  return epoll_ctl(set, operation, fd, &event) == 0 ? 0 : errno;
}

int ba_poller_add(int fd, unsigned events)
{
  return control(EPOLL_CTL_ADD, fd, events);
}

int ba_poller_change(int fd, unsigned events)
{
  return control(EPOLL_CTL_MOD, fd, events);
}

void ba_poller_remove(int fd)
{
  control(EPOLL_CTL_DEL, fd, 0);
}

void ba_poller_closing(int fd)
{
  (void)fd; /* closing takes it out */
}

int ba_poller_wait(double seconds)
{
  int count = epoll_wait(set, ready, READY_MAX, (int)ceil(seconds * 1000));
  return count > 0 ? count : 0;
}

int ba_poller_ready(int index, unsigned *events)
{
  unsigned happened = ready[index].events;
  *events = (happened & EPOLLIN ? BA_POLL_READ : 0) | (happened & EPOLLOUT ? BA_POLL_WRITE : 0) |
            (happened & (EPOLLERR | EPOLLHUP) ? BA_POLL_FAILED : 0);
  return ready[index].data.fd;
}

#else

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static struct pollfd *watched;
static size_t count, room;
static size_t *places; /* by descriptor: of `watched`, from 1; 0: it is not there */
static size_t place_room;
static size_t next_look; /* where the next look begins, so that all come to their turn */
static int ready[READY_MAX];
static unsigned ready_events[READY_MAX];

int ba_poller_open(void)
{
  count = 0;
  return 0;
}

void ba_poller_close(void)
{
  free(watched);
  free(places);
  watched = NULL;
  places = NULL;
  count = room = place_room = 0;
}

static struct pollfd *find(int fd)
{
  size_t place = fd >= 0 && (size_t)fd < place_room ? places[fd] : 0;
  return place ? &watched[place - 1] : NULL;
}

/* An array grows to hold so many; what is new is zero. */
static void *grown(void *array, size_t *have, size_t wanted, size_t size)
{
  size_t more = *have ? *have : 64;
  while(more < wanted)
    more *= 2;
  char *larger = realloc(array, more * size);
  if(!larger)
    return NULL;
  memset(larger + *have * size, 0, (more - *have) * size);
  *have = more;
  return larger;
}

static bool reserve(int fd)
{
  if((size_t)fd >= place_room) {
    size_t *larger = grown(places, &place_room, (size_t)fd + 1, sizeof(*places));
    if(!larger)
      return false;
    places = larger;
  }
  if(count == room) {
    struct pollfd *larger = grown(watched, &room, count + 1, sizeof(*watched));
    if(!larger)
      return false;
    watched = larger;
  }
  return true;
}

static short as_poll(unsigned events)
{
  return (short)((events & BA_POLL_READ ? POLLIN : 0) | (events & BA_POLL_WRITE ? POLLOUT : 0));
}

int ba_poller_add(int fd, unsigned events)
{
  if(find(fd))
    return EEXIST;
  if(!reserve(fd))
    return ENOMEM;
  watched[count] = (struct pollfd){.fd = fd, .events = as_poll(events)};
  places[fd] = ++count;
  return 0;
}

int ba_poller_change(int fd, unsigned events)
{
  struct pollfd *entry = find(fd);
  if(!entry)
    return ENOENT;
  entry->events = as_poll(events);
  return 0;
}

void ba_poller_remove(int fd)
{
  struct pollfd *entry = find(fd);
  if(!entry)
    return;
  *entry = watched[--count];
  places[entry->fd] = (size_t)(entry - watched) + 1;
  places[fd] = 0;
}

void ba_poller_closing(int fd)
{
  ba_poller_remove(fd);
}

int ba_poller_wait(double seconds)
{
  int found = 0;
  if(poll(watched, (nfds_t)count, (int)ceil(seconds * 1000)) <= 0)
    return 0;
  for(size_t looked = 0; looked < count && found < READY_MAX; looked++) {
    const struct pollfd *entry = &watched[(next_look + looked) % count];
    if(!entry->revents)
      continue;
    ready[found] = entry->fd;
    ready_events[found++] = (entry->revents & POLLIN ? BA_POLL_READ : 0) |
                            (entry->revents & POLLOUT ? BA_POLL_WRITE : 0) |
                            (entry->revents & (POLLERR | POLLHUP | POLLNVAL) ? BA_POLL_FAILED : 0);
  }
  next_look++;
  return found;
}

int ba_poller_ready(int index, unsigned *events)
{
  *events = ready_events[index];
  return ready[index];
}

#endif
