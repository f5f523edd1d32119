/* Mailboxes: where what goes on elsewhere reports to whoever waits for it. One
 * for each Lua state, with one descriptor, readable while a report waits.
 *
 * A report is a notice: an id. Whoever posts it (a call that has news, a piece
 * of the file thread's that is done) owns it. Nothing here blocks except
 * ba_mailbox_wait(). A lock of the mailboxes' own guards all of it; it is taken
 * last. */
#ifndef BA_MAILBOX_H
#define BA_MAILBOX_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct ba_mailbox;

struct ba_mailbox *ba_mailbox_new(struct ba_error *err);
/* Orphans and cancels the calls that still report here, then frees. The last
 * mailbox of the process joins the I/O thread. */
void ba_mailbox_delete(struct ba_mailbox *mailbox);
/* -1 only after a failed fork recovery. Level-triggered; never read it. */
int ba_mailbox_fd(const struct ba_mailbox *mailbox);
/* From now on the mailbox announces its reports by writing 8 bytes to `fd`, an
 * eventfd or a non-blocking unix socket of the host's, instead of making its
 * own descriptor readable: once, until a drain has left it empty. -1 ends it,
 * which must come before `fd` is closed. A child of fork begins without. */
void ba_mailbox_announce(struct ba_mailbox *mailbox, int fd);
/* Blocks until a report waits, `seconds` are over, or a signal arrived: then
 * it returns at once so that the host can run its handlers. True if a report
 * waits. */
bool ba_mailbox_wait(struct ba_mailbox *mailbox, double seconds);
/* Takes up to `capacity` reports: ids of what has news, each at most once;
 * clears the descriptor when none is left. Returns how many. */
size_t ba_mailbox_drain(struct ba_mailbox *mailbox, uint64_t *ids, size_t capacity);

/* A report. It belongs to whoever posts it and must live until it was drained
 * or withdrawn. */
struct ba_notice {
  struct ba_notice *previous, *next;
  uint64_t id; /* of ba_new_id() */
  bool posted;
};
uint64_t ba_new_id(void); /* unique in the process, from 1 */
/* Memory only: a deleted mailbox swallows what is posted. */
void ba_mailbox_retain(struct ba_mailbox *mailbox);
void ba_mailbox_release(struct ba_mailbox *mailbox);
void ba_mailbox_post(struct ba_mailbox *mailbox, struct ba_notice *notice); /* any thread */
void ba_mailbox_withdraw(struct ba_mailbox *mailbox, struct ba_notice *notice);

#endif
