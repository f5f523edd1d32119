/* Splits a stream of bytes into lines without copying them out: a line is
 * given in place and lives until the next call that changes the splitter. No
 * I/O here. A line longer than its limit is refused, so memory is bounded by
 * the limit and one chunk. */
#ifndef BA_LINES_H
#define BA_LINES_H

#include "buffer.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

#define BA_LINES_DEFAULT_MAX_LINE ((size_t)128 << 20)
#define BA_LINES_MAX_CHUNK ((size_t)64 << 20) /* what may be pushed at once */

struct ba_lines {
  uint64_t number; /* of the last line given, from 1; blank ones are counted */
  uint64_t offset; /* of the first byte that no line given has taken */
  bool cut;        /* the last line given had no line feed */

  /* private */
  struct ba_buffer buffer;
  size_t taken;    /* bytes of the buffer that are done with */
  size_t searched; /* up to here there is no line end */
  size_t max_line;
  uint64_t passed; /* bytes of a line that is too long, which were dropped */
  bool ended, measures;
};

void ba_lines_init(struct ba_lines *lines, size_t max_line); /* 0: the default */
void ba_lines_free(struct ba_lines *lines);

/* Adds bytes: copied; taken over with their memory (`chunk` is empty after,
 * also on failure); or read by the caller straight into the room it asked for. */
bool ba_lines_push(struct ba_lines *lines, const void *bytes, size_t length, struct ba_error *err);
bool ba_lines_adopt(struct ba_lines *lines, struct ba_buffer *chunk, struct ba_error *err);
char *ba_lines_room(struct ba_lines *lines, size_t size, struct ba_error *err);
void ba_lines_added(struct ba_lines *lines, size_t length);
/* No more bytes follow: what is left is the last line. */
void ba_lines_finish(struct ba_lines *lines);

enum ba_line { BA_LINE_FAILED, BA_LINE_READY, BA_LINE_MORE, BA_LINE_END };

/* A file ends: a line that is too long is passed over, and the failure says how
 * long it is. A stream may never end: there it fails at once, for good. */
void ba_lines_measure(struct ba_lines *lines);

/* The next line that is not blank, without its LF. MORE: push or finish first.
 * FAILED (BA_TOO_LARGE) stays so, unless such lines are measured. */
enum ba_line ba_lines_next(struct ba_lines *lines, const char **line, size_t *length,
                           struct ba_error *err);

#endif
