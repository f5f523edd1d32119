/* The file thread: runs what blocks on the disk, one piece after the other in
 * the order they were started, so that a host with an event loop does not
 * block. A finished piece reports through a mailbox, like a call.
 *
 * The thread starts with the first piece and ends after a while without one.
 * It blocks all signals. A child of fork makes its own; pieces that were under
 * way there end as BA_CLOSED. At exit what is queued is finished first. The
 * engine is loaded (ba_engine_load()) before the first piece starts, so that
 * fork mends it. */
#ifndef BA_WORK_H
#define BA_WORK_H

#include "error.h"
#include "mailbox.h"

#include <stdint.h>

struct ba_work;

/* Runs run(data) on the thread. `discard` frees `data` when the last reference
 * has gone, on whatever thread that is; also when the start fails. A NULL
 * mailbox: nobody wants to know. The piece is finished even if it is released
 * before: a write that was begun is not cut off. */
struct ba_work *ba_work_start(struct ba_mailbox *mailbox,
                              bool (*run)(void *data, struct ba_error *err),
                              void (*discard)(void *data), void *data, struct ba_error *err);
uint64_t ba_work_id(const struct ba_work *work);
bool ba_work_done(struct ba_work *work);
/* Once done: what `run` returned; false fills *err. The data may be read and
 * changed by the caller from then on. */
bool ba_work_result(struct ba_work *work, struct ba_error *err);
void ba_work_release(struct ba_work *work); /* NULL is allowed */

#endif
