/* What differs between systems, in one room: the rest of the core is POSIX.1-2008.
 *
 *                    on Linux (_GNU_SOURCE)            elsewhere
 *   wake.c           eventfd                           a pipe
 *   poller.c         epoll                             poll()
 *   after.c          timerfd                           a thread that sleeps
 *   cpu_watch.c      a timer of a thread's CPU time    that time, looked at again and again
 *   system.c         locks of the open file, sockets   flock(); two calls where one may be
 *                    in one call, threads' names,      interrupted by a fork; no names, no
 *                    what a socket has read            such count
 *   clock.c          the boot's name, by /proc         none
 *   errno_name.c     the same table everywhere
 *
 * -DBATCHAPI_PORTABLE=ON builds with the right-hand side alone: it defines
 * _POSIX_C_SOURCE=200809L in the place of _GNU_SOURCE. What fails gives an errno
 * value, 0 for success. */
#ifndef BA_SYSTEM_H
#define BA_SYSTEM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && defined(_GNU_SOURCE)
#define BA_LINUX 1
#endif

/* "ENOENT"; NULL: no name is known. */
const char *ba_errno_name(int number);

void ba_thread_name(pthread_t thread, const char *name);

/* What the program or a library of it exports under that name; NULL: nothing. */
void *ba_program_symbol(const char *name);

/* Where the second text begins in the first; NULL: nowhere. */
char *ba_find_bytes(const void *text, size_t length, const void *wanted, size_t wanted_length);

/* The whole file is the open file's alone, as long as that is open; EAGAIN:
 * another has it, also one of this process. */
int ba_lock_file(int fd);

/* No program that is started inherits them. -1 and errno. */
int ba_socket(int family, int type, int protocol, bool blocking);
int ba_socket_accept(int listener); /* one that does not block */
int ba_set_flags(int fd, bool blocking);
/* Is this process at the other end of a unix socket? Where the system does not
 * tell: true. */
bool ba_socket_is_ours(int fd);
/* What has come in: how much of it was read, ever, where the system counts that,
 * else whether something waits to be read. */
struct ba_socket_input {
  bool counted, waits;
  uint64_t read;
};
struct ba_socket_input ba_socket_input(int fd);

/* A condition to wait for with a bound in seconds, by a clock that nobody sets. */
void ba_condition_init(pthread_cond_t *condition);
/* False: the time is over. */
bool ba_condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, double seconds);

/* Has this processor an instruction for CRC-32C? Where the compiler cannot tell itself. */
bool ba_cpu_has_crc32c(void);

#endif
