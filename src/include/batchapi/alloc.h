/* The core's own allocator: every byte the core owns goes through here, so
 * that a test can fail the n-th allocation, count what is alive, and see that
 * a block that ever held a secret was wiped before it went back. */
#ifndef BA_ALLOC_H
#define BA_ALLOC_H

#include <stddef.h>

void *ba_malloc(size_t size);
void *ba_calloc(size_t count, size_t size);
void *ba_realloc(void *block, size_t size);
void ba_free(void *block);
char *ba_strndup(const char *text, size_t length); /* adds the NUL; NULL on failure */
char *ba_strdup(const char *text);

/* For secrets: in pages that are not dumped and not swapped out, as far as there
 * are some (base/vault.h). ba_realloc() and ba_free() know them; who has it wipes it. */
void *ba_secret_malloc(size_t size);

/* Zeroes in a way no compiler removes, then frees. NULL is allowed. */
void ba_wipe(void *block, size_t size);
void ba_wipe_free(void *block, size_t size);

/* Tests only: replaces the allocator for the whole process; NULL restores. */
struct ba_allocator {
  void *(*resize)(void *user, void *block, size_t size); /* malloc, realloc, free (size 0) */
  void *user;
};
void ba_alloc_hook(const struct ba_allocator *allocator);

#endif
