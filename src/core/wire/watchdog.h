/* No server captures the process: a watchdog over the I/O thread.
 *
 * libcurl works on a socket until it has nothing more to read. A peer that
 * sends what costs work and brings nothing (empty frames of HTTP/2, requests
 * for another handshake) faster than it is read keeps libcurl there, and with
 * it every call of the process: no deadline is looked at meanwhile.
 *
 * The I/O thread says when it begins a step. A timer on that thread's own CPU
 * time (so that it costs nothing while the thread sleeps, and does not run
 * while the process is stopped) wakes a second thread; when that finds the same
 * step for longer than BA_STEP_SECONDS, it shuts the sockets down that were
 * read from meanwhile. libcurl then finds their end, and their calls fail. */
#ifndef BA_WATCHDOG_H
#define BA_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#define BA_STEP_SECONDS 1.0 /* of the I/O thread's CPU time */

/* I/O: starts the watch over the calling thread, which blocks all signals, if
 * there is none (without memory for a thread there is none until the next
 * call); stops and joins it. */
void ba_watchdog_start(void);
void ba_watchdog_stop(void);
void ba_watchdog_in_child(void);

/* I/O: a step begins, with this socket; -1: with none. */
void ba_watchdog_step(int fd);
/* I/O: has the watchdog shut down the socket of that serial number
 * (ba_sockets_serial()), or the one from this local port since then? 0: none. */
bool ba_watchdog_has_cut(uint64_t serial, int local_port, double since);

#endif
