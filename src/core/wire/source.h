/* Bytes to send that are there from the start: memory, or a file that is read
 * as it is needed and must keep its size meanwhile. */
#ifndef BA_SOURCE_H
#define BA_SOURCE_H

#include "batchapi/error.h"

#include <stddef.h>
#include <stdint.h>

struct ba_disk;

struct ba_source {
  char *path;                 /* NULL: memory */
  const struct ba_disk *disk; /* the request's */
  char *bytes;
  int64_t length;
  int fd;                   /* I/O */
  int64_t offset;           /* I/O */
  struct ba_error *failure; /* I/O: where a read that fails says why */
};

bool ba_source_open(struct ba_source *source, struct ba_error *err);
void ba_source_close(struct ba_source *source);
/* From its first byte on; a read that fails says why in *failure. */
void ba_source_rewind(struct ba_source *source, struct ba_error *failure);
/* The next bytes: how many, 0 at the end; -1: *failure says why. */
int64_t ba_source_take(struct ba_source *source, char *out, size_t size);
bool ba_source_seek(struct ba_source *source, int64_t offset);

#endif
