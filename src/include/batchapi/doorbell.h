/* A unix socket private to the process, for a host that can wait for sockets
 * of its own only (nginx's cosockets): the host connects to the path, the
 * mailbox writes to the other end.
 *
 * It lies in a directory of its own, mode 0700, made under
 * BATCHAPI_RUNTIME_DIR, XDG_RUNTIME_DIR or the temporary directory, and both
 * are gone once the connection is accepted. Only this process may connect. */
#ifndef BA_DOORBELL_H
#define BA_DOORBELL_H

#include "error.h"

struct ba_doorbell;

/* Listens. */
struct ba_doorbell *ba_doorbell_new(struct ba_error *err);
/* What to connect to; "" once accepted. */
const char *ba_doorbell_path(const struct ba_doorbell *doorbell);
/* The connection that was made meanwhile; removes path and directory. Gives
 * the descriptor to write to, which stays the doorbell's, or -1. */
int ba_doorbell_accept(struct ba_doorbell *doorbell, struct ba_error *err);
/* Writes to it, so that the host's end wakes up. */
void ba_doorbell_ring(struct ba_doorbell *doorbell);
void ba_doorbell_delete(struct ba_doorbell *doorbell); /* NULL is allowed */

#endif
