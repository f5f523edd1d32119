/* Waking nginx: reports of a mailbox become posts to semaphores of nginx's
 * Lua module, from within nginx's own event loop.
 *
 * The loop is given one eventfd of the process with ngx_add_channel_event(),
 * which is how a worker listens to its master: exported since 2004, and it
 * hides every struct, so no header of nginx is needed. Its functions are found
 * with dlsym(); where one is missing, ba_parking_new() fails and the host
 * takes its other way (a cosocket, lua/batchapi/host/driver/openresty.lua).
 *
 * A parking belongs to one Lua state and its mailbox. A coroutine that is
 * about to wait for a call parks the call's id with its semaphore; the post
 * takes the entry out. Whoever parks keeps the semaphore alive until then or
 * until ba_parking_take(). All functions run in the worker's main thread. */
#ifndef BA_NGINX_H
#define BA_NGINX_H

#include "error.h"
#include "mailbox.h"

#include <stddef.h>
#include <stdint.h>

struct ba_parking;

/* `stream`: nginx's stream module instead of http. The mailbox reports to it
 * from now on, until ba_parking_close(), which must come before the mailbox's
 * end and gives the creator's reference back. */
struct ba_parking *ba_parking_new(struct ba_mailbox *mailbox, bool stream, struct ba_error *err);
void ba_parking_close(struct ba_parking *parking); /* NULL is allowed */
/* For who may take out an entry after the mailbox is gone. */
struct ba_parking *ba_parking_retain(struct ba_parking *parking);
void ba_parking_release(struct ba_parking *parking); /* NULL is allowed */

/* Has nginx called back yet? A first wake-up is sent at the beginning; a host
 * that does not see it come takes its other way. */
bool ba_parking_proven(const struct ba_parking *parking);

/* Replaces a former entry of that id. `tell`: the id is also kept for
 * ba_parking_told(), for a semaphore that several calls share. */
bool ba_parking_put(struct ba_parking *parking, uint64_t id, void *semaphore, bool tell,
                    struct ba_error *err);
void ba_parking_take(struct ba_parking *parking, uint64_t id); /* no entry: nothing */

/* Posts for the reports that wait, as nginx's event loop would soon. */
void ba_parking_post(struct ba_parking *parking);

/* Takes up to `capacity` ids that were posted with `tell`. */
size_t ba_parking_told(struct ba_parking *parking, uint64_t *ids, size_t capacity);

#endif
