/* Memory that is kept out of core dumps and off the disk, as far as the system has
 * that and lets us. */
#ifndef BA_PAGES_H
#define BA_PAGES_H

#include <stddef.h>

/* Zeroed, for good; of what may not be locked as a whole, so many bytes at the
 * beginning. NULL: no memory. */
void *ba_pages_take(size_t bytes, size_t locked);

/* What the calling thread allocates from now on is not dumped either, where
 * malloc() keeps it apart (glibc). */
void ba_pages_hide_heap(void);

#endif
