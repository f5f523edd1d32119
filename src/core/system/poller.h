/* Waiting for many descriptors. One set per process, of the I/O thread: with a
 * thousand of them epoll looks at none of those where nothing happens. */
#ifndef BA_POLLER_H
#define BA_POLLER_H

enum { BA_POLL_READ = 1, BA_POLL_WRITE = 2, BA_POLL_FAILED = 4 };

int ba_poller_open(void);   /* 0, or an errno value */
void ba_poller_close(void); /* also in a child of fork */
int ba_poller_add(int fd, unsigned events);
int ba_poller_change(int fd, unsigned events); /* ENOENT: it is not there */
void ba_poller_remove(int fd);
void ba_poller_closing(int fd); /* before a descriptor that may be there is closed */
/* How many are ready, after at most so many seconds. */
int ba_poller_wait(double seconds);
int ba_poller_ready(int index, unsigned *events); /* the descriptor */

#endif
