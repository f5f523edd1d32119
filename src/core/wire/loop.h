/* The loop: libcurl's multi, and what wakes it. The I/O thread runs it. */
#ifndef BA_LOOP_H
#define BA_LOOP_H

#include "batchapi/error.h"

/* By the thread that starts the I/O thread; no handle is out when it is closed. */
bool ba_loop_open(struct ba_error *err);
void ba_loop_close(void);
void ba_loop_in_child(void);
int ba_loop_bell(void); /* of system/wake.h: who rings it wakes the loop. -1: not open */

int ba_loop_sleep(double seconds); /* how many descriptors are ready */
/* Sockets, from that one on, and libcurl's timer. Many sockets that cost much
 * each must not hold up the deadlines of all: it gives how far it came. */
int ba_loop_work(int from, int ready);
/* Hands out each transfer that has ended, by the handle that carries it. */
void ba_loop_deliver(void (*ended)(void *handle, int code));

#endif
