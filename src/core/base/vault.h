/* Pages for secrets: no core dump holds them (system/pages.h) and they are not
 * swapped out, as far as the system has that and lets us. A few MiB at
 * a fixed place, in blocks of one array; what does not fit is alloc.c's affair.
 * Blocks are wiped when they are given back. Any thread. */
#ifndef BA_VAULT_H
#define BA_VAULT_H

#include <stdbool.h>
#include <stddef.h>

enum { BA_VAULT_BYTES = 2 << 20, BA_VAULT_BLOCK_MAX = 64 << 10 };

/* Once, before other threads are there. Without it, or where there is no memory, there is no vault.
 */
void ba_vault_open(void);

void *ba_vault_take(size_t size); /* NULL: none is left, or the block is too large */
bool ba_vault_owns(const void *block);
size_t ba_vault_room(const void *block); /* of one that it owns: what may be written */
void ba_vault_give_back(void *block);

void ba_vault_before_fork(void);
void ba_vault_after_fork(void); /* in the child, too */

/* Bytes that are taken, with what it costs to keep them; for tests. */
size_t ba_vault_used(void);

#endif
