/* The sockets that libcurl opens: which are open, in the poller's set, and at which
 * local port. All of the I/O thread, but for ba_sockets_each(). */
#ifndef BA_SOCKETS_H
#define BA_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct ba_handle;

enum { BA_SOCKETS_MAX = 65536 }; /* beyond: they work, without these services */

/* The socket that an attempt opened last; serial 0: none. */
struct ba_opened {
  uint64_t serial;
  int fd;
};
CURLcode ba_sockets_set(CURL *easy, struct ba_opened *opened);
/* Who has begun last on a connection from that local port; NULL: no such port. */
struct ba_handle **ba_ports_user(int local_port);
/* The socket with that local port; -1: none is known. Its number; 0 */
int ba_ports_socket(int local_port);
uint64_t ba_ports_serial(int local_port);
/* It is the one that was opened, if that is not known yet. */
void ba_ports_note(const struct ba_opened *opened, int local_port);
int ba_sockets_port(int fd); /* the local one; 0: it has none */
/* Any thread: each that is open, with its number, in which it differs from all
 * others of the process, under a lock that keeps it open. */
void ba_sockets_each(void (*visit)(int fd, uint64_t serial, void *user), void *user);
int ba_sockets_watch(int fd, int what); /* libcurl's CURL_POLL_* */
/* True: an event of an idle connection, dealt with. */
bool ba_sockets_idle(int fd);
void ba_sockets_in_child(void);

#endif
