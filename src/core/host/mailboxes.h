/* All mailboxes of the process, for the engine below which they lie. */
#ifndef BA_MAILBOXES_H
#define BA_MAILBOXES_H

#include "batchapi/mailbox.h"

bool ba_mailboxes_any(void);
/* Its owner has deleted it: what reports there works for nobody. */
bool ba_mailbox_is_deleted(struct ba_mailbox *mailbox);
/* Who is told, outside of all locks, that one was deleted, and whether it was
 * the last. Set once. */
void ba_mailboxes_on_delete(void (*deleted)(bool last));

/* Around fork: nobody is in the middle of one; a child has descriptors of its own. */
void ba_mailboxes_before_fork(void);
void ba_mailboxes_after_fork(void);
void ba_mailboxes_in_child(void);

#endif
