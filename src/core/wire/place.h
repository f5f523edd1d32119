/* Where a request's file lies: at a path, or in a directory that was opened once
 * (a disk), which is then the only thing that its path is believed for: what
 * lies at that path by now may be another's. */
#ifndef BA_PLACE_H
#define BA_PLACE_H

#include "batchapi/disk.h"

struct ba_place {
  int at;           /* for openat() and the like */
  const char *name; /* points into the path */
};

/* On a disk the path must be of a file directly in it. */
bool ba_place_of(const struct ba_disk *disk, const char *path, struct ba_place *out,
                 struct ba_error *err);
/* A descriptor, or -1 and errno. For reading; for a download's NAME.part, which is made. */
int ba_place_read(const struct ba_disk *disk, const struct ba_place *place);
int ba_place_write(const struct ba_disk *disk, const struct ba_place *place);

#endif
