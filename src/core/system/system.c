#include "system/system.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#ifdef BA_LINUX
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#endif
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

void ba_thread_name(pthread_t thread, const char *name)
{
#ifdef BA_LINUX
  pthread_setname_np(thread, name);
#else
  (void)thread;
  (void)name;
#endif
}

char *ba_find_bytes(const void *text, size_t length, const void *wanted, size_t wanted_length)
{
#ifdef BA_LINUX
  return memmem(text, length, wanted, wanted_length);
#else
  const char *at = text, *end = at + length;
  if(!wanted_length)
    return (char *)at;
  while((size_t)(end - at) >= wanted_length) {
    at = memchr(at, *(const unsigned char *)wanted, (size_t)(end - at) - wanted_length + 1);
    if(!at || memcmp(at, wanted, wanted_length) == 0)
      return (char *)at;
    at++;
  }
  return NULL;
#endif
}

void *ba_program_symbol(const char *name)
{
#ifdef RTLD_DEFAULT
  return dlsym(RTLD_DEFAULT, name);
#else
  static void *program; /* never given back: the program stays */
  if(!program)
    program = dlopen(NULL, RTLD_LAZY);
  return program ? dlsym(program, name) : NULL;
#endif
}

/* ---- files ----------------------------------------------------------------- */

/* Locks of the open file came into POSIX in 2024. Those of 2008 belong to the
 * process, and go when it closes any descriptor of the file: flock() is what
 * every system has instead. */
int ba_lock_file(int fd)
{
  int result;
  do {
#ifdef F_OFD_SETLK
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    result = fcntl(fd, F_OFD_SETLK, &whole);
#else
    result = flock(fd, LOCK_EX | LOCK_NB);
#endif
  } while(result < 0 && errno == EINTR);
  if(result == 0)
    return 0;
  return errno == EACCES || errno == EWOULDBLOCK ? EAGAIN : errno;
}

/* ---- sockets --------------------------------------------------------------- */

int ba_set_flags(int fd, bool blocking)
{
  int flags = fcntl(fd, F_GETFL);
  if(fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || flags < 0 ||
     fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
    return errno;
  return 0;
}

#ifndef BA_LINUX
static int with_flags(int fd, bool blocking)
{
  int failure = fd < 0 ? 0 : ba_set_flags(fd, blocking);
  if(!failure)
    return fd;
  close(fd);
  errno = failure;
  return -1;
}
#endif

int ba_socket(int family, int type, int protocol, bool blocking)
{
#ifdef BA_LINUX
  return socket(family, type | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), protocol);
#else
  return with_flags(socket(family, type, protocol), blocking);
#endif
}

int ba_socket_accept(int listener)
{
#ifdef BA_LINUX
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
  return with_flags(accept(listener, NULL, NULL), false);
#endif
}

bool ba_socket_is_ours(int fd)
{
#ifdef BA_LINUX
  struct ucred peer = {0};
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
#else
  (void)fd;
  return true;
#endif
}

struct ba_socket_input ba_socket_input(int fd)
{
#ifdef BA_LINUX
  struct tcp_info info;
  socklen_t length = sizeof(info);
  int waiting = 0;
  memset(&info, 0, sizeof(info));
  if(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
     ioctl(fd, SIOCINQ, &waiting) == 0)
    return (struct ba_socket_input){.counted = true,
                                    .read = info.tcpi_bytes_received - (uint64_t)waiting};
#endif
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  return (struct ba_socket_input){.waits = poll(&entry, 1, 0) == 1 && entry.revents & POLLIN};
}

/* ---- conditions ------------------------------------------------------------ */

#if defined(_POSIX_CLOCK_SELECTION) && _POSIX_CLOCK_SELECTION >= 0
static const clockid_t condition_clock = CLOCK_MONOTONIC;
#define CHOOSE_CLOCK(attributes) pthread_condattr_setclock(attributes, CLOCK_MONOTONIC)
#else
static const clockid_t condition_clock = CLOCK_REALTIME;
#define CHOOSE_CLOCK(attributes) ((void)(attributes))
#endif

void ba_condition_init(pthread_cond_t *condition)
{
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  CHOOSE_CLOCK(&attributes);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

bool ba_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, double seconds)
{
  struct timespec until;
  seconds = seconds > 0 ? seconds : 0;
  clock_gettime(condition_clock, &until);
  until.tv_sec += (time_t)seconds;
  until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
  if(until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  return pthread_cond_timedwait(condition, mutex, &until) != ETIMEDOUT;
}

/* ---- the processor --------------------------------------------------------- */

bool ba_cpu_has_crc32c(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
  return __builtin_cpu_supports("sse4.2");
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32 */
#else
  return false;
#endif
}
