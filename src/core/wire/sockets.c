/* The sockets that libcurl opens, known by number. For two ends:
 *   - a child of fork closes its copies, or the peer would not see the end of
 *     a connection that the parent has closed; and no program that is started
 *     inherits one (close-on-exec);
 *   - a kept connection stays in the poller's set while it is idle, which saves
 *     two system calls for each request. */
#include "wire/sockets.h"

#include "system/poller.h"
#include "system/system.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* For each descriptor: OURS, and the events it is in the poller's set for. I/O. */
static unsigned char known[BA_SOCKETS_MAX];

/* For the watchdog, under a lock: which of them are open, each by a number that
 * no other socket ever has. A descriptor is closed under it, too, so that none
 * is shut down that is the host's by now. */
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t serials[BA_SOCKETS_MAX], last_serial;
static int highest = -1;

enum { OURS = 1, WATCHED = 2, IN = 4, OUT = 8, IDLE = 16 };

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  struct ba_opened *opened = user;
  (void)purpose;
  pthread_mutex_lock(&open_lock);
  int fd = ba_socket(address->family, address->socktype, address->protocol, true);
  if(fd >= 0 && fd < BA_SOCKETS_MAX) {
    known[fd] = OURS;
    serials[fd] = opened->serial = ++last_serial;
    opened->fd = fd;
    if(fd > highest)
      highest = fd;
  }
  pthread_mutex_unlock(&open_lock);
  return fd < 0 ? CURL_SOCKET_BAD : fd;
}

int ba_sockets_port(int fd)
{
  struct sockaddr_storage own;
  socklen_t size = sizeof(own);
  if(getsockname(fd, (struct sockaddr *)&own, &size) != 0)
    return 0;
  if(own.ss_family == AF_INET)
    return ntohs(((struct sockaddr_in *)&own)->sin_port);
  return own.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&own)->sin6_port) : 0;
}

/* Which socket has a local port, and the other way. I/O */
static int socket_at[UINT16_MAX + 1]; /* 0: none */
static uint16_t port_of[BA_SOCKETS_MAX];

static void note_port(int fd)
{
  int port = port_of[fd] ? 0 : ba_sockets_port(fd);
  if(port) {
    port_of[fd] = (uint16_t)port;
    socket_at[port] = fd;
  }
}

static void forget_port(int fd)
{
  if(socket_at[port_of[fd]] == fd)
    socket_at[port_of[fd]] = 0;
  port_of[fd] = 0;
}

int ba_ports_socket(int local_port)
{
  int fd = local_port > 0 && local_port <= UINT16_MAX ? socket_at[local_port] : 0;
  return fd > 0 ? fd : -1;
}

uint64_t ba_ports_serial(int local_port)
{
  int fd = ba_ports_socket(local_port);
  return fd >= 0 ? serials[fd] : 0;
}

void ba_ports_note(const struct ba_opened *opened, int local_port)
{
  if(ba_ports_socket(local_port) < 0 && opened->serial && serials[opened->fd] == opened->serial)
    note_port(opened->fd);
}

static int close_socket(void *user, curl_socket_t fd)
{
  (void)user;
  ba_poller_closing(fd);
  pthread_mutex_lock(&open_lock);
  if(fd < BA_SOCKETS_MAX) {
    forget_port(fd);
    known[fd] = 0;
    serials[fd] = 0;
  }
  int failure = close(fd);
  pthread_mutex_unlock(&open_lock);
  return failure;
}

CURLcode ba_sockets_set(CURL *easy, struct ba_opened *opened)
{
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) |
         curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, opened) |
         curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
}

void ba_sockets_each(void (*visit)(int fd, uint64_t serial, void *user), void *user)
{
  pthread_mutex_lock(&open_lock);
  for(int fd = 0; fd <= highest; fd++) {
    if(serials[fd])
      visit(fd, serials[fd], user);
  }
  pthread_mutex_unlock(&open_lock);
}

static unsigned events_of(int what)
{
  return (what & CURL_POLL_IN ? BA_POLL_READ : 0) | (what & CURL_POLL_OUT ? BA_POLL_WRITE : 0);
}

/* A socket that is not ours (the resolver's) comes and goes by the book. */
static int watch_foreign(int fd, int what)
{
  if(what == CURL_POLL_REMOVE)
    ba_poller_remove(fd);
  else if(ba_poller_change(fd, events_of(what)) == ENOENT)
    return ba_poller_add(fd, events_of(what)) ? -1 : 0;
  return 0;
}

static struct ba_handle *users[UINT16_MAX + 1]; /* of each local port. I/O */

struct ba_handle **ba_ports_user(int local_port)
{
  return local_port > 0 && local_port <= UINT16_MAX ? &users[local_port] : NULL;
}

int ba_sockets_watch(int fd, int what)
{
  if(fd >= BA_SOCKETS_MAX || !(known[fd] & OURS))
    return watch_foreign(fd, what);
  if(what == CURL_POLL_REMOVE) {
    known[fd] |= IDLE;
    return 0;
  }
  unsigned char wanted = OURS | WATCHED;
  wanted |= what & CURL_POLL_IN ? IN : 0;
  wanted |= what & CURL_POLL_OUT ? OUT : 0;
  unsigned char before = known[fd];
  known[fd] = wanted;
  if((before & (WATCHED | IN | OUT)) == (wanted & (WATCHED | IN | OUT)))
    return 0;
  if(!(before & WATCHED))
    note_port(fd);
  int failure =
      before & WATCHED ? ba_poller_change(fd, events_of(what)) : ba_poller_add(fd, events_of(what));
  return failure ? -1 : 0;
}

/* An idle connection has become readable (its peer has closed it, as a rule):
 * it leaves the set, libcurl finds out when it next looks at it. */
bool ba_sockets_idle(int fd)
{
  if(fd >= BA_SOCKETS_MAX || !(known[fd] & IDLE))
    return false;
  ba_poller_remove(fd);
  known[fd] = OURS;
  return true;
}

void ba_sockets_in_child(void)
{
  for(int fd = 0; fd <= highest; fd++) {
    if(known[fd] & OURS)
      close(fd);
    known[fd] = 0;
    serials[fd] = 0;
    forget_port(fd);
  }
  highest = -1;
  memset(users, 0, sizeof(users));
  pthread_mutex_init(&open_lock, NULL);
}
