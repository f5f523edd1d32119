/* A line that proves itself, as the journal and the results are made of:
 *
 *   {"n":17, … fields … ,"bytes":B,"line":{…},"crc":"1b2a3c4d"}
 *
 * It is JSON. Its number `n` counts the lines of the file, from 1; the checksum
 * is a CRC-32C of the line up to the comma before "crc", seeded with what the
 * file belongs to. A line proves itself wherever it is read, without those
 * before it; that one is missing, or stands where another was, its number says.
 * "line" holds, in B bytes, what a service sent, as it came; what is no strict
 * JSON of one line stands there as "base64", a string. */
#ifndef BA_RECORD_H
#define BA_RECORD_H

#include "buffer.h"
#include "error.h"
#include "json.h"

#include <stddef.h>
#include <stdint.h>

enum { BA_RECORD_TAIL = 18 };                         /* ,"crc":"1b2a3c4d"} */
enum { BA_RECORD_DEPTH = BA_JSON_DEFAULT_DEPTH - 2 }; /* of a line that stands in it as it came */

/* Appends the beginning of a line; the fields follow, each with its comma before it. */
bool ba_record_begin(struct ba_buffer *out, uint64_t number, struct ba_error *err);
/* Appends the service's line. `strict`: it is known to be JSON, as deep as a record may hold, and
 * without a line feed. */
bool ba_record_add_line(struct ba_buffer *out, const char *line, size_t length, bool strict,
                        struct ba_error *err);
/* Ends the line that begins at `start`, with its line feed. */
bool ba_record_end(struct ba_buffer *out, size_t start, uint32_t seed, struct ba_error *err);

/* Is a line (without its line feed) what was written? Gives its number. */
bool ba_record_check(const char *line, size_t length, uint32_t seed, uint64_t *number);

/* The length of a checked line's own fields, before "bytes" and what the service sent; 0: it
 * holds nothing of the service, or that is not plain to see. */
size_t ba_record_fields(const char *line, size_t length);

/* Appends a line that was checked, with another number. */
bool ba_record_renumber(struct ba_buffer *out, const char *line, size_t length, uint64_t number,
                        uint32_t seed, struct ba_error *err);

#endif
